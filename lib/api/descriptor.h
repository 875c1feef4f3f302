// What a table says about a type, without templates: readers, writers and generators walk these descriptors.
// tables.h builds them at compile time from the structs of types.h; tables.cc hands them out (see kinds.h).
// Thread-safety: immutable constants.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>

namespace pilotlight::api {

enum class Kind { string, boolean, int32, int64, duration, bytes, cpu, enumeration, optional, object, list, map };

/// The grammar of a string (or of a list's items, or a map's values). See formats.h for the check, pattern and wording.
enum class Format { any, text, dnsLabel, subdomain, host, envName, absolutePath, urlPath, localPath, routePath, method, image, labelValue };

/// x-kubernetes-list-type. A map is keyed by `Options::listKey`; set and map items are unique.
enum class ListType { atomic, set, map };

inline constexpr std::int64_t kNoMin = std::numeric_limits<std::int64_t>::min();
inline constexpr std::int64_t kNoMax = std::numeric_limits<std::int64_t>::max();

/// Bounds of a field. Numbers are in the unit of memory: milliseconds, bytes, thousandths of a CPU.
struct Options {
  bool required = false;
  bool nonEmpty = false;   ///< a string of at least one character, a list of at least one item
  bool omitEmpty = false;  ///< a zero or false that is not written
  std::int64_t min = kNoMin;
  std::int64_t max = kNoMax;
  std::uint32_t maxLength = 1024;  ///< characters of a string, of a list's string items, of a map's values
  std::uint32_t maxItems = 64;     ///< of a list or a map
  Format format = Format::any;
  std::span<const std::string_view> oneOf = {};  ///< a string that takes only these values
  ListType listType = ListType::atomic;
  std::string_view listKey = {};
};

struct Struct;

struct Type {
  Kind kind = Kind::string;
  const Struct* object = nullptr;                ///< Kind::object
  const Type* element = nullptr;                 ///< Kind::list, Kind::optional
  std::span<const std::string_view> names = {};  ///< Kind::enumeration, in the order of the values
  std::size_t (*size)(const void*) = nullptr;    ///< list: items; optional: 0 or 1
  void (*resize)(void*, std::size_t) = nullptr;
  void* (*at)(void*, std::size_t) = nullptr;
  std::size_t (*enumIndex)(const void*) = nullptr;
  void (*setEnum)(void*, std::size_t) = nullptr;
};

struct Field {
  std::string_view name;  ///< on the wire
  std::string_view doc;   ///< one sentence
  const Type* type = nullptr;
  Options options;
  void* (*member)(void* object) = nullptr;

  const void* in(const void* object) const { return member(const_cast<void*>(object)); }
};

/// A condition over several fields: `cel` for the API server and the same as code. A null `check` means a rule about a
/// change (it uses oldSelf), which only the API server can judge.
struct Rule {
  std::string_view cel;
  std::string_view message;  ///< says what to write instead
  std::string_view field;    ///< the member to blame; may be empty
  bool (*check)(const void* object) = nullptr;
};

struct Struct {
  std::string_view name;
  std::string_view doc;
  std::span<const Field> fields;
  std::span<const Rule> rules;
  const void* (*defaults)() = nullptr;  ///< a default-constructed object
};

/// "" / {} / [] / unset; an object is empty when all of its fields are. Numbers, booleans, enums are never empty.
bool isEmpty(const Type& type, const void* value);

/// Whether an absent field takes a value that is worth writing down.
inline bool hasDefault(const Struct& object, const Field& field) {
  return !field.options.required && !isEmpty(*field.type, field.in(object.defaults()));
}

}  // namespace pilotlight::api
