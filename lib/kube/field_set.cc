#include "kube/field_set.h"

#include <cstdint>
#include <nlohmann/json.hpp>

namespace pilotlight::kube {

namespace {

void putNumber(std::string& out, std::size_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>((value & 0x7f) | 0x80);
  out += static_cast<char>(value);
}

std::size_t takeNumber(std::string_view& in) {
  std::size_t value = 0;
  for (int shift = 0; !in.empty(); shift += 7) {
    const auto byte = static_cast<std::uint8_t>(in.front());
    in.remove_prefix(1);
    value |= static_cast<std::size_t>(byte & 0x7f) << shift;
    if (byte < 0x80) break;
  }
  return value;
}

/// A node: (number of children, member) in one number, then each child's element and node.
void packNode(const FieldSet& set, std::string& out) {
  putNumber(out, set.children.size() * 2 + (set.member ? 1 : 0));
  for (const auto& [element, child] : set.children) {
    putNumber(out, element.size());
    out += element;
    packNode(child, out);
  }
}

FieldSet unpackNode(std::string_view& in) {
  FieldSet set;
  const std::size_t head = takeNumber(in);
  set.member = (head & 1) != 0;
  for (std::size_t left = head / 2; left > 0; --left) {
    const std::size_t size = takeNumber(in);
    std::string element(in.substr(0, size));
    in.remove_prefix(size);
    set.children.emplace_hint(set.children.end(), std::move(element), unpackNode(in));
  }
  return set;
}

std::string printed(const std::string& element) {
  if (element.starts_with("f:")) return "." + element.substr(2);
  if (element.starts_with("v:")) return "[=" + element.substr(2) + "]";
  std::string out;
  const auto keys = nlohmann::json::parse(element.substr(2), nullptr, false);
  for (const auto& [name, value] : keys.items()) {
    out += (out.empty() ? "[" : ",") + name + "=" + value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  }
  return out + "]";
}

void collect(const FieldSet& set, const std::string& path, std::vector<std::string>& out) {
  if (set.member) out.push_back(path);
  for (const auto& [element, child] : set.children) collect(child, path + printed(element), out);
}

}  // namespace

const FieldSet* FieldSet::child(std::string_view element) const {
  const auto found = children.find(element);
  return found == children.end() ? nullptr : &found->second;
}

void FieldSet::add(const FieldSet& other) {
  member = member || other.member;
  for (const auto& [element, child] : other.children) children[element].add(child);
}

void FieldSet::subtract(const FieldSet& other) {
  member = member && !other.member;
  for (const auto& [element, child] : other.children) {
    const auto found = children.find(element);
    if (found == children.end()) continue;
    found->second.subtract(child);
    if (found->second.empty()) children.erase(found);
  }
}

FieldSet FieldSet::intersect(const FieldSet& other) const {
  FieldSet both;
  both.member = member && other.member;
  for (const auto& [element, mine] : children) {
    const FieldSet* theirs = other.child(element);
    if (theirs == nullptr) continue;
    FieldSet common = mine.intersect(*theirs);
    if (!common.empty()) both.children.emplace(element, std::move(common));
  }
  return both;
}

std::vector<std::string> FieldSet::paths() const {
  std::vector<std::string> out;
  collect(*this, "", out);
  return out;
}

std::string FieldSet::pack() const {
  std::string out;
  packNode(*this, out);
  out.shrink_to_fit();
  return out;
}

FieldSet FieldSet::unpack(std::string_view packed) {
  return unpackNode(packed);
}

}  // namespace pilotlight::kube
