#include "core/load_line.h"

#include <nlohmann/json.hpp>

namespace pilotlight::core {

namespace {

using Json = nlohmann::json;
using Time = std::chrono::steady_clock::time_point;
constexpr std::int64_t kNever = -1;

Json write(const FunctionLoad& load, Time now) {
  const std::int64_t idle =
      load.lastActive == Time{} ? kNever : std::chrono::duration_cast<std::chrono::milliseconds>(now - load.lastActive).count();
  return {{"namespace", load.namespace_},
          {"name", load.name},
          {"inFlight", load.inFlight},
          {"queued", load.queued},
          {"concurrencyMillis", load.concurrencyMillis},
          {"requests", load.requests},
          {"idleMillis", std::max(idle, kNever)}};
}

const std::string* textAt(const Json& json, const char* name) {
  const auto it = json.find(name);
  return it == json.end() ? nullptr : it->get_ptr<const std::string*>();
}

/// A number that is not below `least`.
template <class Number>
bool take(const Json& json, const char* name, std::int64_t least, Number& into) {
  const auto it = json.find(name);
  if (it == json.end() || !it->is_number_integer() || it->is_number_unsigned() == (it->get<std::int64_t>() < 0)) return false;
  const auto value = it->get<std::int64_t>();
  if (value < least || value > std::numeric_limits<Number>::max()) return false;
  into = static_cast<Number>(value);
  return true;
}

bool readId(const Json& json, std::string& namespace_, std::string& name) {
  if (!json.is_object()) return false;
  const auto* space = textAt(json, "namespace");
  const auto* own = textAt(json, "name");
  if (space == nullptr || own == nullptr || space->empty() || own->empty()) return false;
  namespace_ = *space;
  name = *own;
  return true;
}

bool readLoad(const Json& json, Time now, FunctionLoad& load) {
  std::int64_t idle = kNever;
  if (!readId(json, load.namespace_, load.name) || !take(json, "inFlight", 0, load.inFlight) || !take(json, "queued", 0, load.queued) ||
      !take(json, "concurrencyMillis", 0, load.concurrencyMillis) || !take(json, "requests", 0, load.requests) ||
      !take(json, "idleMillis", kNever, idle))
    return false;
  load.at = now;
  constexpr std::int64_t kLong = std::chrono::milliseconds(std::chrono::years(10)).count();
  if (idle != kNever) load.lastActive = now - std::chrono::milliseconds(std::min(idle, kLong));
  return true;
}

const Json* listAt(const Json& json, const char* name) {
  const auto it = json.find(name);
  return it == json.end() || !it->is_array() ? nullptr : &*it;
}

}  // namespace

std::string writeLoadLine(const LoadLine& line, Time now) {
  Json json{{"gateway", line.gateway}, {"instance", line.instance}, {"complete", line.complete}, {"loads", Json::array()}};
  for (const auto& load : line.loads) json["loads"].push_back(write(load, now));
  for (const auto& id : line.gone) json["gone"].push_back({{"namespace", id.namespace_}, {"name", id.name}});
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::expected<LoadLine, std::string> readLoadLine(std::string_view text, Time now) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return std::unexpected("not a JSON object");
  LoadLine line;
  const auto* gateway = textAt(json, "gateway");
  const auto* instance = textAt(json, "instance");
  const auto complete = json.find("complete");
  if (gateway == nullptr || instance == nullptr || instance->empty()) return std::unexpected("gateway or instance is missing");
  if (complete == json.end() || !complete->is_boolean()) return std::unexpected("complete is missing");
  line.gateway = *gateway;
  line.instance = *instance;
  line.complete = complete->get<bool>();
  const Json* loads = listAt(json, "loads");
  if (loads == nullptr) return std::unexpected("loads is missing");
  for (const auto& each : *loads)
    if (!readLoad(each, now, line.loads.emplace_back()))
      return std::unexpected("loads: " + each.dump(-1, ' ', true, Json::error_handler_t::replace));
  if (const Json* gone = listAt(json, "gone"))
    for (const auto& each : *gone)
      if (auto& id = line.gone.emplace_back(); !readId(each, id.namespace_, id.name))
        return std::unexpected("gone: a namespace or name is missing");
  return line;
}

}  // namespace pilotlight::core
