#include "cli/local/log_stream.h"

#include <algorithm>

#include "api/api.h"

namespace pilotlight::local {

namespace {
constexpr std::size_t kBatch = 1000;
}

LogStream::LogStream(LogStore& store, LogQuery query) : store_(store), query_(std::move(query)) {
  subscription_ = store_.subscribe([this] {
    {
      const std::lock_guard lock(mutex_);
      news_ = true;
    }
    changed_.notify_all();
  });
}

LogStream::~LogStream() {
  store_.unsubscribe(subscription_);
}

void LogStream::cancel() {
  {
    const std::lock_guard lock(mutex_);
    cancelled_ = true;
  }
  changed_.notify_all();
}

std::optional<std::string> LogStream::next(std::chrono::milliseconds wait) {
  {
    std::unique_lock lock(mutex_);
    if (begun_ && query_.follow) changed_.wait_for(lock, wait, [&] { return news_ || cancelled_; });
    if (cancelled_) return std::nullopt;
    news_ = false;  // before reading: what is appended from here on wakes us again
  }
  std::vector<LogStore::Line> lines;
  if (!begun_ && query_.tailLines) {
    // With a pod the tail is of its lines: take all and cut.
    const std::size_t wanted = static_cast<std::size_t>(std::max(0, *query_.tailLines));
    lines = store_.tail(query_.function, query_.pod.empty() ? std::max<std::size_t>(wanted, 1) : SIZE_MAX);
    if (!lines.empty()) last_ = lines.back().sequence;
    if (!query_.pod.empty()) std::erase_if(lines, [&](const auto& line) { return line.pod != query_.pod; });
    if (lines.size() > wanted) lines.erase(lines.begin(), lines.end() - static_cast<std::ptrdiff_t>(wanted));
  } else {
    lines = store_.read(query_.function, last_, kBatch);
    if (!lines.empty()) last_ = lines.back().sequence;
    if (lines.size() == kBatch) {
      const std::lock_guard lock(mutex_);
      news_ = true;  // there may be more
    } else if (lines.empty() && begun_ && !query_.follow) {
      return std::nullopt;
    }
  }
  begun_ = true;
  return format(lines);
}

std::string LogStream::format(const std::vector<LogStore::Line>& lines) {
  std::string text;
  for (const auto& line : lines) {
    if (!query_.pod.empty() && line.pod != query_.pod) continue;
    if (query_.since && line.time < *query_.since) continue;
    if (query_.prefix) text += "[" + line.pod + "] ";
    if (query_.timestamps) text += api::formatTime(line.time) + " ";
    text += line.text + "\n";
  }
  return text;
}

}  // namespace pilotlight::local
