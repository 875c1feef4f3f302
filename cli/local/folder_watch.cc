#include "cli/local/folder_watch.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace pilotlight::local {

namespace {
// No IN_MODIFY: a file counts when its writer has closed it.
constexpr std::uint32_t kMask =
    IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
}  // namespace

FolderWatch::FolderWatch() : inotify_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

bool FolderWatch::setFolders(const std::set<std::filesystem::path>& folders) {
  for (auto watch = watches_.begin(); watch != watches_.end();) {
    if (folders.contains(watch->first)) {
      ++watch;
      continue;
    }
    ::inotify_rm_watch(inotify_.get(), watch->second);
    watch = watches_.erase(watch);
  }
  bool all = static_cast<bool>(inotify_);
  for (const auto& folder : folders) {
    // Also for those watched already: a folder that was replaced is another one under the same name.
    const int id = ::inotify_add_watch(inotify_.get(), folder.c_str(), kMask);
    if (id >= 0) watches_[folder] = id;
    if (id < 0 && errno != ENOENT && errno != ENOTDIR) all = false;
  }
  return all;
}

FolderWatch::Event FolderWatch::wait(std::chrono::milliseconds timeout, const std::function<bool(const std::string&)>& interesting) {
  const auto end = std::chrono::steady_clock::now() + timeout;
  for (;;) {
    std::array<pollfd, 2> polled{{{wake_.get(), POLLIN, 0}, {inotify_.get(), POLLIN, 0}}};
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    const int ready = ::poll(polled.data(), polled.size(), static_cast<int>(std::max<std::int64_t>(0, left.count())));
    if (ready < 0 && errno == EINTR) continue;
    if (polled[0].revents != 0) return Event::woken;
    if (ready <= 0) return Event::timeout;
    if (drain(interesting)) return Event::changed;
  }
}

bool FolderWatch::drain(const std::function<bool(const std::string&)>& interesting) {
  alignas(inotify_event) std::array<char, 16 * 1024> buffer;
  bool found = false;
  for (;;) {
    const ssize_t size = ::read(inotify_.get(), buffer.data(), buffer.size());
    if (size <= 0) return found;
    for (ssize_t at = 0; at < size;) {
      const auto* event = reinterpret_cast<const inotify_event*>(buffer.data() + at);
      at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
      if ((event->mask & IN_IGNORED) != 0) continue;
      const bool folder = event->len == 0 || (event->mask & (IN_ISDIR | IN_Q_OVERFLOW)) != 0;
      found = interesting(folder ? "" : event->name) || found;
    }
  }
}

void FolderWatch::wake() {
  const std::uint64_t one = 1;
  while (::write(wake_.get(), &one, sizeof one) < 0 && errno == EINTR) {
  }
}

}  // namespace pilotlight::local
