// inotify on a set of folders, not recursive.
// Thread-safety: one thread, but for wake().
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "net/socket.h"

namespace pilotlight::local {

class FolderWatch {
 public:
  FolderWatch();
  /// Watches exactly these from now on. False: some could not be watched (the kernel's limit).
  bool setFolders(const std::set<std::filesystem::path>& folders);
  enum class Event { changed, timeout, woken };
  /// `interesting` gets the name of a file, or "" for a change of the folders themselves.
  Event wait(std::chrono::milliseconds timeout, const std::function<bool(const std::string& fileName)>& interesting);
  void wake();  ///< any thread: every wait() returns woken from now on

 private:
  bool drain(const std::function<bool(const std::string& fileName)>& interesting);
  net::Fd inotify_, wake_;
  std::map<std::filesystem::path, int> watches_;
};

}  // namespace pilotlight::local
