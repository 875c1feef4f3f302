#include "cli/pod_logs.h"

#include <fmt/format.h>

#include <algorithm>
#include <list>
#include <nlohmann/json.hpp>
#include <ostream>
#include <set>
#include <thread>

#include "cli/log_run.h"
#include "kube/status.h"

namespace pilotlight::cli {

using kube::ErrorCode;
using kube::Object;

namespace {

constexpr std::chrono::milliseconds kLook{200};
constexpr std::chrono::seconds kAgain{1};

class Follower {
 public:
  Follower(Context& context, Connection& connection, const PodLogsQuery& query)
      : context_(context), client_(*connection.client), transport_(*connection.transport), query_(query), sink_(context.out) {}

  int run() {
    while (!sink_.closed()) {
      const auto pods = client_.list(kube::resources::pods, {.namespace_ = query_.function.namespace_, .labelSelector = query_.selector});
      if (!pods) return fail(context_, pods.error());
      waiting_ = false;
      for (const auto& pod : pods->items) consider(pod);
      begun_ = true;
      const auto ended = watch(pods->resourceVersion);
      if (ended.code == ErrorCode::forbidden) return fail(context_, ended);
      if (ended.code == ErrorCode::unavailable) std::this_thread::sleep_for(kAgain);
    }
    return 0;
  }

 private:
  struct Reader {
    std::atomic<bool> done = false;
    std::jthread thread;  // last: ends before what it uses
  };

  /// Until the watch ends, in whatever way: the next list tells the truth.
  kube::Error watch(const std::string& version) {
    auto stream = client_.watch(kube::resources::pods,
                                {.namespace_ = query_.function.namespace_, .labelSelector = query_.selector, .resourceVersion = version});
    if (!stream) return stream.error();
    while (!sink_.closed()) {
      const auto event = (*stream)->next(kLook);
      if (!event) return event.error();
      sweep();
      if (waiting_ && readers_.size() < query_.log.maxRequests) return {ErrorCode::timeout, "there is room for another pod"};
      if (!*event || (*event)->type == kube::WatchEvent::Type::bookmark) continue;
      if ((*event)->type == kube::WatchEvent::Type::deleted) {
        std::erase_if(known_, [&](const RunId& run) { return run.uid == (*event)->object.uid(); });
      } else {
        consider((*event)->object);
      }
    }
    return {ErrorCode::cancelled, ""};
  }

  void consider(const Object& pod) {
    auto run = runOf(pod);
    if (!run || known_.contains(*run)) return;
    if (readers_.size() >= query_.log.maxRequests) {
      waiting_ = true;  // the next list finds it again
      if (!std::exchange(toldOfMany_, true))
        context_.err << fmt::format("more than {} pods: others wait until one of them ends; --max-log-requests raises it\n",
                                    query_.log.maxRequests);
      return;
    }
    known_.insert(*run);
    LogOptions options = query_.log;
    if (begun_) {  // new: from its first line
      options.tail = -1;
      options.since.reset();
    }
    auto& reader = readers_.emplace_back();
    reader.thread = std::jthread(
        [this, &reader, log = LogRun(transport_, query_.function.namespace_, *run, options, sink_)](const std::stop_token& stop) mutable {
          read(log, stop);
          reader.done = true;
        });
  }

  /// A stream may end while the run goes on: a restarted kubelet or API server.
  void read(LogRun& log, const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      const auto end = log.read(stop);
      const bool gone = !end && (end.error().code == ErrorCode::notFound || end.error().code == ErrorCode::forbidden);
      if (!end && end.error().code == ErrorCode::forbidden) tell(log.run().pod, end.error());
      if (gone || stop.stop_requested()) return;
      const auto pod = client_.get(kube::resources::pods, {query_.function.namespace_, log.run().pod});
      if (!pod && pod.error().code == ErrorCode::notFound) return;
      if (pod && !stillRuns(*pod, log.run())) return;
      std::unique_lock lock(mutex_);
      stopping_.wait_for(lock, stop, kAgain, [] { return false; });
    }
  }

  void tell(const std::string& pod, const kube::Error& error) {
    const std::lock_guard lock(mutex_);
    context_.err << fmt::format("pod {}: {}\n", pod, kube::serverMessage(error));
  }

  void sweep() {
    readers_.remove_if([](const Reader& reader) { return reader.done.load(); });
  }

  Context& context_;
  kube::Client& client_;
  kube::Transport& transport_;
  const PodLogsQuery& query_;
  LineSink sink_;
  std::set<RunId> known_;
  bool begun_ = false;
  bool waiting_ = false;  // pods for which there is no room
  bool toldOfMany_ = false;
  std::mutex mutex_;  // guards the error stream
  std::condition_variable_any stopping_;
  std::list<Reader> readers_;  // last: its threads use all of the above
};

}  // namespace

int printPodLogs(Context& context, Connection& connection, const PodLogsQuery& query) {
  auto pods = connection.client->list(kube::resources::pods, {.namespace_ = query.function.namespace_, .labelSelector = query.selector});
  if (!pods) return fail(context, pods.error());
  if (pods->items.empty()) context.err << fmt::format("function \"{}\" has no pods now\n", query.function.name);
  LogOptions options = query.log;
  options.prefix = options.prefix.value_or(pods->items.size() > 1);
  LineSink sink(context.out);
  int code = 0;
  for (const auto& pod : pods->items) {
    LogRun log(*connection.transport, query.function.namespace_, {pod.name(), pod.uid()}, options, sink);
    const auto end = log.read({});
    if (end && *end == LogRun::End::over) continue;
    code = fail(context, fmt::format("pod {}: {}", pod.name(), end ? "the connection broke" : kube::serverMessage(end.error())));
  }
  return code;
}

int followPodLogs(Context& context, Connection& connection, const PodLogsQuery& query) {
  PodLogsQuery following = query;
  following.log.prefix = query.log.prefix.value_or(true);
  return Follower(context, connection, following).run();
}

}  // namespace pilotlight::cli
