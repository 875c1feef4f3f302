#include "cli/log_run.h"

#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/line_splitter.h"
#include "kube/rest_path.h"
#include "kube/status.h"

namespace pilotlight::cli {

using kube::Json;

namespace {

constexpr const char* kContainer = "function";
constexpr std::chrono::milliseconds kLook{200};  // for a stop
/// Logs are quiet for as long as nothing happens.
constexpr std::chrono::hours kStreamIdle{24};

/// The container's status; null: none yet.
const Json* containerOf(const kube::Object& pod) {
  const Json* statuses = pod.at("/status/containerStatuses");
  if (statuses == nullptr || !statuses->is_array()) return nullptr;
  for (const auto& status : *statuses) {
    if (status.is_object() && status.value("name", "") == kContainer) return &status;
  }
  return nullptr;
}

bool inState(const Json& status, const char* state) {
  const auto found = status.find("state");
  return found != status.end() && found->is_object() && found->contains(state);
}

kube::Error refusal(kube::StreamedResponse& response) {
  std::string body;
  for (auto part = response.body->next(std::chrono::seconds(5)); part && *part && !(*part)->empty();
       part = response.body->next(std::chrono::seconds(5))) {
    body += **part;
  }
  return kube::fromStatus(response.head.status, body);
}

}  // namespace

void LineSink::print(const std::string& prefix, std::string_view line) {
  const std::lock_guard lock(mutex_);
  out_ << prefix << line << '\n';
}

void LineSink::flush() {
  const std::lock_guard lock(mutex_);
  if (!out_.flush()) closed_ = true;
}

std::optional<RunId> runOf(const kube::Object& pod) {
  const Json* status = containerOf(pod);
  if (status == nullptr || !(inState(*status, "running") || inState(*status, "terminated"))) return std::nullopt;
  return RunId{pod.name(), pod.uid(), status->value("restartCount", std::int64_t{0})};
}

bool stillRuns(const kube::Object& pod, const RunId& run) {
  const Json* status = containerOf(pod);
  return status != nullptr && inState(*status, "running") && runOf(pod) == run;
}

LogRun::LogRun(kube::Transport& transport, std::string namespace_, RunId run, const LogOptions& options, LineSink& sink)
    : transport_(transport), namespace_(std::move(namespace_)), run_(std::move(run)), options_(options), sink_(sink) {
  if (options_.prefix.value_or(false)) prefix_ = "[" + run_.pod + "] ";
}

std::string LogRun::target() const {
  kube::Target target(kube::apiPath(kube::resources::pods, {namespace_, run_.pod}), "log");
  target.with("container", kContainer).with("timestamps", "true");  // to know where to go on
  if (options_.follow) target.with("follow", "true");
  if (options_.previous) target.with("previous", "true");
  if (!last_.empty()) return target.with("sinceTime", last_).text();
  if (options_.tail >= 0) target.with("tailLines", std::to_string(options_.tail));
  if (options_.since) target.with("sinceSeconds", std::to_string(std::max<std::int64_t>(1, options_.since->count())));
  return target.text();
}

void LogRun::printLine(std::string_view line) {
  const auto blank = line.find(' ');
  const auto time = line.substr(0, blank);
  // Of one length and zone, so that text sorts as time does. sinceTime is inclusive: what was printed comes again.
  if (time.size() == resumedFrom_.size() && time <= resumedFrom_) return;
  last_ = time;
  sink_.print(prefix_, options_.timestamps ? line : blank == std::string_view::npos ? std::string_view() : line.substr(blank + 1));
}

kube::Result<LogRun::End> LogRun::read(const std::stop_token& stop) {
  auto response = transport_.stream({.target = target(), .headers = {{"User-Agent", kFieldManager}}, .idleTimeout = kStreamIdle});
  if (!response) return std::unexpected(response.error());
  if (response->head.status >= 400) return std::unexpected(refusal(*response));
  resumedFrom_ = last_;
  LineSplitter lines;
  while (!stop.stop_requested() && !sink_.closed()) {
    const auto part = response->body->next(kLook);
    if (!part) return End::cut;
    if (!*part) continue;
    for (const auto& line : lines.feed(**part)) printLine(line);
    if ((*part)->empty()) {
      if (!lines.rest().empty()) printLine(lines.rest());
      sink_.flush();
      return End::over;
    }
    sink_.flush();
  }
  return End::over;
}

}  // namespace pilotlight::cli
