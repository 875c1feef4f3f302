// What `get` shows of each resource: one place for the CLI's tables and the API server's Table answers.
// Pure, but for the clock that the caller passes.
#pragma once

#include <chrono>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "kube/types.h"

namespace pilotlight::cli {

struct Column {
  std::string name;   ///< "Ready"; the CLI prints it in capitals
  bool wide = false;  ///< only with -o wide
};

using Now = std::chrono::system_clock::time_point;

/// The first column is the name, the last but the wide ones the age.
const std::vector<Column>& columnsOf(const kube::Resource& resource);
/// As many cells as columns; "" where the object has nothing.
std::vector<std::string> cellsOf(const kube::Resource& resource, const kube::Object& object, Now now);

/// meta.k8s.io/v1 Table, with the objects' metadata in its rows.
nlohmann::json toTable(const kube::Resource& resource, const std::vector<kube::Object>& objects, const std::string& resourceVersion);

/// "fn", "functions", "pod", "deploy", … -> the resource; nullptr when unknown.
const kube::Resource* resourceByWord(const std::string& word);
/// Every word that resourceByWord() knows in its plural form, for messages.
std::string resourceWords();
/// "function.pilotlight.dev/hello", "pod/hello-1": how kubectl names an object in a message. `quoted`: function.pilotlight.dev "hello".
std::string nameOf(const kube::Resource& resource, const std::string& name, bool quoted = false);

}  // namespace pilotlight::cli
