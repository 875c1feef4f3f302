// What the runner's tests share: a folder that goes away, an in-memory cluster, waiting for a state with a deadline.
#pragma once

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "cli/local/process_runner.h"
#include "kube/memory.h"

namespace pilotlight::local::testing {

using kube::Json;
using kube::Key;
using kube::Object;

/// True as soon as `state` holds; false when it does not within the deadline.
inline bool eventually(const std::function<bool()>& state, std::chrono::milliseconds deadline = std::chrono::seconds(20)) {
  const auto end = std::chrono::steady_clock::now() + deadline;
  while (!state()) {
    if (std::chrono::steady_clock::now() >= end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

class TempDir {
 public:
  TempDir() {
    std::string pattern = std::filesystem::temp_directory_path() / "runner-test-XXXXXX";
    path = mkdtemp(pattern.data());
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  TempDir(const TempDir&) = delete;
  std::filesystem::path path;
};

inline std::string readFile(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();  // a file of /proc whose process has gone fails in the middle: its end, here
  return text.str();
}

/// Exists, and is no zombie.
inline bool processLives(pid_t pid) {
  const std::string stat = readFile("/proc/" + std::to_string(pid) + "/stat");
  const std::size_t name = stat.rfind(')');
  return name != std::string::npos && stat.size() > name + 2 && stat[name + 2] != 'Z';
}

/// A program that stands for the shim: it becomes the command that is its arguments.
inline std::string makeShim(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "shim";
  std::ofstream(path) << "#!/bin/sh\nexec \"$@\"\n";
  chmod(path.c_str(), 0755);
  return path;
}

inline const Json* conditionOf(const Object& object, const std::string& type) {
  const Json* conditions = object ? object.at("/status/conditions") : nullptr;
  if (!conditions) return nullptr;
  for (const Json& condition : *conditions)
    if (condition.value("type", "") == type) return &condition;
  return nullptr;
}

inline bool conditionIs(const Object& object, const std::string& type, const std::string& status) {
  const Json* condition = conditionOf(object, type);
  return condition && condition->value("status", "") == status;
}

/// As it must stand in a Pod's args, where $$ means $.
inline std::string escaped(std::string text) {
  for (std::size_t at = 0; (at = text.find("$$", at)) != std::string::npos; at += 4) text.insert(at, "$$");
  return text;
}

/// A Pod whose process is the shell with `script`.
inline Json podRunning(const std::string& name, const std::string& script) {
  return {{"apiVersion", "v1"},
          {"kind", "Pod"},
          {"metadata", {{"name", name}, {"namespace", "default"}, {"labels", {{"pilotlight.dev/function", "fn"}}}}},
          {"spec",
           {{"terminationGracePeriodSeconds", 30},
            {"containers", Json::array({{{"name", "function"}, {"image", "none"}, {"args", {"sh", "-c", escaped(script)}}}})}}}};
}

class RunnerTest : public ::testing::Test {
 protected:
  RunnerTest() {
    options.shimPath = makeShim(dir.path);
    options.stateDir = dir.path / "state";
    options.backoffBase = std::chrono::milliseconds(50);
    options.backoffMax = std::chrono::milliseconds(200);
    options.stopGrace = std::chrono::seconds(10);
  }
  ~RunnerTest() override {
    runner.reset();
    cluster.shutdown();
  }

  void startRunner() {
    runner = std::make_unique<ProcessRunner>(cluster, logs, options);
    const auto started = runner->start();
    ASSERT_TRUE(started) << started.error();
  }

  Object create(const kube::Resource& resource, const Json& object) {
    const auto created = cluster.create(resource, object, "test");
    EXPECT_TRUE(created) << created.error().message;
    return created.value_or(Object());
  }
  Object createPod(const Json& pod) { return create(kube::resources::pods, pod); }
  Object pod(const std::string& name) { return cluster.get(kube::resources::pods, {"default", name}).value_or(Object()); }
  bool exists(const std::string& name) { return static_cast<bool>(pod(name)); }
  bool ready(const std::string& name) { return conditionIs(pod(name), "Ready", "True"); }
  const std::string& status(const std::string& name, const std::string& pointer) {
    last_ = pod(name);
    return last_.stringAt(pointer);
  }
  std::int64_t restarts(const std::string& name) { return pod(name).intAt("/status/containerStatuses/0/restartCount", -1); }
  std::string waitingReason(const std::string& name) { return status(name, "/status/containerStatuses/0/state/waiting/reason"); }

  void putSource(const std::string& kind, const std::string& name, const Json& data) {
    const auto& resource = kind == "Secret" ? kube::resources::secrets : kube::resources::configMaps;
    const Json object = {{"apiVersion", "v1"},
                         {"kind", kind},
                         {"metadata", {{"name", name}, {"namespace", "default"}}},
                         {kind == "Secret" ? "stringData" : "data", data}};
    const auto applied = cluster.apply(resource, object, {.fieldManager = "test", .force = true});
    ASSERT_TRUE(applied) << applied.error().message;
  }

  /// All lines of the function "fn".
  std::vector<std::string> lines() const {
    std::vector<std::string> out;
    for (const auto& line : logs.read({"default", "fn"}, 0, 10000)) out.push_back(line.text);
    return out;
  }
  bool logged(const std::string& text) const {
    const auto all = lines();
    return std::find(all.begin(), all.end(), text) != all.end();
  }
  /// The number that a process wrote as "<name>=<number>"; 0 when it has not yet.
  pid_t loggedPid(const std::string& name) const {
    for (const std::string& line : lines())
      if (line.starts_with(name + "=")) return static_cast<pid_t>(std::stol(line.substr(name.size() + 1)));
    return 0;
  }
  std::filesystem::path folderOf(const Object& object) const { return std::filesystem::path(options.stateDir) / "pods" / object.uid(); }

  TempDir dir;
  kube::MemoryCluster cluster;
  LogStore logs;
  ProcessRunnerOptions options;
  std::unique_ptr<ProcessRunner> runner;

 private:
  Object last_;
};

}  // namespace pilotlight::local::testing
