// A table of the settings of a program: one row per field of an options struct gives its reading from a file or a variable, its
// bounds, and its line in docs/settings.md. Like tables.h for resources, but with numbers only and no dependencies: the static
// shim includes it.
// Thread-safety: immutable constants.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace pilotlight::api {

enum class SettingKind : std::uint8_t { duration, bytes, count, flag };

/// Values are numbers: milliseconds, bytes, a count, or 0 and 1. kNotSet: an optional field that has no value.
struct Setting {
  std::string_view name;  ///< in the file
  std::string_view doc;   ///< one sentence
  SettingKind kind;
  std::int64_t low, high;
  std::int64_t (*get)(const void* options);
  void (*set)(void* options, std::int64_t value);
};
inline constexpr std::int64_t kNotSet = -1;

struct SettingsTable {
  std::string_view section;  ///< of the file
  std::string_view doc;
  std::span<const Setting> rows;
  const void* (*defaults)();  ///< a default-constructed options struct
};

namespace detail {

template <class Object, class Member>
Object classOf(Member Object::*);

template <auto First, auto... Rest>
struct Access {
  using Options = decltype(classOf(First));
  static auto& of(Options& options) { return ((options.*First).*....*Rest); }
  using Field = std::remove_reference_t<decltype(of(std::declval<Options&>()))>;

  static std::int64_t get(const void* options) {
    const Field& field = of(*const_cast<Options*>(static_cast<const Options*>(options)));
    if constexpr (std::is_same_v<Field, std::chrono::milliseconds>)
      return field.count();
    else if constexpr (std::is_same_v<Field, std::optional<std::uint64_t>>)
      return field ? static_cast<std::int64_t>(*field) : kNotSet;
    else
      return static_cast<std::int64_t>(field);
  }
  static void set(void* options, std::int64_t value) {
    Field& field = of(*static_cast<Options*>(options));
    if constexpr (std::is_same_v<Field, std::chrono::milliseconds>)
      field = std::chrono::milliseconds(value);
    else if constexpr (std::is_same_v<Field, std::optional<std::uint64_t>>)
      field = static_cast<std::uint64_t>(value);
    else
      field = static_cast<Field>(value);
  }
};

}  // namespace detail

/// Rows. `Path`: the members that lead to the field, `durationRow<&Options::server, &ServerOptions::headTimeout>(…)`.
template <auto... Path>
constexpr Setting durationRow(std::string_view name, std::string_view doc, std::chrono::milliseconds low, std::chrono::milliseconds high) {
  using Access = detail::Access<Path...>;
  static_assert(std::is_same_v<typename Access::Field, std::chrono::milliseconds>);
  return {name, doc, SettingKind::duration, low.count(), high.count(), Access::get, Access::set};
}
template <auto... Path>
constexpr Setting bytesRow(std::string_view name, std::string_view doc, std::int64_t low, std::int64_t high) {
  return {name, doc, SettingKind::bytes, low, high, detail::Access<Path...>::get, detail::Access<Path...>::set};
}
template <auto... Path>
constexpr Setting countRow(std::string_view name, std::string_view doc, std::int64_t low, std::int64_t high) {
  return {name, doc, SettingKind::count, low, high, detail::Access<Path...>::get, detail::Access<Path...>::set};
}
template <auto... Path>
constexpr Setting flagRow(std::string_view name, std::string_view doc) {
  static_assert(std::is_same_v<typename detail::Access<Path...>::Field, bool>);
  return {name, doc, SettingKind::flag, 0, 1, detail::Access<Path...>::get, detail::Access<Path...>::set};
}

/// "killTime" -> "PILOTLIGHT_KILL_TIME_MS": where a number of this setting stands in the environment of a shim.
inline std::string variableOf(const Setting& setting) {
  std::string name = "PILOTLIGHT_";
  for (const char c : setting.name) {
    const bool upper = c >= 'A' && c <= 'Z';
    if (upper) name += '_';
    name += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  }
  if (setting.kind == SettingKind::duration) name += "_MS";
  return name;
}

}  // namespace pilotlight::api
