#include "runtime-shim/source_watch.h"

#include <sys/epoll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>

namespace pilotlight::shim {

SourceWatch::SourceWatch(net::Loop& loop, const std::vector<std::string>& folders, const Log& log, std::function<void()> changed)
    : loop_(loop), log_(log), changed_(std::move(changed)) {
  if (folders.empty()) return;
  inotify_ = net::Fd(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  for (const std::string& folder : folders) {
    const int watch = inotify_ ? ::inotify_add_watch(inotify_.get(), folder.c_str(), IN_MOVED_TO | IN_ONLYDIR) : -1;
    if (watch < 0) {
      log_.error("changes of files will not be told", {{"folder", folder}, {"reason", std::strerror(errno)}});
    } else {
      folders_.emplace(watch, folder);
    }
  }
  if (inotify_) loop_.add(inotify_.get(), EPOLLIN, *this);
}

SourceWatch::~SourceWatch() {
  if (inotify_) loop_.remove(inotify_.get(), *this);
}

void SourceWatch::onReady(std::uint32_t) {
  bool swapped = false;
  alignas(inotify_event) char events[4096];
  for (ssize_t size = 0; (size = ::read(inotify_.get(), events, sizeof events)) > 0;) {
    for (const char* at = events; at < events + size;) {
      const auto* event = reinterpret_cast<const inotify_event*>(at);
      at += sizeof *event + event->len;
      if (event->len == 0 || std::string_view(event->name) != "..data") continue;
      log_.info("files changed", {{"folder", folders_[event->wd]}});
      swapped = true;
    }
  }
  if (swapped) changed_();
}

}  // namespace pilotlight::shim
