#include "gateway/registration.h"

#include <nlohmann/json.hpp>

namespace pilotlight::gateway {

namespace {

using nlohmann::json;
using std::chrono::microseconds;

constexpr microseconds kMostAge = std::chrono::hours(24 * 365);

std::string textAt(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::optional<std::uint64_t> numberAt(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_number_unsigned() ? std::optional(found->get<std::uint64_t>()) : std::nullopt;
}

std::optional<microseconds> ageAt(const json& object, const char* name) {
  const auto number = numberAt(object, name);
  if (!number || *number > static_cast<std::uint64_t>(kMostAge.count())) return std::nullopt;
  return microseconds(static_cast<std::int64_t>(*number));
}

std::vector<std::string> split(const std::string& list) {
  std::vector<std::string> parts;
  for (std::size_t from = 0; from < list.size();) {
    const std::size_t end = std::min(list.find(',', from), list.size());
    if (end > from) parts.push_back(list.substr(from, end - from));
    from = end + 1;
  }
  return parts;
}

/// All but the address' ip.
std::expected<Registration, std::string> read(const json& object) {
  if (!object.is_object()) return std::unexpected("the body is no JSON object");
  Registration registration{.namespace_ = textAt(object, "namespace"),
                            .function = textAt(object, "function"),
                            .pod = textAt(object, "pod"),
                            .uid = textAt(object, "uid"),
                            .podIps = split(textAt(object, "ips")),
                            .begun = ageAt(object, "begunUs"),
                            .listening = ageAt(object, "listeningUs")};
  const auto port = numberAt(object, "port");
  if (registration.namespace_.empty() || registration.pod.empty() || registration.uid.empty() || port.value_or(0) == 0 || *port > 65535)
    return std::unexpected("namespace, pod, uid and port are needed");
  registration.address.port = static_cast<std::uint16_t>(*port);
  return registration;
}

}  // namespace

std::expected<Registration, std::string> readRegistration(std::string_view body, const std::string& peerIp) {
  auto registration = read(json::parse(body, nullptr, false));
  if (registration) registration->address.ip = peerIp;
  return registration;
}

std::string writePassedOn(const Registration& registration, microseconds elapsed) {
  json object{
      {"namespace", registration.namespace_}, {"function", registration.function}, {"pod", registration.pod}, {"uid", registration.uid},
      {"port", registration.address.port},    {"ip", registration.address.ip}};
  if (registration.begun) object["begunUs"] = (*registration.begun + elapsed).count();
  if (registration.listening) object["listeningUs"] = (*registration.listening + elapsed).count();
  return object.dump();
}

std::expected<Registration, std::string> readPassedOn(std::string_view body) {
  const json object = json::parse(body, nullptr, false);
  auto registration = read(object);
  if (!registration) return registration;
  registration->address.ip = textAt(object, "ip");
  if (registration->address.ip.empty()) return std::unexpected("ip is needed");
  return registration;
}

}  // namespace pilotlight::gateway
