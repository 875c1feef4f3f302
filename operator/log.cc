#include "operator/log.h"

#include <spdlog/details/null_mutex.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <mutex>
#include <nlohmann/json.hpp>

namespace pilotlight::op {

namespace {

class FunctionSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit FunctionSink(Log::Sink sink) : sink_(std::move(sink)) {}

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    sink_(std::string_view(line.data(), line.size()));
  }
  void flush_() override {}

 private:
  const Log::Sink sink_;
};

void write(spdlog::logger& logger, spdlog::level::level_enum level, std::string_view message, std::initializer_list<LogField> fields) {
  if (!logger.should_log(level)) {
    return;
  }
  const auto quoted = [](std::string_view text) {
    return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  };
  std::string line = "\"msg\":" + quoted(message);
  for (const auto& [key, value] : fields) {
    line += "," + quoted(key) + ":" + quoted(value);
  }
  logger.log(level, spdlog::string_view_t(line));
}

}  // namespace

Log::Log(const std::string& level, Sink sink) {
  std::shared_ptr<spdlog::sinks::sink> target;
  std::string end;
  if (sink) {
    target = std::make_shared<FunctionSink>(std::move(sink));
  } else {
    target = std::make_shared<spdlog::sinks::stdout_sink_mt>();
    end = spdlog::details::os::default_eol;
  }
  logger_ = std::make_shared<spdlog::logger>("operator", std::move(target));
  logger_->set_formatter(std::make_unique<spdlog::pattern_formatter>(
      R"({"ts":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l","component":"operator",%v})", spdlog::pattern_time_type::utc, end));
  const auto known = spdlog::level::from_str(level);
  logger_->set_level(known == spdlog::level::off && level != "off" ? spdlog::level::info : known);
  logger_->flush_on(spdlog::level::info);
}

void Log::debug(std::string_view message, std::initializer_list<LogField> fields) const {
  write(*logger_, spdlog::level::debug, message, fields);
}
void Log::info(std::string_view message, std::initializer_list<LogField> fields) const {
  write(*logger_, spdlog::level::info, message, fields);
}
void Log::warn(std::string_view message, std::initializer_list<LogField> fields) const {
  write(*logger_, spdlog::level::warn, message, fields);
}
void Log::error(std::string_view message, std::initializer_list<LogField> fields) const {
  write(*logger_, spdlog::level::err, message, fields);
}

}  // namespace pilotlight::op
