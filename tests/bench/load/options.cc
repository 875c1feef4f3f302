#include "tests/bench/load/options.h"

#include <sched.h>
#include <sys/resource.h>

#include <charconv>
#include <functional>
#include <map>

namespace pilotlight::bench {

const char* const kLoadUsage =
    "usage: bench-load [--cpu N] [--seconds S] [--warmup S] [--hold] [--backend ip:port[/limit]]... [--watch name=pid,pid]...\n"
    "                  --to ip:port [--connections N] [--rate R] [--requests N] [--fresh] [--upload BYTES]\n"
    "                  [--host H] [--path P] [--vary N]   [--and --to ...]\n"
    "Closed loop, or, with --rate (requests per second), open loop. --backend: answers in the same process. --fresh: a connection\n"
    "per request. --vary: '%' in host and path is replaced by 0 to N-1. --requests: ends after so many, counts all, no warm-up.\n"
    "--hold: with the connections open, prints and waits for the end of standard input. --and begins another stream of requests.\n"
    "Prints one line of JSON.\n";

namespace {

using Result = std::expected<void, std::string>;
using Setter = std::function<Result(std::string_view value)>;

template <class Number>
Setter number(Number& out) {
  return [&out](std::string_view text) -> Result {
    const auto read = std::from_chars(text.data(), text.data() + text.size(), out);
    if (read.ec != std::errc() || read.ptr != text.data() + text.size()) return std::unexpected("not a number: " + std::string(text));
    return {};
  };
}

Setter text(std::string& out) {
  return [&out](std::string_view value) -> Result {
    out = value;
    return {};
  };
}

Setter seconds(std::chrono::duration<double>& out) {
  return [&out](std::string_view value) -> Result {
    double count = 0;
    if (auto read = number(count)(value); !read) return read;
    out = std::chrono::duration<double>(count);
    return {};
  };
}

Result addWatched(std::vector<Watched>& all, std::string_view value) {
  const std::size_t equals = value.find('=');
  if (equals == std::string_view::npos) return std::unexpected("not name=pid,pid: " + std::string(value));
  Watched watched{std::string(value.substr(0, equals)), {}};
  for (std::string_view rest = value.substr(equals + 1); !rest.empty();) {
    const std::string_view one = rest.substr(0, rest.find(','));
    if (auto read = number(watched.pids.emplace_back())(one); !read) return read;
    rest.remove_prefix(std::min(rest.size(), one.size() + 1));
  }
  all.push_back(std::move(watched));
  return {};
}

Result setAddress(net::Address& out, std::string_view value) {
  auto address = net::parseAddress(value);
  if (!address) return std::unexpected(address.error());
  out = *std::move(address);
  return {};
}

Result addBackend(std::vector<BackendAddress>& all, std::string_view value) {
  auto address = parseBackendAddress(value);
  if (!address) return std::unexpected(address.error());
  all.push_back(*std::move(address));
  return {};
}

struct Flags {
  std::map<std::string_view, Setter> valued;
  std::map<std::string_view, std::function<void()>> plain;
};

Flags flagsOf(LoadOptions& options) {
  const auto stream = [&options]() -> StreamOptions& { return options.streams.back(); };
  return {{{"--cpu", number(options.cpu)},
           {"--seconds", seconds(options.seconds)},
           {"--warmup", seconds(options.warmup)},
           {"--backend", [&](std::string_view value) { return addBackend(options.backends, value); }},
           {"--watch", [&](std::string_view value) { return addWatched(options.watched, value); }},
           {"--to", [=](std::string_view value) { return setAddress(stream().to, value); }},
           {"--connections", [=](std::string_view value) { return number(stream().connections)(value); }},
           {"--rate", [=](std::string_view value) { return number(stream().rate)(value); }},
           {"--requests", [=](std::string_view value) { return number(stream().limit)(value); }},
           {"--upload", [=](std::string_view value) { return number(stream().upload)(value); }},
           {"--vary", [=](std::string_view value) { return number(stream().vary)(value); }},
           {"--host", [=](std::string_view value) { return text(stream().host)(value); }},
           {"--path", [=](std::string_view value) { return text(stream().path)(value); }}},
          {{"--hold", [&] { options.hold = true; }}, {"--fresh", [=] { stream().fresh = true; }}, {"--and", [&] {
                                                                                                     options.streams.emplace_back();
                                                                                                   }}}};
}

Result complete(const LoadOptions& options) {
  for (const StreamOptions& stream : options.streams) {
    if (stream.to.port == 0) return std::unexpected("--to is needed for every stream");
    if (stream.connections < 1 || stream.vary < 1 || stream.rate < 0)
      return std::unexpected("--connections, --vary and --rate must be positive");
    if (stream.upload > Message::kMaxBody) return std::unexpected("--upload: at most 1 MiB");
  }
  return {};
}

}  // namespace

std::expected<LoadOptions, std::string> parseLoadOptions(std::span<char* const> arguments) {
  LoadOptions options;
  options.streams.emplace_back();
  const Flags flags = flagsOf(options);
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string_view name = arguments[i];
    if (const auto plain = flags.plain.find(name); plain != flags.plain.end()) {
      plain->second();
      continue;
    }
    const auto valued = flags.valued.find(name);
    if (valued == flags.valued.end()) return std::unexpected("unknown flag " + std::string(name));
    if (++i == arguments.size()) return std::unexpected(std::string(name) + " needs a value");
    if (auto set = valued->second(arguments[i]); !set) return std::unexpected(std::string(name) + ": " + set.error());
  }
  if (auto checked = complete(options); !checked) return std::unexpected(checked.error());
  return options;
}

void runOnCpu(int cpu) {
  if (cpu < 0) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<unsigned>(cpu), &set);
  if (::sched_setaffinity(0, sizeof set, &set) != 0) std::perror("sched_setaffinity");
}

void raiseFileLimit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace pilotlight::bench
