#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <ostream>
#include <thread>

#include "cli/deadline.h"
#include "cli/files.h"
#include "cli/printers.h"
#include "cli/target.h"

namespace pilotlight::cli {

namespace {

constexpr std::chrono::milliseconds kPoll{200};

struct Doomed {
  kube::Resource resource;
  kube::Key key;
};

std::expected<std::vector<Doomed>, std::string> ofTargets(const std::vector<std::string>& words, const std::string& namespace_) {
  const auto targets = parseTargets(words);
  if (!targets) return std::unexpected(targets.error());
  std::vector<Doomed> all;
  for (const auto& target : *targets) {
    if (target.name.empty()) return std::unexpected("delete what? For example: pilotlight delete fn/NAME");
    all.push_back({target.resource, {namespace_, target.name}});
  }
  return all;
}

/// Gone is also who has a namesake by now.
int waitUntilGone(Context& context, kube::Client& client, const Doomed& doomed, const std::string& uid, Deadline deadline) {
  for (;;) {
    const auto now = client.get(doomed.resource, doomed.key);
    if (!now && now.error().code == kube::ErrorCode::notFound) return 0;
    if (!now) return fail(context, now.error());
    if (now->uid() != uid) return 0;
    if (std::chrono::steady_clock::now() >= deadline)
      return fail(context, fmt::format("timed out waiting for the condition on {}/{}", doomed.resource.plural, doomed.key.name));
    std::this_thread::sleep_for(kPoll);
  }
}

int removeOne(Context& context, kube::Client& client, const Doomed& doomed, const DeleteCommandOptions& options, Deadline deadline) {
  const auto there = client.get(doomed.resource, doomed.key);
  if (!there && there.error().code == kube::ErrorCode::notFound && options.ignoreNotFound) return 0;
  if (!there) return fail(context, there.error());
  const auto done = client.remove(doomed.resource, doomed.key);
  if (!done && !(done.error().code == kube::ErrorCode::notFound && options.ignoreNotFound)) return fail(context, done.error());
  context.out << nameOf(doomed.resource, doomed.key.name, true) << " deleted" << std::endl;
  return options.wait ? waitUntilGone(context, client, doomed, there->uid(), deadline) : 0;
}

}  // namespace

int remove(Context& context, const DeleteCommandOptions& options) {
  auto connection = connect(context);
  if (!connection) return 1;
  const auto deadline = deadlineAfter(options.timeout);
  if (!deadline) return fail(context, deadline.error());
  int code = 0;
  std::vector<Doomed> all;
  if (options.files.empty()) {
    auto named = ofTargets(options.target, connection->namespace_);
    if (!named) return fail(context, named.error());
    all = *std::move(named);
  } else {
    const auto files = readGiven(context, options.files, connection->local, connection->namespace_);
    if (!files) return fail(context, files.error());
    code = printErrors(context, *files);
    for (const auto& file : *files) {
      for (const auto& object : file.objects) all.push_back({resourceOf(object), keyOf(object)});
    }
  }
  for (const auto& doomed : all) code |= removeOne(context, *connection->client, doomed, options, *deadline);
  return code;
}

}  // namespace pilotlight::cli
