#include "api/yaml_parse.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <istream>
#include <map>
#include <optional>
#include <streambuf>
#include <unordered_set>
#include <utility>

#include "api/formats.h"

namespace pilotlight::api {
namespace {

using Json = nlohmann::json;

/// Thrown through yaml-cpp, whose only way to stop is an exception; caught in parseYaml.
struct Stop {
  YamlError error;
};

[[noreturn]] void stop(int line, std::string message) {
  throw Stop{{line, std::move(message)}};
}

bool oneOf(std::string_view text, std::initializer_list<std::string_view> names) {
  return std::ranges::find(names, text) != names.end();
}

bool allDigits(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

template <class Number>
std::optional<Json> exact(std::string_view text, int base) {
  Number number{};
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return Json(number);
}

std::optional<Json> integer(std::string_view text) {
  if (text.starts_with("0x") || text.starts_with("0o")) return exact<std::uint64_t>(text.substr(2), text[1] == 'x' ? 16 : 8);
  std::string_view digits = text;
  if (digits.starts_with('+') || digits.starts_with('-')) digits.remove_prefix(1);
  if (!allDigits(digits)) return std::nullopt;
  if (text.starts_with('-')) return exact<std::int64_t>(text, 10);
  return exact<std::uint64_t>(digits, 10);
}

/// [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?
bool isFloat(std::string_view text) {
  if (text.starts_with('+') || text.starts_with('-')) text.remove_prefix(1);
  std::size_t exponent = text.find_first_of("eE");
  if (exponent != std::string_view::npos) {
    std::string_view digits = text.substr(exponent + 1);
    if (digits.starts_with('+') || digits.starts_with('-')) digits.remove_prefix(1);
    if (!allDigits(digits)) return false;
    text = text.substr(0, exponent);
  }
  std::size_t point = text.find('.');
  if (point == std::string_view::npos) return allDigits(text);
  std::string_view whole = text.substr(0, point), fraction = text.substr(point + 1);
  return whole.empty() ? allDigits(fraction) : allDigits(whole) && (fraction.empty() || allDigits(fraction));
}

/// A plain scalar by the core schema of YAML 1.2.
Json plainScalar(const std::string& text, int line) {
  if (oneOf(text, {"", "~", "null", "Null", "NULL"})) return nullptr;
  if (oneOf(text, {"true", "True", "TRUE"})) return true;
  if (oneOf(text, {"false", "False", "FALSE"})) return false;
  if (auto number = integer(text)) return *number;
  std::string_view unsignedText = text;
  if (unsignedText.starts_with('+') || unsignedText.starts_with('-')) unsignedText.remove_prefix(1);
  bool special = oneOf(unsignedText, {".inf", ".Inf", ".INF"}) || oneOf(text, {".nan", ".NaN", ".NAN"});
  if (!special && !isFloat(text)) return text;
  double number = 0;
  std::string_view digits = text.starts_with('+') ? std::string_view(text).substr(1) : text;
  if (!special) std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (special || !std::isfinite(number)) stop(line, "not a finite number: " + text);
  return number;
}

Json scalarOf(const std::string& tag, const std::string& text, int line) {
  if (tag == "?" || tag.empty()) return plainScalar(text, line);
  if (tag == "!" || tag == "tag:yaml.org,2002:str") return text;
  if (tag == "tag:yaml.org,2002:int" || tag == "tag:yaml.org,2002:float" || tag == "tag:yaml.org,2002:bool" ||
      tag == "tag:yaml.org,2002:null") {
    return plainScalar(text, line);
  }
  stop(line, "tag " + tag.substr(0, 60) + " is not supported: use plain YAML");
}

/// Builds the trees of one document from yaml-cpp's events.
class Builder : public YAML::EventHandler {
 public:
  std::optional<YamlNode> take() { return std::exchange(root_, std::nullopt); }

  void OnDocumentStart(const YAML::Mark&) override {
    anchors_.clear();
    stack_.clear();
    root_.reset();
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    YamlNode node;
    node.line = mark.line + 1;
    add(std::move(node), anchor);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    auto it = anchors_.find(anchor);
    if (it == anchors_.end()) stop(mark.line + 1, "an alias must not be inside of what it names");
    spend(it->second.nodes, it->second.bytes, mark.line + 1);
    checkDepth(stack_.size() + static_cast<std::size_t>(it->second.depth), mark.line + 1);
    YamlNode copy = it->second;
    copy.line = mark.line + 1;
    attach(std::move(copy), 0);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, const std::string& value) override {
    YamlNode node;
    node.line = mark.line + 1;
    // A key stays as it is written, but null cannot be one.
    bool key = !stack_.empty() && stack_.back().node.type == YamlNode::Type::map && !stack_.back().key;
    if (!isUtf8(value)) stop(node.line, "not valid UTF-8");
    node.scalar = scalarOf(tag, value, node.line);
    if (key && !node.scalar.is_null()) node.scalar = value;
    node.bytes = value.size();
    merge_ = key && tag == "?" && value == "<<";
    add(std::move(node), anchor);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
    open(YamlNode::Type::sequence, mark, anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
    open(YamlNode::Type::map, mark, anchor);
  }
  void OnMapEnd() override { close(); }

 private:
  struct Key {
    std::string text;
    int line = 0;
    bool merge = false;
  };
  struct Open {
    YamlNode node;
    YAML::anchor_t anchor = 0;
    std::optional<Key> key = std::nullopt;              ///< of the entry whose value comes next
    std::unordered_set<std::string> seen = {};          ///< keys written in this map itself
    std::vector<std::pair<int, YamlNode>> merges = {};  ///< what "<<" names, with its line
  };

  void spend(std::size_t nodes, std::size_t bytes, int line) {
    nodes_ += nodes;
    bytes_ += bytes;
    if (nodes_ > kMaxYamlNodes)
      stop(line, "the file has more than " + std::to_string(kMaxYamlNodes) + " values once its aliases are resolved");
    if (bytes_ > kMaxExpandedBytes) stop(line, "the file has more than 4 MiB once its aliases are resolved");
  }

  static void checkDepth(std::size_t depth, int line) {
    if (depth > kMaxYamlDepth) stop(line, "nested deeper than " + std::to_string(kMaxYamlDepth) + " levels");
  }

  void add(YamlNode node, YAML::anchor_t anchor) {
    spend(1, node.bytes, node.line);
    attach(std::move(node), anchor);
  }

  void open(YamlNode::Type type, const YAML::Mark& mark, YAML::anchor_t anchor) {
    int line = mark.line + 1;
    checkDepth(stack_.size() + 1, line);
    if (!stack_.empty() && stack_.back().node.type == YamlNode::Type::map && !stack_.back().key) stop(line, "a key must be a string");
    spend(1, 0, line);
    stack_.push_back({});
    stack_.back().node.type = type;
    stack_.back().node.line = line;
    stack_.back().anchor = anchor;
  }

  void close() {
    Open done = std::move(stack_.back());
    stack_.pop_back();
    for (const auto& [line, source] : done.merges) mergeInto(done, source, line);
    attach(std::move(done.node), done.anchor);
  }

  void attach(YamlNode node, YAML::anchor_t anchor) {
    if (anchor != 0) {
      // The anchored copy counts too: it is memory as well.
      spend(node.nodes, node.bytes, node.line);
      anchors_.insert_or_assign(anchor, node);
    }
    if (stack_.empty()) {
      root_ = std::move(node);
      return;
    }
    Open& parent = stack_.back();
    if (parent.node.type == YamlNode::Type::sequence) return append(parent.node, std::move(node));
    if (!parent.key) return takeKey(parent, node);
    Key key = *std::exchange(parent.key, std::nullopt);
    if (key.merge) {
      parent.merges.emplace_back(key.line, std::move(node));
      return;
    }
    node.line = key.line;
    put(parent.node, std::move(key.text), std::move(node));
  }

  void takeKey(Open& parent, const YamlNode& node) {
    if (node.type != YamlNode::Type::scalar || !node.scalar.is_string()) stop(node.line, "a key must be a string");
    const auto& text = node.scalar.get_ref<const std::string&>();
    bool merge = std::exchange(merge_, false);
    if (!merge && !parent.seen.insert(text).second) stop(node.line, "the key \"" + text.substr(0, 60) + "\" is there twice");
    parent.key = Key{text, node.line, merge};
  }

  static void append(YamlNode& list, YamlNode node) {
    list.nodes += node.nodes;
    list.bytes += node.bytes;
    list.depth = std::max(list.depth, node.depth + 1);
    list.items.push_back(std::move(node));
  }

  static void put(YamlNode& map, std::string key, YamlNode node) {
    map.nodes += node.nodes;
    map.bytes += node.bytes + key.size();
    map.depth = std::max(map.depth, node.depth + 1);
    map.entries.push_back({std::move(key), std::move(node)});
  }

  /// "<<": what is written in the map itself wins, then the earlier of the merged maps.
  void mergeInto(Open& target, const YamlNode& source, int line) {
    if (source.type == YamlNode::Type::sequence) {
      for (const YamlNode& item : source.items) {
        if (item.type != YamlNode::Type::map) stop(line, "<< takes a map or a list of maps");
        mergeInto(target, item, line);
      }
      return;
    }
    if (source.type != YamlNode::Type::map) stop(line, "<< takes a map or a list of maps");
    for (const auto& [key, node] : source.entries) {
      if (!target.seen.insert(key).second) continue;
      spend(node.nodes, node.bytes + key.size(), line);
      put(target.node, key, node);
    }
  }

  std::vector<Open> stack_;
  std::map<YAML::anchor_t, YamlNode> anchors_;
  std::optional<YamlNode> root_;
  bool merge_ = false;     ///< the scalar being attached is a plain "<<" key
  std::size_t nodes_ = 0;  ///< of the whole file
  std::size_t bytes_ = 0;
};

/// Reads a string_view without copying it.
class ViewBuffer : public std::streambuf {
 public:
  explicit ViewBuffer(std::string_view text) {
    char* start = const_cast<char*>(text.data());
    setg(start, start, start + text.size());
  }
};

std::optional<YamlError> checkText(std::string_view text) {
  if (text.size() > kMaxYamlBytes) return YamlError{0, "the file is larger than 1 MiB"};
  auto binary = std::ranges::find_if(
      text, [](char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7F; });
  auto lines = [&](auto end) { return 1 + static_cast<int>(std::count(text.begin(), end, '\n')); };
  if (binary != text.end()) return YamlError{lines(binary), "not a YAML text: it has control characters"};
  if (!isUtf8(text)) return YamlError{0, "not valid UTF-8"};
  return std::nullopt;
}

std::vector<YamlNode> parseDocuments(std::string_view text) {
  ViewBuffer buffer(text);
  std::istream stream(&buffer);
  YAML::Parser parser(stream);
  Builder builder;
  std::vector<YamlNode> documents;
  while (parser.HandleNextDocument(builder)) {
    auto root = builder.take();
    bool empty = !root || (root->type == YamlNode::Type::scalar && root->scalar.is_null());
    if (empty) continue;
    if (documents.size() == kMaxDocuments) stop(root->line, "more than " + std::to_string(kMaxDocuments) + " documents");
    documents.push_back(std::move(*root));
  }
  return documents;
}

}  // namespace

const YamlNode* YamlNode::find(std::string_view key) const {
  auto it = std::ranges::find(entries, key, [](const YamlEntry& entry) { return std::string_view(entry.key); });
  return it == entries.end() ? nullptr : &it->value;
}

std::expected<std::vector<YamlNode>, YamlError> parseYaml(std::string_view text) {
  if (auto error = checkText(text)) return std::unexpected(*error);
  try {
    return parseDocuments(text);
  } catch (Stop& stopped) {
    return std::unexpected(std::move(stopped.error));
  } catch (const YAML::Exception& error) {
    return std::unexpected(YamlError{error.mark.line + 1, "not valid YAML: " + error.msg});
  } catch (const std::exception& error) {
    return std::unexpected(YamlError{0, std::string("not valid YAML: ") + error.what()});
  }
}

nlohmann::json toJson(const YamlNode& node) {
  if (node.type == YamlNode::Type::scalar) return node.scalar;
  Json json = node.type == YamlNode::Type::map ? Json::object() : Json::array();
  for (const YamlNode& item : node.items) json.push_back(toJson(item));
  for (const auto& [key, value] : node.entries) json.emplace(key, toJson(value));
  return json;
}

int lineOf(const YamlNode& root, std::string_view path) {
  const YamlNode* node = &root;
  while (!path.empty()) {
    bool bracket = path.starts_with('[');
    if (bracket || path.starts_with('.')) path.remove_prefix(1);
    std::size_t end = bracket ? path.find(']') : path.find_first_of(".[");
    std::string_view step = path.substr(0, end);
    path.remove_prefix(std::min(path.size(), step.size() + (bracket ? 1 : 0)));
    const YamlNode* next = nullptr;
    if (bracket && node->type == YamlNode::Type::sequence) {
      std::size_t index = 0;
      std::from_chars(step.data(), step.data() + step.size(), index);
      if (index < node->items.size()) next = &node->items[index];
    } else {
      next = node->find(step);
    }
    if (!next) break;
    node = next;
  }
  return node->line;
}

}  // namespace pilotlight::api
