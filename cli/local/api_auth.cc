#include <arpa/inet.h>
#include <fmt/format.h>
#include <sys/random.h>

#include <array>
#include <cstdlib>

#include "cli/local/api_server.h"
#include "net/http1.h"

namespace pilotlight::local {

std::string randomToken() {
  std::array<unsigned char, 32> bytes{};
  // Up to 256 bytes come whole once the kernel's generator is seeded.
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) std::abort();
  std::string text;
  for (const auto byte : bytes) text += fmt::format("{:02x}", byte);
  return text;
}

namespace {

std::string base64(std::string_view bytes) {
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const auto byte = [&](std::size_t k) { return i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0U; };
    const unsigned group = byte(0) << 16 | byte(1) << 8 | byte(2);
    text += kAlphabet[group >> 18 & 63];
    text += kAlphabet[group >> 12 & 63];
    text += i + 1 < bytes.size() ? kAlphabet[group >> 6 & 63] : '=';
    text += i + 2 < bytes.size() ? kAlphabet[group & 63] : '=';
  }
  return text;
}

bool matches(std::string_view authorization, std::string_view scheme, std::string_view secret) {
  if (authorization.size() != scheme.size() + secret.size()) return false;
  if (!net::equalsIgnoreCase(authorization.substr(0, scheme.size()), scheme)) return false;
  unsigned difference = 0;
  for (std::size_t i = 0; i < secret.size(); ++i) {
    difference |= static_cast<unsigned char>(secret[i]) ^ static_cast<unsigned char>(authorization[scheme.size() + i]);
  }
  return difference == 0;
}

}  // namespace

bool authorized(std::string_view authorization, std::string_view token) {
  if (token.empty()) return false;
  return matches(authorization, "Bearer ", token) || matches(authorization, "Basic ", base64("pilotlight:" + std::string(token)));
}

bool hostAllowed(std::string_view host) {
  std::string name;
  if (host.starts_with('[')) {
    name = host.substr(1, host.find(']') == std::string_view::npos ? 0 : host.find(']') - 1);
    in6_addr address{};
    return ::inet_pton(AF_INET6, name.c_str(), &address) == 1;
  }
  name = host.substr(0, host.find(':'));
  in_addr address{};
  return net::equalsIgnoreCase(name, "localhost") || ::inet_pton(AF_INET, name.c_str(), &address) == 1;
}

}  // namespace pilotlight::local
