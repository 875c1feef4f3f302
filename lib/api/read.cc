#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "api/codec.h"
#include "api/formats.h"
#include "api/generate.h"

namespace pilotlight::api {
namespace {

std::string inQuotes(std::string_view text) {
  constexpr std::size_t kShown = 60;
  std::string out = "\"";
  for (char c : text.substr(0, kShown)) out += static_cast<unsigned char>(c) < 0x20 ? '?' : c;
  return out + (text.size() > kShown ? "…\"" : "\"");
}

/// "must be a list (got a string)"
std::string butGot(std::string_view allowed, const Json& json) {
  std::string got(jsonTypeName(json));
  if (json.is_string()) got = inQuotes(json.get_ref<const std::string&>());
  if (json.is_boolean() || json.is_number()) got = json.dump();
  return std::string(allowed) + " (got " + got + ")";
}

std::string oneOf(std::span<const std::string_view> names) {
  if (names.size() == 1) return "must be " + std::string(names[0]);
  std::string text = "must be one of ";
  for (std::size_t i = 0; i < names.size(); ++i) text += (i == 0 ? "" : ", ") + std::string(names[i]);
  return text;
}

std::int64_t count(Duration duration) {
  return duration.count();
}
std::int64_t count(Bytes bytes) {
  return bytes.value;
}
std::int64_t count(MilliCpu cpu) {
  return cpu.value;
}

class Reader {
 public:
  Reader(Strictness strictness, FieldErrors& errors) : strict_(strictness == Strictness::strict), errors_(errors) {}

  void object(const Struct& object, const Json& json, void* out, const Path& path);

 private:
  void value(const Type& type, const Options& options, const Json& json, void* out, const Path& path);
  void list(const Type& type, const Options& options, const Json& json, void* out, const Path& path);
  void map(const Options& options, const Json& json, void* out, const Path& path);
  void string(const Options& options, const Json& json, std::string& out, const Path& path);
  void enumeration(const Type& type, const Json& json, void* out, const Path& path);
  void unknownFields(const Struct& object, const Json& json, const Path& path);
  void uniqueItems(const Options& options, const Json& json, const Path& path);
  void rules(const Struct& object, const void* value, const Path& path);
  std::int64_t integer(Kind kind, const Options& options, const Json& json, const Path& path);
  template <class Parse>
  std::int64_t quantity(Kind kind, const Options& options, const Json& json, const Path& path, bool numbers, Parse parse);
  std::int64_t inBounds(Kind kind, const Options& options, std::int64_t number, const Path& path);
  void text(const Options& options, std::string_view text, const Path& path);

  bool isObject(const Json& json, const Path& path);
  void error(const Path& path, std::string message) {
    if (errors_.size() < kMaxErrors) errors_.push_back({path.toString(), std::move(message)});
  }

  bool strict_;
  FieldErrors& errors_;
};

bool Reader::isObject(const Json& json, const Path& path) {
  if (!json.is_object()) error(path, butGot("must be an object", json));
  return json.is_object();
}

void Reader::object(const Struct& object, const Json& json, void* out, const Path& path) {
  if (!isObject(json, path)) return;
  std::size_t before = errors_.size(), known = 0;
  for (const Field& field : object.fields) {
    Path at{&path, field.name};
    auto it = json.find(field.name);
    if (it != json.end()) ++known;
    // As an API server does: null stands for "take the default", and is an error where there is none.
    bool absent = it == json.end() || (it->is_null() && (!strict_ || hasDefault(object, field)));
    if (!absent) {
      value(*field.type, field.options, *it, field.member(out), at);
    } else if (strict_ && field.options.required) {
      error(at, "required");
    }
  }
  if (!strict_) return;
  if (known != json.size()) unknownFields(object, json, path);
  if (errors_.size() == before) rules(object, out, path);
}

void Reader::unknownFields(const Struct& object, const Json& json, const Path& path) {
  std::vector<std::string_view> names;
  for (const Field& field : object.fields) names.push_back(field.name);
  for (const auto& [key, unused] : json.items()) {
    if (std::ranges::find(names, key) == names.end()) error(Path{&path, key}, unknownField(key, names));
  }
}

void Reader::rules(const Struct& object, const void* value, const Path& path) {
  for (const Rule& rule : object.rules) {
    if (!rule.check || rule.check(value)) continue;
    Path at{&path, rule.field};
    error(rule.field.empty() ? path : at, std::string(rule.message));
  }
}

void Reader::value(const Type& type, const Options& options, const Json& json, void* out, const Path& path) {
  switch (type.kind) {
    case Kind::string:
      return string(options, json, *static_cast<std::string*>(out), path);
    case Kind::boolean:
      if (!json.is_boolean()) return error(path, butGot("must be true or false", json));
      *static_cast<bool*>(out) = json.get<bool>();
      return;
    case Kind::int32:
      *static_cast<int*>(out) = static_cast<int>(integer(type.kind, options, json, path));
      return;
    case Kind::int64:
      *static_cast<std::int64_t*>(out) = integer(type.kind, options, json, path);
      return;
    case Kind::duration:
      *static_cast<Duration*>(out) = Duration(quantity(type.kind, options, json, path, false, parseDuration));
      return;
    case Kind::bytes:
      static_cast<Bytes*>(out)->value = quantity(type.kind, options, json, path, true, parseBytes);
      return;
    case Kind::cpu:
      static_cast<MilliCpu*>(out)->value = quantity(type.kind, options, json, path, true, parseCpu);
      return;
    case Kind::enumeration:
      return enumeration(type, json, out, path);
    case Kind::optional:
      type.resize(out, 1);
      return value(*type.element, options, json, type.at(out, 0), path);
    case Kind::object:
      return object(*type.object, json, out, path);
    case Kind::list:
      return list(type, options, json, out, path);
    case Kind::map:
      return map(options, json, out, path);
  }
}

void Reader::list(const Type& type, const Options& options, const Json& json, void* out, const Path& path) {
  if (!json.is_array()) return error(path, butGot("must be a list", json));
  if (strict_ && options.nonEmpty && json.empty()) return error(path, "must have at least one item");
  if (strict_ && json.size() > options.maxItems) {
    return error(path, "must have at most " + std::to_string(options.maxItems) + " items (got " + std::to_string(json.size()) + ")");
  }
  type.resize(out, json.size());
  Options item = options;
  item.nonEmpty = false;
  for (std::size_t i = 0; i < json.size(); ++i) value(*type.element, item, json[i], type.at(out, i), Path{&path, {}, Path::Step::item, i});
  if (strict_ && options.listType != ListType::atomic) uniqueItems(options, json, path);
}

void Reader::uniqueItems(const Options& options, const Json& json, const Path& path) {
  auto key = [&](const Json& item) -> const std::string* {
    if (options.listType == ListType::set) return item.get_ptr<const std::string*>();
    auto it = item.is_object() ? item.find(options.listKey) : item.end();
    return item.is_object() && it != item.end() ? it->get_ptr<const std::string*>() : nullptr;
  };
  for (std::size_t i = 0; i < json.size(); ++i) {
    const std::string* name = key(json[i]);
    for (std::size_t j = 0; name && j < i; ++j) {
      const std::string* other = key(json[j]);
      if (!other || *other != *name) continue;
      Path item{&path, {}, Path::Step::item, i}, field{&item, options.listKey};
      error(options.listKey.empty() ? item : field,
            inQuotes(*name) + " is already in item " + std::to_string(j) + ": each may be there once");
      break;
    }
  }
}

void Reader::map(const Options& options, const Json& json, void* out, const Path& path) {
  if (!isObject(json, path)) return;
  if (strict_ && json.size() > options.maxItems) return error(path, "must have at most " + std::to_string(options.maxItems) + " entries");
  for (const auto& [key, entry] : json.items()) {
    Path at{&path, key, Path::Step::key};
    // Every map of these types holds labels or annotations.
    if (strict_ && !isQualifiedName(key)) error(at, "the key must be a name such as team or example.com/team");
    string(options, entry, (*static_cast<StringMap*>(out))[key], at);
  }
}

void Reader::string(const Options& options, const Json& json, std::string& out, const Path& path) {
  const auto* string = json.get_ptr<const std::string*>();
  if (!string) {
    bool scalar = json.is_number() || json.is_boolean();
    return error(path, butGot(scalar ? "must be a string: put it in quotes" : "must be a string", json));
  }
  if (strict_) text(options, *string, path);
  out = *string;
}

void Reader::text(const Options& options, std::string_view text, const Path& path) {
  if (options.nonEmpty && text.empty()) return error(path, "must not be empty");
  if (text.size() > options.maxLength && countCharacters(text) > options.maxLength) {
    return error(path, "must have at most " + std::to_string(options.maxLength) + " characters");
  }
  if (!options.oneOf.empty() && std::ranges::find(options.oneOf, text) == options.oneOf.end()) {
    return error(path, oneOf(options.oneOf) + " (got " + inQuotes(text) + ")");
  }
  const FormatInfo& format = formatInfo(options.format);
  if (!format.check(text)) error(path, std::string(format.allowed) + " (got " + inQuotes(text) + ")");
}

void Reader::enumeration(const Type& type, const Json& json, void* out, const Path& path) {
  const auto* string = json.get_ptr<const std::string*>();
  if (!string) return error(path, butGot(oneOf(type.names), json));
  auto it = std::ranges::find(type.names, *string);
  if (it == type.names.end()) return error(path, oneOf(type.names) + " (got " + inQuotes(*string) + ")");
  type.setEnum(out, static_cast<std::size_t>(it - type.names.begin()));
}

std::int64_t Reader::inBounds(Kind kind, const Options& options, std::int64_t number, const Path& path) {
  if (!strict_ || (number >= options.min && number <= options.max)) return number;
  std::string message = options.max == kNoMax ? "must be at least " + boundText(kind, options.min)
                        : options.min == kNoMin
                            ? "must be at most " + boundText(kind, options.max)
                            : "must be between " + boundText(kind, options.min) + " and " + boundText(kind, options.max);
  error(path, message + " (got " + boundText(kind, number) + ")");
  return number;
}

std::int64_t Reader::integer(Kind kind, const Options& options, const Json& json, const Path& path) {
  if (!json.is_number_integer()) {
    error(path, butGot("must be a whole number", json));
    return 0;
  }
  bool fits = !json.is_number_unsigned() || json.get<std::uint64_t>() <= static_cast<std::uint64_t>(kNoMax);
  std::int64_t number = fits ? json.get<std::int64_t>() : kNoMax;
  if (kind == Kind::int32 && (number < std::numeric_limits<int>::min() || number > std::numeric_limits<int>::max())) fits = false;
  if (fits) return inBounds(kind, options, number, path);
  bool bounded = options.min != kNoMin && options.max != kNoMax;
  error(path, bounded ? "must be between " + boundText(kind, options.min) + " and " + boundText(kind, options.max) : "is too large");
  return 0;
}

template <class Parse>
std::int64_t Reader::quantity(Kind kind, const Options& options, const Json& json, const Path& path, bool numbers, Parse parse) {
  const auto* string = json.get_ptr<const std::string*>();
  std::string digits;
  if (!string && numbers && json.is_number_integer()) {
    digits = json.dump();
    string = &digits;
  }
  auto parsed = parse(string ? std::string_view(*string) : std::string_view());
  if (parsed) return inBounds(kind, options, count(*parsed), path);
  error(path, string ? parsed.error() + " (got " + inQuotes(*string) + ")" : butGot(parsed.error(), json));
  return 0;
}

}  // namespace

std::string Path::toString() const {
  std::string text = parent ? parent->toString() : "";
  switch (step) {
    case Step::field:
      if (name.empty()) return text;
      if (!text.empty()) text += '.';
      return text += name;
    case Step::item:
      return text + "[" + std::to_string(index) + "]";
    case Step::key:
      return text + "[" + std::string(name) + "]";
  }
  return text;
}

std::string_view jsonTypeName(const Json& json) {
  switch (json.type()) {
    case Json::value_t::null:
      return "nothing";
    case Json::value_t::object:
      return "an object";
    case Json::value_t::array:
      return "a list";
    case Json::value_t::string:
      return "a string";
    case Json::value_t::boolean:
      return "true or false";
    default:
      return "a number";
  }
}

std::string unknownField(std::string_view name, std::span<const std::string_view> known) {
  std::string message = "unknown field";
  std::string_view meant = nearest(name, known);
  if (!meant.empty()) message += "; did you mean '" + std::string(meant) + "'?";
  message += meant.empty() ? "; allowed: " : " Allowed: ";
  std::vector<std::string_view> sorted(known.begin(), known.end());
  std::ranges::sort(sorted);
  for (std::size_t i = 0; i < sorted.size(); ++i) message += (i == 0 ? "" : ", ") + std::string(sorted[i]);
  return message;
}

void readStruct(const Struct& object, const Json& json, void* out, const Path& path, Strictness strictness, FieldErrors& errors) {
  Reader(strictness, errors).object(object, json, out, path);
}

}  // namespace pilotlight::api
