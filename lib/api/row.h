// The words that tables.h is written in: row<&S::member>(name, doc, options), rule<S, check>(cel, message, field), and
// what turns a struct with a table into a descriptor. A struct whose table misses a member, or names one twice, fails to compile.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "api/descriptor.h"
#include "api/types.h"

namespace pilotlight::api {

/// Specialised per struct: `doc`, `rows` (std::array of Field) and, where there are any, `rules` (std::array of Rule).
template <class S>
struct Table;
/// Specialised per enum: the names on the wire, in the order of the values.
template <class E>
struct EnumNames;

/// How many members an aggregate has: the longest {}-list that initialises it.
template <class S>
consteval std::size_t memberCount() {
  static_assert(std::is_aggregate_v<S>);
  static_assert(!requires { S{{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}}; }, "add lines for more than 16 members");
  if constexpr (requires { S{{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}}; }) return 16;
  if constexpr (requires { S{{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}}; }) return 15;
  if constexpr (requires { S{{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}}; }) return 14;
  if constexpr (requires { S{{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}}; }) return 13;
  if constexpr (requires { S{{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}}; }) return 12;
  if constexpr (requires { S{{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}}; }) return 11;
  if constexpr (requires { S{{}, {}, {}, {}, {}, {}, {}, {}, {}, {}}; }) return 10;
  if constexpr (requires { S{{}, {}, {}, {}, {}, {}, {}, {}, {}}; }) return 9;
  if constexpr (requires { S{{}, {}, {}, {}, {}, {}, {}, {}}; }) return 8;
  if constexpr (requires { S{{}, {}, {}, {}, {}, {}, {}}; }) return 7;
  if constexpr (requires { S{{}, {}, {}, {}, {}, {}}; }) return 6;
  if constexpr (requires { S{{}, {}, {}, {}, {}}; }) return 5;
  if constexpr (requires { S{{}, {}, {}, {}}; }) return 4;
  if constexpr (requires { S{{}, {}, {}}; }) return 3;
  if constexpr (requires { S{{}, {}}; }) return 2;
  return 1;
}

consteval bool membersDistinct(std::span<const Field> rows) {
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (rows[i].member == rows[j].member || rows[i].name == rows[j].name) return false;
    }
  }
  return true;
}

template <class S>
const void* defaultsOf() {
  static const S value{};
  return &value;
}

template <class S>
consteval std::span<const Rule> rulesOf() {
  if constexpr (requires { Table<S>::rules; }) return Table<S>::rules;
  return {};
}

template <class S>
struct Described {
  static_assert(Table<S>::rows.size() == memberCount<S>(), "every member of the struct needs exactly one row in its table");
  static_assert(membersDistinct(Table<S>::rows), "two rows name the same member");
  static constexpr Struct value{Table<S>::name, Table<S>::doc, Table<S>::rows, rulesOf<S>(), &defaultsOf<S>};
};

template <class T>
struct ElementOf {
  using type = void;
};
template <class T>
struct ElementOf<std::vector<T>> {
  using type = T;
};
template <class T>
struct ElementOf<std::optional<T>> {
  using type = T;
};

template <class T>
consteval Type makeType();
template <class T>
inline constexpr Type kType = makeType<T>();

template <class V>
consteval Type listType() {
  return {.kind = Kind::list,
          .element = &kType<typename V::value_type>,
          .size = [](const void* list) { return static_cast<const V*>(list)->size(); },
          .resize = [](void* list, std::size_t size) { static_cast<V*>(list)->resize(size); },
          .at = [](void* list, std::size_t i) -> void* { return &(*static_cast<V*>(list))[i]; }};
}

template <class O>
consteval Type optionalType() {
  return {.kind = Kind::optional,
          .element = &kType<typename O::value_type>,
          .size = [](const void* value) -> std::size_t { return static_cast<const O*>(value)->has_value() ? 1 : 0; },
          .resize = [](void* value,
                       std::size_t size) { size == 0 ? static_cast<O*>(value)->reset() : void(static_cast<O*>(value)->emplace()); },
          .at = [](void* value, std::size_t) -> void* { return &**static_cast<O*>(value); }};
}

template <class E>
consteval Type enumType() {
  return {.kind = Kind::enumeration,
          .names = EnumNames<E>::value,
          .enumIndex = [](const void* value) { return static_cast<std::size_t>(*static_cast<const E*>(value)); },
          .setEnum = [](void* value, std::size_t index) { *static_cast<E*>(value) = static_cast<E>(index); }};
}

template <class T>
consteval Type makeType() {
  using Element = typename ElementOf<T>::type;
  if constexpr (std::is_same_v<T, std::string>)
    return {.kind = Kind::string};
  else if constexpr (std::is_same_v<T, bool>)
    return {.kind = Kind::boolean};
  else if constexpr (std::is_same_v<T, int>)
    return {.kind = Kind::int32};
  else if constexpr (std::is_same_v<T, std::int64_t>)
    return {.kind = Kind::int64};
  else if constexpr (std::is_same_v<T, Duration>)
    return {.kind = Kind::duration};
  else if constexpr (std::is_same_v<T, Bytes>)
    return {.kind = Kind::bytes};
  else if constexpr (std::is_same_v<T, MilliCpu>)
    return {.kind = Kind::cpu};
  else if constexpr (std::is_same_v<T, StringMap>)
    return {.kind = Kind::map};
  else if constexpr (std::is_same_v<T, std::vector<Element>>)
    return listType<T>();
  else if constexpr (std::is_same_v<T, std::optional<Element>>)
    return optionalType<T>();
  else if constexpr (std::is_enum_v<T>)
    return enumType<T>();
  else
    return {.kind = Kind::object, .object = &Described<T>::value};
}

template <auto Member>
struct MemberOf;
template <class S, class M, M S::* Member>
struct MemberOf<Member> {
  using type = M;
  static void* get(void* object) { return &(static_cast<S*>(object)->*Member); }
};

template <auto Member>
consteval Field row(std::string_view name, std::string_view doc, Options options = {}) {
  return {name, doc, &kType<typename MemberOf<Member>::type>, options, &MemberOf<Member>::get};
}

template <class S, auto Check>
consteval Rule rule(std::string_view cel, std::string_view message, std::string_view field = {}) {
  return {cel, message, field, [](const void* object) -> bool { return Check(*static_cast<const S*>(object)); }};
}

/// A rule about a change: only the API server sees the object before it.
consteval Rule changeRule(std::string_view cel, std::string_view message) {
  return {cel, message, {}, nullptr};
}

}  // namespace pilotlight::api
