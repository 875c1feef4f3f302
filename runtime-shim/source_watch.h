// Tells when mounted Secrets or ConfigMaps have new files. The kubelet, and local mode as it does, swaps all files of a folder at
// once by renaming its link ..data. Loop thread only.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "net/loop.h"
#include "net/socket.h"
#include "runtime-shim/log.h"

namespace pilotlight::shim {

class SourceWatch final : public net::Pollable {
 public:
  /// What can't be watched is logged.
  SourceWatch(net::Loop& loop, const std::vector<std::string>& folders, const Log& log, std::function<void()> changed);
  ~SourceWatch();
  SourceWatch(const SourceWatch&) = delete;
  void onReady(std::uint32_t events) override;

 private:
  net::Loop& loop_;
  const Log& log_;
  const std::function<void()> changed_;
  std::map<int, std::string> folders_;  // by watch
  net::Fd inotify_;
};

}  // namespace pilotlight::shim
