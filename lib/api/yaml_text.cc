#include "api/yaml_text.h"

#include <algorithm>

namespace pilotlight::api {
namespace {

using OrderedJson = nlohmann::ordered_json;

/// Plain only when no YAML reader could take it for anything but this string.
bool isPlain(const std::string& text) {
  auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  auto inner = [&](char c) { return letter(c) || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' || c == '/'; };
  if (text.empty() || !letter(text.front()) || !std::ranges::all_of(text, inner)) return false;
  for (const char* word : {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}) {
    auto same = [](char a, char b) { return (a | 0x20) == b; };
    if (std::ranges::equal(text, std::string_view(word), same)) return false;
  }
  return true;
}

std::string scalar(const OrderedJson& json) {
  if (!json.is_string()) return json.dump();
  const auto& text = json.get_ref<const std::string&>();
  if (isPlain(text)) return text;
  std::string quoted = "'";
  for (char c : text) quoted += c == '\'' ? std::string("''") : std::string(1, c);
  return quoted + "'";
}

void write(const OrderedJson& json, std::size_t indent, std::string& out);

/// After "key:" or "-": on the same line what fits there, else below.
void writeBelow(const OrderedJson& json, std::size_t indent, std::string& out) {
  if (json.is_structured() && !json.empty()) {
    out += '\n';
    return write(json, indent, out);
  }
  out += ' ' + (json.is_structured() ? json.dump() : scalar(json)) + '\n';
}

void write(const OrderedJson& json, std::size_t indent, std::string& out) {
  const std::string margin(indent, ' ');
  if (json.is_array()) {
    for (const OrderedJson& item : json) {
      std::string text;
      if (item.is_object() && !item.empty()) {
        write(item, indent + 2, text);
        text.replace(0, indent + 2, margin + "- ");
      } else {
        text = margin + "-";
        writeBelow(item, indent + 2, text);
      }
      out += text;
    }
    return;
  }
  for (const auto& [key, value] : json.items()) {
    out += margin + scalar(key) + ":";
    writeBelow(value, indent + 2, out);
  }
}

}  // namespace

std::string toYaml(const OrderedJson& json) {
  std::string out;
  write(json, 0, out);
  return out;
}

}  // namespace pilotlight::api
