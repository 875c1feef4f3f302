#include "cli/local/address_pool.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace pilotlight::local {
namespace {

constexpr std::uint16_t kPort = 18012;  // not the shims', which may run on this machine

TEST(AddressPool, GivesEachPodAnAddressOfItsOwn) {
  AddressPool pool(kPort);
  std::vector<AddressLease> leases;
  std::set<std::string> seen;
  for (int i = 0; i < 300; ++i) {
    auto lease = pool.take();
    ASSERT_TRUE(lease) << lease.error();
    EXPECT_TRUE(lease->ip.starts_with("127.64.")) << lease->ip;
    EXPECT_FALSE(lease->ip.ends_with(".0") || lease->ip.ends_with(".255")) << lease->ip;
    EXPECT_TRUE(seen.insert(lease->ip).second) << lease->ip;
    leases.push_back(std::move(*lease));
  }
}

TEST(AddressPool, SkipsWhatIsTakenByAnotherProgram) {
  AddressPool first(kPort), other(kPort);
  const auto taken = first.take();
  const auto listener = net::listenTcp({"127.64.0.2", kPort});
  ASSERT_TRUE(taken && listener);
  const auto lease = other.take();
  ASSERT_TRUE(lease);
  EXPECT_NE(lease->ip, taken->ip);
  EXPECT_NE(lease->ip, "127.64.0.2");
}

TEST(AddressPool, ItsOwnerMayListenBesideTheReservation) {
  AddressPool pool(kPort);
  const auto lease = pool.take();
  ASSERT_TRUE(lease);
  for (int i = 0; i < 2; ++i) {  // and again after a restart
    const auto listener = net::listenTcp({lease->ip, kPort});
    EXPECT_TRUE(listener) << listener.error();
  }
}

TEST(AddressPool, ReusesAnAddressLate) {
  AddressPool pool(kPort);
  const std::string first = pool.take()->ip;
  for (int i = 0; i < 100; ++i) EXPECT_NE(pool.take()->ip, first);
}

TEST(PortPool, GivesFreePortsOutsideTheKernelsRange) {
  PortPool pool;
  std::set<std::uint16_t> seen;
  for (int i = 0; i < 50; ++i) {
    const auto port = pool.take();
    ASSERT_TRUE(port) << port.error();
    EXPECT_LT(*port, 32768);
    EXPECT_TRUE(seen.insert(*port).second);
    EXPECT_TRUE(net::listenTcp({"0.0.0.0", *port}));
  }
}

TEST(PortPool, SkipsAPortThatIsListenedOn) {
  PortPool pool;
  const auto port = pool.take();
  ASSERT_TRUE(port);
  std::vector<net::Fd> listeners;
  for (std::uint16_t next = 1; next <= 5 && *port + next < 30000; ++next)
    if (auto listener = net::listenTcp({"127.0.0.1", static_cast<std::uint16_t>(*port + next)})) listeners.push_back(std::move(*listener));
  const auto other = pool.take();
  ASSERT_TRUE(other);
  for (const auto& listener : listeners) EXPECT_NE(*other, net::localAddress(listener.get()).port);
}

}  // namespace
}  // namespace pilotlight::local
