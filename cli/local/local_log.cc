#include "cli/local/local_log.h"

#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>

namespace pilotlight::local {

namespace {
constexpr std::size_t kFileBytes = 10U << 20;
constexpr std::size_t kOldFiles = 2;
}  // namespace

std::expected<LocalLog, std::string> LocalLog::open(const std::filesystem::path& file, std::function<void(std::string_view)> onError) {
  LocalLog log;
  try {
    log.file_ = std::make_shared<spdlog::logger>(
        "file", std::make_shared<spdlog::sinks::rotating_file_sink_mt>(file.string(), kFileBytes, kOldFiles));
  } catch (const std::exception& error) {
    return std::unexpected(std::string(error.what()));
  }
  ::chmod(file.c_str(), 0600);
  log.file_->set_pattern("%v");
  log.file_->flush_on(spdlog::level::info);
  log.onError_ = std::move(onError);
  return log;
}

void LocalLog::line(std::string_view json) const {
  while (json.ends_with('\n')) json.remove_suffix(1);
  file_->info(spdlog::string_view_t(json.data(), json.size()));
  if (json.find(R"("level":"error")") != std::string_view::npos) onError_(json);
}

}  // namespace pilotlight::local
