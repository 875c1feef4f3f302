#include "gateway/access_log.h"

#include <cstdio>
#include <ctime>

namespace pilotlight::gateway {

void appendJsonString(std::string& out, std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  out += '"';
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte >= 0x7f) {  // as Latin-1: whatever came, the line is valid JSON
      out += "\\u00";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    } else {
      out += c;
    }
  }
  out += '"';
}

void beginLogLine(std::string& out, std::string_view level, std::string_view message) {
  timespec time{};
  clock_gettime(CLOCK_REALTIME, &time);
  tm parts{};
  gmtime_r(&time.tv_sec, &parts);
  char stamp[40];
  const std::size_t length = strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &parts);
  char fraction[8];
  std::snprintf(fraction, sizeof fraction, ".%03dZ", static_cast<int>(time.tv_nsec / 1'000'000 % 1000));
  out.assign("{\"ts\":\"").append(stamp, length).append(fraction).append("\",\"level\":\"").append(level);
  out.append("\",\"component\":\"gateway\",\"msg\":");
  appendJsonString(out, message);
}

LogWriter::LogWriter(Sink sink, std::size_t maxBytes) : sink_(std::move(sink)), maxBytes_(maxBytes), thread_([this] { run(); }) {}

LogWriter::~LogWriter() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void LogWriter::write(std::string_view line) {
  {
    std::lock_guard lock(mutex_);
    if (pending_.size() + line.size() + 1 > maxBytes_) {
      ++dropped_;
      return;
    }
    pending_.append(line);
    pending_ += '\n';
  }
  wake_.notify_one();
}

std::uint64_t LogWriter::dropped() const {
  std::lock_guard lock(mutex_);
  return dropped_;
}

void LogWriter::run() {
  std::string batch;
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return stopping_ || !pending_.empty(); });
      if (pending_.empty()) return;
      batch.swap(pending_);
    }
    if (sink_) {
      std::string_view left = batch;
      while (!left.empty()) {
        const std::size_t end = left.find('\n');
        sink_(left.substr(0, end));
        left.remove_prefix(end + 1);
      }
    } else {
      std::fwrite(batch.data(), 1, batch.size(), stdout);
      std::fflush(stdout);
    }
    batch.clear();
  }
}

}  // namespace pilotlight::gateway
