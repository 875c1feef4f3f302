// Pilotlight: native functions in C++17 and up. Header-only over function.h.
//
//     #include <pilotlight/function.hpp>
//
//     PILOTLIGHT_HANDLER(handle) {                                  // `request` is a const pilotlight::Request&
//       return pilotlight::Response::text("hello " + std::string(request.param("name")) + "\n");
//     }
//
// Build:  c++ -std=c++17 -shared -fPIC -O2 -fvisibility=hidden -static-libstdc++ -static-libgcc hello.cc -o libhello.so
//         (-static-libstdc++ spares the loader about a millisecond of every cold start)
//
// An exception that leaves a handler becomes a 500 and a log line; one that leaves PILOTLIGHT_INIT keeps the replica from becoming ready.
// Handlers run on several threads at once; see function.h for lifetimes and limits.
#pragma once

#include <pilotlight/function.h>

#include <cstdint>
#include <exception>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pilotlight {

namespace detail {
inline std::string_view view(pilotlight_str text) {
  return text.data ? std::string_view(text.data, text.size) : std::string_view();
}
}  // namespace detail

enum class Level { debug = PILOTLIGHT_DEBUG, info = PILOTLIGHT_INFO, warn = PILOTLIGHT_WARN, error = PILOTLIGHT_ERROR };

/// Request::body() has nothing to give: it is larger than the function takes, or the client went away. A handler need not catch
/// it: the client gets a 413.
struct NoBody : std::exception {
  const char* what() const noexcept override { return "the body is larger than this function takes, or the client went away"; }
};

/// One request. All views live until the handler returns.
class Request {
 public:
  explicit Request(const pilotlight_request* raw) : raw_(raw) {}

  std::string_view method() const { return detail::view(raw_->api->method(raw_)); }
  std::string_view path() const { return detail::view(raw_->api->path(raw_)); }
  std::string_view query() const { return detail::view(raw_->api->query(raw_)); }
  std::string_view id() const { return detail::view(raw_->api->request_id(raw_)); }
  /// Empty when absent.
  std::string_view header(std::string_view name) const { return detail::view(raw_->api->header(raw_, name.data(), name.size())); }
  std::string_view param(std::string_view name) const { return detail::view(raw_->api->param(raw_, name.data(), name.size())); }
  std::vector<std::pair<std::string_view, std::string_view>> headers() const {
    std::vector<std::pair<std::string_view, std::string_view>> all;
    pilotlight_str name, value;
    for (std::size_t i = 0; raw_->api->header_at(raw_, i, &name, &value) == 0; ++i) {
      all.emplace_back(detail::view(name), detail::view(value));
    }
    return all;
  }
  /// A value of the query string, percent-decoded; empty when absent.
  std::string queryValue(std::string_view name) const;
  /// The whole body, at most 64 MiB, or what the shim's setting nativeBody says. Throws NoBody.
  std::string_view body() const {
    const pilotlight_str whole = raw_->api->body(raw_);
    if (!whole.data) throw NoBody();
    return detail::view(whole);
  }
  /// The next bytes of a body of any size; 0 at the end, -1 when the client is gone or the deadline passed.
  std::int64_t read(char* buffer, std::size_t capacity) const { return raw_->api->read(raw_, buffer, capacity); }
  std::int64_t deadlineMillis() const { return raw_->api->deadline_ms(raw_); }
  bool cancelled() const { return raw_->api->cancelled(raw_) != 0; }
  void log(Level level, std::string_view message) const {
    raw_->api->log(raw_, static_cast<pilotlight_level>(level), message.data(), message.size());
  }

 private:
  const pilotlight_request* raw_;
};

struct Response {
  int status = 200;
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;

  static Response text(std::string body, int status = 200) {
    return {status, std::move(body), {{"content-type", "text/plain; charset=utf-8"}}};
  }
  static Response json(std::string body, int status = 200) { return {status, std::move(body), {{"content-type", "application/json"}}}; }
  Response& header(std::string name, std::string value) {
    headers.emplace_back(std::move(name), std::move(value));
    return *this;
  }
};

/// The answer of a PILOTLIGHT_STREAM_HANDLER, sent in pieces.
class Writer {
 public:
  explicit Writer(pilotlight_response* raw) : raw_(raw) {}
  void status(int status) { raw_->api->set_status(raw_, status); }
  void header(std::string_view name, std::string_view value) {
    raw_->api->add_header(raw_, name.data(), name.size(), value.data(), value.size(), 0);
  }
  /// Sends a piece, waiting while the client is slower. False: nobody waits any more.
  bool write(std::string_view piece) { return raw_->api->append(raw_, piece.data(), piece.size()) == 0 && raw_->api->flush(raw_) == 0; }

 private:
  pilotlight_response* raw_;
};

/// What PILOTLIGHT_INIT, PILOTLIGHT_SHUTDOWN and PILOTLIGHT_CHANGED get, as `context`.
class Context {
 public:
  explicit Context(const pilotlight_context* raw) : raw_(raw) {}
  std::string_view function() const { return detail::view(raw_->api->function_name(raw_)); }
  std::string_view version() const { return detail::view(raw_->api->function_version(raw_)); }
  void log(Level level, std::string_view message) const {
    raw_->api->context_log(raw_, static_cast<pilotlight_level>(level), message.data(), message.size());
  }

 private:
  const pilotlight_context* raw_;
};

namespace detail {

inline int hexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

inline std::string percentDecoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && hexDigit(text[i + 1]) >= 0 && hexDigit(text[i + 2]) >= 0) {
      out += static_cast<char>(hexDigit(text[i + 1]) * 16 + hexDigit(text[i + 2]));
      i += 2;
    } else {
      out += text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

// Runs `body`; what it throws is logged and becomes a failure.
template <class Body, class Log>
int guarded(Body body, Log log) {
  try {
    return body();
  } catch (const NoBody&) {
    return 1;  // the client's doing
  } catch (const std::exception& error) {
    log(std::string("exception: ") + error.what());
  } catch (...) {
    log(std::string("exception of a type that is not a std::exception"));
  }
  return 1;
}

inline void answer(pilotlight_response* raw, const Response& response) {
  const pilotlight_api* api = raw->api;
  api->set_status(raw, response.status);
  for (const auto& field : response.headers) {
    api->add_header(raw, field.first.data(), field.first.size(), field.second.data(), field.second.size(), 0);
  }
  api->set_body(raw, response.body.data(), response.body.size());
}

inline int run(Response (*handler)(const Request&), const pilotlight_request* rawRequest, pilotlight_response* rawResponse) {
  Request request(rawRequest);
  return guarded(
      [&] {
        answer(rawResponse, handler(request));
        return 0;
      },
      [&](const std::string& message) { request.log(Level::error, message); });
}

inline int runStream(void (*handler)(const Request&, Writer&), const pilotlight_request* rawRequest, pilotlight_response* rawResponse) {
  Request request(rawRequest);
  Writer writer(rawResponse);
  return guarded(
      [&] {
        handler(request, writer);
        return 0;
      },
      [&](const std::string& message) { request.log(Level::error, message); });
}

inline int runHook(void (*hook)(const Context&), const pilotlight_context* raw) {
  Context context(raw);
  return guarded(
      [&] {
        hook(context);
        return 0;
      },
      [&](const std::string& message) { context.log(Level::error, message); });
}

}  // namespace detail

inline std::string Request::queryValue(std::string_view name) const {
  std::string_view rest = query();
  while (!rest.empty()) {
    std::string_view pair = rest.substr(0, rest.find('&'));
    rest.remove_prefix(pair.size() == rest.size() ? pair.size() : pair.size() + 1);
    std::size_t equals = pair.find('=');
    if (detail::percentDecoded(pair.substr(0, equals)) != name) continue;
    return equals == std::string_view::npos ? std::string() : detail::percentDecoded(pair.substr(equals + 1));
  }
  return {};
}

}  // namespace pilotlight

/// A handler that returns its Response: PILOTLIGHT_HANDLER(handle) { return …; }
#define PILOTLIGHT_HANDLER(symbol)                                                                                  \
  static ::pilotlight::Response pilotlightHandler_##symbol(const ::pilotlight::Request& request);                   \
  extern "C" PILOTLIGHT_EXPORT int symbol(const pilotlight_request* rawRequest, pilotlight_response* rawResponse) { \
    return ::pilotlight::detail::run(&pilotlightHandler_##symbol, rawRequest, rawResponse);                         \
  }                                                                                                                 \
  static ::pilotlight::Response pilotlightHandler_##symbol([[maybe_unused]] const ::pilotlight::Request& request)

/// A handler that streams: PILOTLIGHT_STREAM_HANDLER(handle) { writer.write("…"); }
#define PILOTLIGHT_STREAM_HANDLER(symbol)                                                                           \
  static void pilotlightHandler_##symbol(const ::pilotlight::Request& request, ::pilotlight::Writer& writer);       \
  extern "C" PILOTLIGHT_EXPORT int symbol(const pilotlight_request* rawRequest, pilotlight_response* rawResponse) { \
    return ::pilotlight::detail::runStream(&pilotlightHandler_##symbol, rawRequest, rawResponse);                   \
  }                                                                                                                 \
  static void pilotlightHandler_##symbol([[maybe_unused]] const ::pilotlight::Request& request,                     \
                                         [[maybe_unused]] ::pilotlight::Writer& writer)

/// Runs once before the replica is ready: PILOTLIGHT_INIT { context.log(…); }
#define PILOTLIGHT_INIT                                                             \
  static void pilotlightInitHook(const ::pilotlight::Context& context);             \
  extern "C" PILOTLIGHT_EXPORT int pilotlight_init(const pilotlight_context* raw) { \
    return ::pilotlight::detail::runHook(&pilotlightInitHook, raw);                 \
  }                                                                                 \
  static void pilotlightInitHook([[maybe_unused]] const ::pilotlight::Context& context)

/// Runs once after the last request: PILOTLIGHT_SHUTDOWN { … }
#define PILOTLIGHT_SHUTDOWN                                                              \
  static void pilotlightShutdownHook(const ::pilotlight::Context& context);              \
  extern "C" PILOTLIGHT_EXPORT void pilotlight_shutdown(const pilotlight_context* raw) { \
    ::pilotlight::detail::runHook(&pilotlightShutdownHook, raw);                         \
  }                                                                                      \
  static void pilotlightShutdownHook([[maybe_unused]] const ::pilotlight::Context& context)

/// Runs after files of a Secret or ConfigMap with `onChange: signal` were replaced, while requests go on: PILOTLIGHT_CHANGED { … }
#define PILOTLIGHT_CHANGED                                                              \
  static void pilotlightChangedHook(const ::pilotlight::Context& context);              \
  extern "C" PILOTLIGHT_EXPORT void pilotlight_changed(const pilotlight_context* raw) { \
    ::pilotlight::detail::runHook(&pilotlightChangedHook, raw);                         \
  }                                                                                     \
  static void pilotlightChangedHook([[maybe_unused]] const ::pilotlight::Context& context)
