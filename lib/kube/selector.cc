#include "kube/selector.h"

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

namespace pilotlight::kube {

namespace {

std::string_view trim(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

bool wellFormed(std::string_view name) {
  return std::ranges::all_of(name, [](unsigned char c) { return std::isalnum(c) || c == '-' || c == '_' || c == '.' || c == '/'; });
}

}  // namespace

std::expected<LabelSelector, std::string> LabelSelector::parse(std::string_view text) {
  LabelSelector selector;
  text = trim(text);
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    std::string_view part = trim(text.substr(0, comma));
    text.remove_prefix(std::min(comma + 1, text.size()));

    Term term;
    if (const std::size_t equals = part.find('='); equals != std::string_view::npos) {
      const bool differs = equals > 0 && part[equals - 1] == '!';
      const bool twice = equals + 1 < part.size() && part[equals + 1] == '=';
      term = {differs ? Op::differs : Op::equals, std::string(trim(part.substr(0, equals - (differs ? 1 : 0)))),
              std::string(trim(part.substr(equals + (twice ? 2 : 1))))};
    } else if (part.starts_with('!')) {
      term = {Op::absent, std::string(trim(part.substr(1))), ""};
    } else {
      term = {Op::exists, std::string(part), ""};
    }
    if (term.label.empty() || !wellFormed(term.label) || !wellFormed(term.value)) {
      return std::unexpected("label selector: cannot read the term \"" + std::string(part) +
                             "\"; allowed: a=b, a!=b, a, !a, joined by commas");
    }
    selector.terms_.push_back(std::move(term));
  }
  return selector;
}

bool LabelSelector::matches(const Object& object) const {
  if (terms_.empty()) return true;
  const Json* labels = object.at("/metadata/labels");
  return std::ranges::all_of(terms_, [labels](const Term& term) {
    const Json* value = nullptr;
    if (labels != nullptr && labels->is_object()) {
      if (const auto found = labels->find(term.label); found != labels->end()) value = &*found;
    }
    switch (term.op) {
      case Op::equals:
        return value != nullptr && *value == term.value;
      case Op::differs:
        return value == nullptr || *value != term.value;
      case Op::exists:
        return value != nullptr;
      case Op::absent:
        return value == nullptr;
    }
    return false;
  });
}

std::expected<FieldSelector, std::string> FieldSelector::parse(std::string_view text) {
  FieldSelector selector;
  text = trim(text);
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    const std::string_view part = trim(text.substr(0, comma));
    text.remove_prefix(std::min(comma + 1, text.size()));
    const std::size_t equals = part.find('=');
    if (equals == std::string_view::npos || equals == 0 || !wellFormed(part.substr(0, equals))) {
      return std::unexpected("field selector: cannot read the term \"" + std::string(part) + "\"; allowed: a.b=c, joined by commas");
    }
    std::string pointer = "/" + std::string(part.substr(0, equals));
    std::ranges::replace(pointer, '.', '/');
    selector.terms_.push_back({std::move(pointer), std::string(part.substr(equals + 1))});
  }
  return selector;
}

bool FieldSelector::matches(const Object& object) const {
  return std::ranges::all_of(terms_, [&object](const Term& term) { return object.stringAt(term.pointer) == term.value; });
}

Object metadataOf(const Object& object) {
  Json json = Json::object();
  for (const char* field : {"apiVersion", "kind", "metadata"}) {
    if (const auto found = object.json().find(field); found != object.json().end()) json[field] = *found;
  }
  return Object(std::move(json));
}

}  // namespace pilotlight::kube
