#include "kube/yaml.h"

#include <yaml-cpp/yaml.h>

#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>

namespace pilotlight::kube {

using Json = nlohmann::json;

namespace {

constexpr int kMaxDepth = 64;
constexpr int kMaxNodes = 200'000;

template <class Number>
std::optional<Number> number(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

Json plainScalar(const std::string& text) {
  if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL") return nullptr;
  if (text == "true" || text == "True" || text == "TRUE") return true;
  if (text == "false" || text == "False" || text == "FALSE") return false;
  const std::string_view digits = text.front() == '+' ? std::string_view(text).substr(1) : std::string_view(text);
  if (const auto integer = number<std::int64_t>(digits)) return *integer;
  const bool numeric = digits.find_first_not_of("0123456789.eE+-") == std::string_view::npos;
  if (const auto real = number<double>(digits); numeric && real) return *real;
  return text;
}

class Reader {
 public:
  Json read(const YAML::Node& node, int depth) {
    if (++nodes_ > kMaxNodes || depth > kMaxDepth) throw std::runtime_error("too large or too deeply nested");
    switch (node.Type()) {
      case YAML::NodeType::Sequence: {
        Json array = Json::array();
        for (const auto& item : node) array.push_back(read(item, depth + 1));
        return array;
      }
      case YAML::NodeType::Map: {
        Json object = Json::object();
        for (const auto& entry : node) object[entry.first.as<std::string>()] = read(entry.second, depth + 1);
        return object;
      }
      case YAML::NodeType::Scalar:
        return node.Tag() == "!" || node.Tag() == "tag:yaml.org,2002:str" ? Json(node.Scalar()) : plainScalar(node.Scalar());
      default:
        return nullptr;
    }
  }

 private:
  int nodes_ = 0;
};

/// Would a reader (YAML 1.1 ones included) take the plain text for something other than this string?
bool needsQuotes(const std::string& text) {
  static constexpr std::string_view kWords[] = {"y",  "Y",  "n",  "N",  "yes", "Yes", "YES", "no",
                                                "No", "NO", "on", "On", "ON",  "off", "Off", "OFF"};
  if (!plainScalar(text).is_string()) return true;
  for (const auto word : kWords) {
    if (text == word) return true;
  }
  // Times, sexagesimals, hexadecimals and versions: whatever begins like a number.
  return (text[0] >= '0' && text[0] <= '9') || text[0] == '.' || text[0] == '=' || text[0] == '-' || text[0] == '+';
}

void emit(YAML::Emitter& out, const Json& json) {
  if (json.is_object()) {
    if (json.empty()) out << YAML::Flow;
    out << YAML::BeginMap;
    for (const auto& [key, value] : json.items()) {
      out << YAML::Key;
      emit(out, Json(key));
      out << YAML::Value;
      emit(out, value);
    }
    out << YAML::EndMap;
  } else if (json.is_array()) {
    if (json.empty()) out << YAML::Flow;
    out << YAML::BeginSeq;
    for (const auto& item : json) emit(out, item);
    out << YAML::EndSeq;
  } else if (json.is_string()) {
    const auto& text = json.get_ref<const std::string&>();
    if (text.find('\n') != std::string::npos && text.find('\r') == std::string::npos) {
      out << YAML::Literal << text;
    } else if (needsQuotes(text)) {
      out << YAML::DoubleQuoted << text;
    } else {
      out << text;
    }
  } else if (json.is_null()) {
    out << YAML::Null;
  } else {
    out << json.dump();
  }
}

}  // namespace

std::expected<Json, std::string> yamlToJson(std::string_view text) {
  try {
    return Reader().read(YAML::Load(std::string(text)), 0);
  } catch (const std::exception& error) {
    return std::unexpected(std::string(error.what()));
  }
}

std::string jsonToYaml(const Json& json) {
  YAML::Emitter out;
  emit(out, json);
  return std::string(out.c_str()) + "\n";
}

}  // namespace pilotlight::kube
