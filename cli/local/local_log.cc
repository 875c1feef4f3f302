#include "cli/local/local_log.h"

#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>

namespace pilotlight::local {

namespace {
constexpr std::size_t kFileBytes = 10U << 20;
constexpr std::size_t kOldFiles = 2;
}  // namespace

std::expected<LocalLog, std::string> LocalLog::open(const std::filesystem::path& file) {
  LocalLog log;
  try {
    log.file_ = std::make_shared<spdlog::logger>(
        "file", std::make_shared<spdlog::sinks::rotating_file_sink_mt>(file.string(), kFileBytes, kOldFiles));
    log.stderr_ = std::make_shared<spdlog::logger>("stderr", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  } catch (const std::exception& error) {
    return std::unexpected(std::string(error.what()));
  }
  ::chmod(file.c_str(), 0600);
  for (const auto& logger : {log.file_, log.stderr_}) {
    logger->set_pattern("%v");
    logger->flush_on(spdlog::level::info);
  }
  return log;
}

void LocalLog::line(std::string_view json) const {
  while (json.ends_with('\n')) json.remove_suffix(1);
  const spdlog::string_view_t text(json.data(), json.size());
  file_->info(text);
  if (json.find(R"("level":"error")") != std::string_view::npos) stderr_->info(text);
}

}  // namespace pilotlight::local
