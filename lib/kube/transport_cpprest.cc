// Transport on cpprestsdk. What to know about the library, all of it kept inside this file:
// - its global thread pool defaults to 40 threads: it is made small before the first use;
// - its timeout is an idle timeout and belongs to the client: a stream gets a client of its own with its own value;
// - a request on a pooled connection that died may be sent again without a word: requests that are not idempotent
//   get a fresh connection;
// - .get() inside a continuation starves the pool: waiting happens on the caller's thread only;
// - an exception nobody looks at aborts the process: every task is waited for or has a continuation that catches.
// - its headers hold a unique_ptr of an incomplete class inline, which C++23's constexpr unique_ptr no longer allows: hence
//   the deleter below, declared before them and defined after; and they define a macro named U.
#define _TURN_OFF_PLATFORM_STRING

#include <memory>

namespace web::json::details {
class _Value;
}
template <>
struct std::default_delete<web::json::details::_Value> {
  default_delete() = default;
  template <class Derived>
  default_delete(const default_delete<Derived>&) noexcept {}  // NOLINT(google-explicit-constructor): a conversion, as the standard asks
  void operator()(web::json::details::_Value* value) const;
};

#include <cpprest/containerstream.h>
#include <cpprest/http_client.h>
#include <cpprest/producerconsumerstream.h>
#include <fmt/format.h>
#include <pplx/threadpool.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <utility>

#include "kube/transport.h"

#if __has_feature(address_sanitizer)
// A process may end while the library's threads still tidy up after its last request; what they hold then is no leak.
extern "C" const char* __lsan_default_suppressions() {
  return "leak:libcpprest\n";
}
#endif

inline void std::default_delete<web::json::details::_Value>::operator()(web::json::details::_Value* value) const {
  delete value;
}

namespace pilotlight::kube {

namespace {

namespace http = web::http;
using http::client::http_client;
using http::client::http_client_config;

constexpr std::size_t kPoolThreads = 4;
constexpr std::size_t kReadSize = 64 * 1024;

void initializePoolOnce() {
  static std::once_flag once;
  std::call_once(once, [] {
    try {
      crossplat::threadpool::initialize_with_threads(kPoolThreads);
    } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch)
      // Someone else has initialised it: nothing to do.
    }
  });
}

Error failed(const HttpRequest& request, const std::exception& error) {
  const auto* known = dynamic_cast<const http::http_exception*>(&error);
  const bool timedOut = known != nullptr && known->error_code() == std::errc::timed_out;
  return Error{timedOut ? ErrorCode::timeout : ErrorCode::unavailable,
               fmt::format("{} {}: {}", request.method, request.target, error.what())};
}

HttpResponse headOf(const http::http_response& response) {
  HttpResponse head;
  head.status = response.status_code();
  head.reason = response.reason_phrase();
  for (const auto& [name, value] : response.headers()) head.headers.emplace_back(name, value);
  return head;
}

/// Reads the body with one pending read at a time; the library's threads put what they read into `state`.
class CpprestBody final : public BodyStream {
  using Buffer = concurrency::streams::streambuf<std::uint8_t>;

 public:
  CpprestBody(const http_client& client, const concurrency::streams::istream& body, pplx::cancellation_token_source cancel,
              std::string what)
      : client_(client), cancel_(std::move(cancel)), what_(std::move(what)), buffer_(body.streambuf()), state_(std::make_shared<State>()) {
    readOn(state_, buffer_);
  }

  ~CpprestBody() override { cancel(); }

  Result<std::optional<std::string>> next(std::chrono::milliseconds wait) override {
    std::unique_lock lock(state_->mutex);
    state_->changed.wait_for(lock, wait, [&] { return state_->ready || state_->cancelled; });
    if (state_->cancelled) return std::unexpected(Error{ErrorCode::cancelled, what_ + ": cancelled"});
    if (!state_->ready) return std::optional<std::string>{};
    if (!state_->error.empty()) {
      const auto code = state_->timedOut ? ErrorCode::timeout : ErrorCode::unavailable;
      return std::unexpected(Error{code, fmt::format("{}: {}", what_, state_->error)});
    }
    if (state_->data.empty()) return std::optional<std::string>(std::string());  // the end, also when asked again
    std::string data = std::exchange(state_->data, {});
    state_->ready = false;
    lock.unlock();
    readOn(state_, buffer_);  // only now: the reader sets the pace
    return std::optional<std::string>(std::move(data));
  }

  void cancel() override {
    {
      const std::lock_guard lock(state_->mutex);
      state_->cancelled = true;
    }
    state_->changed.notify_all();
    cancel_.cancel();
  }

 private:
  struct State {
    std::mutex mutex;
    std::condition_variable changed;
    std::string data;  // guarded by mutex, as all below
    std::string error;
    bool timedOut = false;
    bool ready = false;  // data is there; without data: the end or an error
    bool cancelled = false;
  };

  /// Waits for one byte, then takes whatever came with it: the library's bulk read would wait until the buffer is full.
  static void readOn(const std::shared_ptr<State>& state, Buffer buffer) {
    buffer.bumpc().then([state, buffer](const pplx::task<Buffer::int_type>& task) mutable {
      try {
        finish(*state, take(task.get(), buffer), "", false);
      } catch (const http::http_exception& error) {
        finish(*state, "", error.what(), error.error_code() == std::errc::timed_out);
      } catch (const std::exception& error) {
        finish(*state, "", error.what(), false);
      }
    });
  }

  static std::string take(Buffer::int_type first, Buffer& buffer) {
    if (first == Buffer::traits::eof()) return "";
    std::string part(1, static_cast<char>(first));
    const std::size_t available = std::min(buffer.in_avail(), kReadSize);
    part.resize(1 + available);
    if (available > 0) part.resize(1 + std::min(available, buffer.scopy(reinterpret_cast<std::uint8_t*>(part.data() + 1), available)));
    for (std::size_t i = 1; i < part.size(); ++i) buffer.sbumpc();
    return part;
  }

  static void finish(State& state, std::string data, const char* error, bool timedOut) {
    {
      const std::lock_guard lock(state.mutex);
      state.data = std::move(data);
      state.error = error;
      state.timedOut = timedOut;
      state.ready = true;
    }
    state.changed.notify_all();
  }

  http_client client_;  // must live as long as its response
  pplx::cancellation_token_source cancel_;
  const std::string what_;
  const Buffer buffer_;
  const std::shared_ptr<State> state_;
};

class CpprestTransport final : public Transport {
 public:
  explicit CpprestTransport(const TransportOptions& options)
      : options_(options), shared_(options.baseUrl, config(std::chrono::seconds(30))) {}

  Result<HttpResponse> send(const HttpRequest& request) override {
    try {
      const bool pooled = request.method != "POST" && request.idleTimeout == std::chrono::seconds(30);
      http_client client = pooled ? shared_ : http_client(options_.baseUrl, config(request.idleTimeout));
      const auto response = client.request(message(request)).get();
      HttpResponse answer = headOf(response);
      auto body = response.extract_vector().get();
      if (body.size() > options_.maxResponseBytes) {
        return std::unexpected(Error{ErrorCode::unavailable, fmt::format("{} {}: answer too large", request.method, request.target)});
      }
      answer.body.assign(body.begin(), body.end());
      return answer;
    } catch (const std::exception& error) {
      return std::unexpected(failed(request, error));
    }
  }

  Result<StreamedResponse> stream(const HttpRequest& request) override {
    try {
      http_client client(options_.baseUrl, config(request.idleTimeout));
      pplx::cancellation_token_source cancel;
      const auto response = client.request(message(request), cancel.get_token()).get();
      auto body = std::make_unique<CpprestBody>(client, response.body(), cancel, request.method + " " + request.target);
      return StreamedResponse{headOf(response), std::move(body)};
    } catch (const std::exception& error) {
      return std::unexpected(failed(request, error));
    }
  }

 private:
  static http_client_config config(std::chrono::milliseconds idleTimeout) {
    http_client_config config;
    config.set_timeout(std::chrono::duration_cast<std::chrono::microseconds>(idleTimeout));
    return config;
  }

  http::http_request message(const HttpRequest& request) const {
    http::http_request message(request.method);
    message.set_request_uri(web::uri(request.target));
    if (!request.contentType.empty()) message.set_body(request.body, request.contentType);
    for (const auto& [name, value] : request.headers) message.headers().add(name, value);
    if (!options_.bearerToken.empty()) message.headers().add("Authorization", "Bearer " + options_.bearerToken);
    return message;
  }

  const TransportOptions options_;
  http_client shared_;
};

}  // namespace

std::expected<std::unique_ptr<Transport>, Error> makeTransport(const TransportOptions& options) {
  initializePoolOnce();
  try {
    return std::make_unique<CpprestTransport>(options);
  } catch (const std::exception& error) {
    return std::unexpected(Error{ErrorCode::badRequest, fmt::format("connect to {}: {}", options.baseUrl, error.what())});
  }
}

}  // namespace pilotlight::kube
