// A server with TLS on loopback, and the files of its certificates.
#pragma once

#include <csignal>

#include "pair.h"
#include "tests/support/temp_dir.h"
#include "tls/store.h"

namespace pilotlight::tls::test {

using net::test::eventually;
using std::chrono::milliseconds;
using std::chrono::seconds;

class TlsTest : public testing::Test {
 protected:
  TlsTest() { std::signal(SIGPIPE, SIG_IGN); }  // for the client: OpenSSL sends as it likes
  ~TlsTest() override {
    if (server) thread.sync([&] { server.reset(); });
    thread.stop();
    if (store) store->stop();
  }

  /// Into the folder of a Secret, as the kubelet does it: in a folder of its own, and then a link to that is swapped.
  void write(const std::string& name, const Pair& pair) {
    const auto folder = files.path() / name;
    const std::string version = "..v" + std::to_string(++versions);
    pilotlight::test::writeFile(folder / version / "tls.crt", pair.certificate);
    pilotlight::test::writeFile(folder / version / "tls.key", pair.key);
    const auto before = std::filesystem::exists(folder / "..data") ? std::filesystem::read_symlink(folder / "..data") : "";
    std::filesystem::create_symlink(version, folder / "..data_tmp");
    std::filesystem::rename(folder / "..data_tmp", folder / "..data");
    if (!before.empty()) return void(std::filesystem::remove_all(folder / before));
    for (const char* file : {"tls.crt", "tls.key"}) std::filesystem::create_symlink(std::string("..data/") + file, folder / file);
  }
  void start(const std::vector<std::string>& names = {"first"}) {
    StoreOptions stored;
    for (const auto& name : names) {
      if (!std::filesystem::exists(files.path() / name)) write(name, makePair("DNS:" + name + ".example"));
      stored.certificates.push_back(certificateFolder((files.path() / name).string()));
    }
    stored.lookEvery = milliseconds(5);
    stored.log = [this](const CertificateFiles& which, const std::string& error) {
      std::lock_guard lock(mutex);
      log.push_back(which.name + ": " + error);
    };
    store = std::make_unique<Store>(std::move(stored));
    const auto started = store->start();
    ASSERT_TRUE(started) << started.error();
    thread.sync([&] {
      server = std::make_unique<net::Server>(thread.loop, app, options);
      auto fd = net::listenTcp({"127.0.0.1", 0});
      address = net::localAddress(fd->get());
      server->listen(std::move(*fd), store.get());
    });
  }
  std::uint64_t count(net::TlsOutcome outcome) const { return store->outcomes()[static_cast<std::size_t>(outcome)]; }
  std::size_t connections() {
    return thread.sync([&] { return server->connections(); });
  }
  std::vector<std::string> logged() {
    std::lock_guard lock(mutex);
    return log;
  }

  pilotlight::test::TempDir files;
  net::ServerOptions options;
  net::test::TestApplication app;
  int versions = 0;
  std::mutex mutex;
  std::vector<std::string> log;  // guarded by mutex
  std::unique_ptr<Store> store;
  std::unique_ptr<net::Server> server;
  net::Address address;
  net::test::LoopThread thread;
};

}  // namespace pilotlight::tls::test
