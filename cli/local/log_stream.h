// Lines of a LogStore as text, with an end or followed.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>

#include "cli/local/log_store.h"
#include "cli/local/stream_pump.h"

namespace pilotlight::local {

struct LogQuery {
  kube::Key function;
  std::string pod;                                             ///< only this one's lines; empty: all
  std::optional<int> tailLines;                                ///< empty: everything that is kept
  std::optional<std::chrono::system_clock::time_point> since;  ///< no older lines
  bool follow = false;
  bool timestamps = false;  ///< RFC 3339 before each line
  bool prefix = false;      ///< [pod] before each line
};

class LogStream final : public StreamSource {
 public:
  LogStream(LogStore& store, LogQuery query);
  ~LogStream() override;
  std::optional<std::string> next(std::chrono::milliseconds wait) override;
  void cancel() override;

 private:
  std::string format(const std::vector<LogStore::Line>& lines);
  LogStore& store_;
  const LogQuery query_;
  std::uint64_t last_ = 0;  // next()'s thread only, as begun_
  bool begun_ = false;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool news_ = false;  // guarded by mutex_, as cancelled_
  bool cancelled_ = false;
  int subscription_;
};

}  // namespace pilotlight::local
