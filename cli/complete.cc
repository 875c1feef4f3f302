#include <algorithm>
#include <ostream>

#include "cli/commands.h"
#include "cli/printers.h"

namespace pilotlight::cli {

namespace {

/// Options whose value is the next word, and what the API is asked with.
std::string* valueOf(Context& context, const std::string& word) {
  if (word == "-n" || word == "--namespace") return &context.namespace_;
  if (word == "--context") return &context.kubeContext;
  if (word == "--kubeconfig") return &context.kubeconfig;
  return nullptr;
}

std::vector<std::string> namesOf(Context& context, const kube::Resource& resource, const std::string& before) {
  auto connection = connect(context);
  if (!connection) return {};
  const auto list = connection->client->list(resource, {.namespace_ = connection->namespace_});
  std::vector<std::string> names;
  if (!list) return names;
  for (const auto& object : list->items) names.push_back(before + object.name());
  return names;
}

std::vector<std::string> types() {
  std::vector<std::string> all;
  const std::string words = resourceWords();  // "functions, pods"
  for (std::size_t at = 0; at < words.size();) {
    const auto end = std::min(words.find(", ", at), words.size());
    all.push_back(words.substr(at, end - at));
    at = end + 2;
  }
  return all;
}

/// `words`: without options; the last one is being typed.
std::vector<std::string> candidates(Context& context, const std::vector<std::string>& words, const std::vector<std::string>& commands) {
  if (words.size() <= 1) return commands;
  const std::string& command = words.front();
  if (command == "logs" || command == "invoke") return namesOf(context, kube::resources::functions, "");
  if (command != "get" && command != "describe" && command != "delete" && command != "scale") return {};
  const auto slash = words.back().find('/');
  const auto* resource = resourceByWord(words.size() > 2 ? words[1] : words.back().substr(0, slash));
  if (words.size() == 2 && slash == std::string::npos) return types();
  if (resource == nullptr) return {};
  return namesOf(context, *resource, words.size() == 2 ? words.back().substr(0, slash + 1) : "");
}

}  // namespace

int complete(Context& context, const std::vector<std::string>& typed, const std::vector<std::string>& commands) {
  std::vector<std::string> words;
  const std::string last = typed.empty() ? "" : typed.back();
  for (std::size_t i = 0; i + 1 < typed.size(); ++i) {
    if (std::string* value = valueOf(context, typed[i])) {
      if (i + 2 < typed.size()) *value = typed[++i];
    } else if ((typed[i] == "-f" || typed[i] == "--filename") && typed.front() != "logs") {
      if (i + 2 == typed.size()) {  // a file's name: the shell's matter
        context.out << ":0\n";
        return 0;
      }
      ++i;
    } else if (!typed[i].starts_with('-')) {
      words.push_back(typed[i]);
    }
  }
  words.push_back(last);
  for (const auto& candidate : candidates(context, words, commands)) {
    if (candidate.starts_with(last)) context.out << candidate << "\n";
  }
  context.out << ":4\n";
  return 0;
}

}  // namespace pilotlight::cli
