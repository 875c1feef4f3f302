// The certificates of a server, from files that are watched: each connection gets what is there when it begins.
//
// A thread reads the files every so often, which is all that finds a change whatever makes it: the kubelet swaps a symbolic link,
// others write in place. What two looks in a row find the same is taken: a certificate and a key of different times, or half of one,
// are gone by then. What can't be used is told once, and the last good pair goes on.
// Thread-safe.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <expected>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "net/tls.h"
#include "tls/certificate.h"
#include "tls/certificate_files.h"

namespace pilotlight::tls {

struct StoreOptions {
  std::vector<CertificateFiles> certificates;  ///< the first one is the default
  bool http2 = true;
  std::chrono::milliseconds lookEvery{std::chrono::seconds(2)};
  std::chrono::seconds ticketKeyTime{std::chrono::hours(12)};  ///< after which sessions are no longer resumed
  /// From the store's thread. `error` is empty when a new pair was taken.
  std::function<void(const CertificateFiles& which, const std::string& error)> log;
};

class Store final : public net::TlsAcceptor {
 public:
  explicit Store(StoreOptions options);
  ~Store() { stop(); }

  /// Reads all; the error names the one that can't be used, and the store must not be used then.
  std::expected<void, std::string> start();
  void stop();

  std::unique_ptr<net::Tls> accept(int fd) override;
  void count(net::TlsOutcome outcome) override { outcomes_[static_cast<std::size_t>(outcome)].fetch_add(1, std::memory_order_relaxed); }

  struct State {
    std::string name;
    std::chrono::sys_seconds expires;
    bool refused;  ///< what lies in the files now can't be used
  };
  std::vector<State> states() const;
  std::array<std::uint64_t, net::kTlsOutcomes> outcomes() const;

 private:
  struct Content;
  struct Slot {
    CertificateFiles files;
    std::string taken, refused, seen;  // digests of what was in the files: in use, told to be wrong, at the last look
    std::shared_ptr<const Certificate> certificate;
  };
  static Content read(const CertificateFiles& files);
  bool look(Slot& slot);  // true: another certificate
  std::expected<void, std::string> take(Slot& slot, const Content& content);
  void renewTicketKeys();
  void publish();
  void run();

  const StoreOptions options_;
  std::array<unsigned char, kTicketKeys> ticketKeys_{};  // the thread's
  std::chrono::steady_clock::time_point keysSince_{};
  std::array<std::atomic<std::uint64_t>, net::kTlsOutcomes> outcomes_{};
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Slot> slots_;                        // written by the thread, guarded by mutex_ for others
  std::shared_ptr<const CertificateSet> current_;  // guarded by mutex_
  bool stopping_ = false;                          // guarded by mutex_
  std::thread thread_;
};

}  // namespace pilotlight::tls
