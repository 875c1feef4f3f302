// Transport on cpprestsdk. What to know about the library, all of it kept inside this file:
// - its global thread pool defaults to 40 threads: it is made small before the first use;
// - its timeout is an idle timeout and belongs to the client: a stream gets a client of its own with its own value, and
//   deadlines are kept here, by cancelling;
// - a request on a pooled connection that died is sent again without a word. A write must not be: its body is a stream
//   that cannot be rewound, which makes the library report the dead connection instead; and a connection that the server
//   closed while it was idle is found out before anything is written to it;
// - .get() inside a continuation starves the pool: only tasks that are done are asked there, and waiting happens on the
//   caller's thread;
// - an exception nobody looks at aborts the process: every task has a continuation that catches;
// - what arrives is buffered without a bound: whole answers get one by the progress handler, which may throw, and streams
//   by a buffer of our own;
// - redirects are followed, and would take the token with them: switched off;
// - errors tell little: what is certainly unsent is known by the library's fixed messages, and why a certificate was
//   refused by a callback of our own.
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

#include <cpprest/http_client.h>
#include <cpprest/producerconsumerstream.h>
#include <fmt/format.h>
#include <pplx/threadpool.h>

#include <sys/socket.h>

#include <algorithm>
#include <array>
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
namespace ssl = boost::asio::ssl;
using boost::asio::ip::tcp;
using http::client::http_client;
using http::client::http_client_config;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kPoolThreads = 4;
constexpr std::size_t kReadSize = 64 * 1024;
/// Pooled connections found dead in a row before the request is given up.
constexpr int kMaxStale = 64;

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

struct StaleConnection final : std::exception {
  const char* what() const noexcept override { return "the idle connection was closed by the server"; }
};

/// Idle, it has nothing to say: bytes are a farewell (TLS close_notify), and no bytes are the end.
void refuseStale(const tcp::socket& socket) {
  if (!socket.is_open()) return;  // new: not connected yet
  char byte = 0;
  const auto got = ::recv(const_cast<tcp::socket&>(socket).native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  if (got >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK)) throw StaleConnection();
}

bool isRead(const HttpRequest& request) {
  return request.method == "GET" || request.method == "HEAD";
}

/// The library's messages for what happens before a whole request is on its way.
bool certainlyUnsent(std::string_view what) {
  static constexpr std::array kBefore{"Failed to connect", "Error resolving", "Failed to resolve", "Error in SSL",
                                      "Failed to write request headers"};
  return std::ranges::any_of(kBefore, [&](std::string_view before) { return what.starts_with(before); });
}

struct Failure {
  Error error;
  bool stale = false;  ///< nothing was sent, and another connection may do
};

Failure failed(const HttpRequest& request, const std::exception_ptr& thrown, TlsVerdict& verdict) {
  const auto error = [&](ErrorCode code, std::string_view why) {
    return Error{code, fmt::format("{} {}: {}", request.method, request.target, why)};
  };
  const auto undecided = isRead(request) ? ErrorCode::unavailable : ErrorCode::timeout;
  try {
    std::rethrow_exception(thrown);
  } catch (const StaleConnection& stale) {
    return {error(ErrorCode::unavailable, stale.what()), true};
  } catch (const http::http_exception& known) {
    const std::string_view what = known.what();
    std::string why(what);
    if (what.starts_with("Error in SSL")) {
      const std::string reason = verdict.take();
      why = "TLS handshake: " + (reason.empty() ? std::string("the server refused it or is no TLS server") : reason);
    }
    // The library may pool a connection that it never opened: after "cannot rewind", it drops the one it took for the repetition.
    if (certainlyUnsent(what)) return {error(ErrorCode::unavailable, why), what.starts_with("Failed to write request headers")};
    if (known.error_code() == std::errc::timed_out) return {error(ErrorCode::timeout, why)};
    return {error(undecided, why)};
  } catch (const std::exception& other) {
    return {error(undecided, other.what())};
  }
}

HttpResponse headOf(const http::http_response& response) {
  HttpResponse head;
  head.status = response.status_code();
  head.reason = response.reason_phrase();
  for (const auto& [name, value] : response.headers()) head.headers.emplace_back(name, value);
  return head;
}

/// Where callers wait for the library's threads, which share it: they may finish after the wait is over.
struct Board {
  std::mutex mutex;
  std::condition_variable changed;
  bool stopped = false;  // guarded by mutex
};

template <class T>
struct Slot {  // guarded by the board's mutex
  std::optional<T> value;
  std::exception_ptr error;
  bool done = false;
};

template <class T>
std::shared_ptr<Slot<T>> post(const std::shared_ptr<Board>& board, const pplx::task<T>& task) {
  auto slot = std::make_shared<Slot<T>>();
  task.then([board, slot](const pplx::task<T>& done) {
    std::optional<T> value;
    std::exception_ptr error;
    try {
      value = done.get();
    } catch (...) {
      error = std::current_exception();
    }
    {
      const std::lock_guard lock(board->mutex);
      slot->value = std::move(value);
      slot->error = error;
      slot->done = true;
    }
    board->changed.notify_all();
  });
  return slot;
}

/// The library's own buffer for what is read as it comes, with the bound that it lacks: what does not fit is acknowledged
/// when the reader has caught up, and until then the library reads no more from the connection.
class BoundedBuffer final : public concurrency::streams::details::basic_producer_consumer_buffer<std::uint8_t> {
 public:
  explicit BoundedBuffer(std::size_t limit) : basic_producer_consumer_buffer(kReadSize), limit_(limit) {}

  void taken(std::size_t bytes) {
    std::unique_lock lock(mutex_);
    waiting_ -= std::min(waiting_, bytes);
    if (waiting_ <= limit_) acknowledge(lock);
  }
  /// Nobody reads any more: what comes is let through, so that the library finds out that its connection is closed.
  void abandon() {
    std::unique_lock lock(mutex_);
    abandoned_ = true;
    acknowledge(lock);
  }

 protected:
  pplx::task<std::size_t> _putn(const std::uint8_t* data, std::size_t count) override {
    auto put = basic_producer_consumer_buffer::_putn(data, count);
    const std::lock_guard lock(mutex_);
    waiting_ += count;
    if (waiting_ <= limit_ || abandoned_) return put;
    late_.emplace();
    const pplx::task<void> caughtUp(*late_);
    return caughtUp.then([count] { return count; });
  }

 private:
  void acknowledge(std::unique_lock<std::mutex>& lock) {
    const auto late = std::exchange(late_, std::nullopt);
    lock.unlock();
    if (late) late->set();
  }
  const std::size_t limit_;
  std::mutex mutex_;
  std::size_t waiting_ = 0;  // guarded by mutex_, as the next two
  std::optional<pplx::task_completion_event<void>> late_;
  bool abandoned_ = false;
};

/// Reads the body with one pending read at a time; the library's threads put what they read into `state`.
class CpprestBody final : public BodyStream {
  using Buffer = concurrency::streams::streambuf<std::uint8_t>;

 public:
  CpprestBody(const http_client& client, const http::http_response& response, std::shared_ptr<BoundedBuffer> bounded,
              pplx::cancellation_token_source cancel, std::string what)
      : client_(client),
        cancel_(std::move(cancel)),
        what_(std::move(what)),
        bounded_(std::move(bounded)),
        buffer_(bounded_),
        state_(std::make_shared<State>()) {
    // The library closes no buffer but its own.
    response.content_ready().then([buffer = buffer_](const pplx::task<http::http_response>& done) mutable {
      try {
        done.get();
        buffer.close(std::ios_base::out);
      } catch (...) {
        buffer.close(std::ios_base::out, std::current_exception());
      }
    });
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
    bounded_->taken(data.size());
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
    bounded_->abandon();
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
    // What is available is taken at once: this task is done when it is returned.
    const std::size_t got = available > 0 ? buffer.getn(reinterpret_cast<std::uint8_t*>(part.data() + 1), available).get() : 0;
    part.resize(1 + got);
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
  const std::shared_ptr<BoundedBuffer> bounded_;
  const Buffer buffer_;
  const std::shared_ptr<State> state_;
};

/// Cannot be rewound, so that the library cannot send it twice.
concurrency::streams::istream oneWay(const std::string& body) {
  concurrency::streams::producer_consumer_buffer<std::uint8_t> buffer;
  buffer.putn_nocopy(reinterpret_cast<const std::uint8_t*>(body.data()), body.size()).wait();  // into memory: done at once
  buffer.close(std::ios_base::out).wait();
  return buffer.create_istream();
}

class CpprestTransport final : public Transport {
 public:
  explicit CpprestTransport(const TransportOptions& options) : options_(options), base_(options.baseUrl) {
    if (base_.scheme() != "http" && base_.scheme() != "https") throw std::invalid_argument("the URL must begin with http:// or https://");
    if (!options_.credentials) options_.credentials = fixedCredentials({});
  }

  Result<HttpResponse> send(const HttpRequest& request) override {
    // Without a body to hold it back, only a connection of its own keeps a write from being sent again.
    const bool pooled = request.idleTimeout == kPooledIdle && (isRead(request) || !request.contentType.empty());
    return asked<HttpResponse>(request, pooled, [&](http_client& client, const Credentials& credentials, Clock::time_point deadline) {
      return sendOnce(client, request, credentials, deadline);
    });
  }

  Result<StreamedResponse> stream(const HttpRequest& request) override {
    return asked<StreamedResponse>(request, false, [&](http_client& client, const Credentials& credentials, Clock::time_point deadline) {
      return streamOnce(client, request, credentials, deadline);
    });
  }

  void shutdown() override {
    {
      const std::lock_guard lock(board_->mutex);
      board_->stopped = true;
    }
    board_->changed.notify_all();
  }

 private:
  static constexpr std::chrono::milliseconds kPooledIdle{std::chrono::seconds(30)};
  template <class T>
  using Outcome = std::expected<T, Failure>;

  static int statusOf(const HttpResponse& response) { return response.status; }
  static int statusOf(const StreamedResponse& response) { return response.head.status; }

  /// With the credentials of now, on a connection that is alive, and once more after a 401 that new ones may mend.
  template <class T, class Once>
  Result<T> asked(const HttpRequest& request, bool pooled, Once once) {
    const auto deadline = Clock::now() + request.deadline;
    bool renewed = false;
    for (int stale = 0;;) {
      const auto credentials = options_.credentials->current();
      if (!credentials)
        return std::unexpected(Error{credentials.error().code, request.method + " " + request.target + ": " + credentials.error().message});
      Outcome<T> outcome = std::unexpected(Failure{});
      try {
        http_client client = pooled ? shared(*credentials) : http_client(base_, config(*credentials, request.idleTimeout));
        outcome = once(client, *credentials, deadline);
      } catch (const std::exception&) {
        outcome = std::unexpected(failed(request, std::current_exception(), *verdict_));
      }
      if (!outcome && outcome.error().stale && stale++ < kMaxStale && Clock::now() < deadline) continue;
      if (!outcome) return std::unexpected(std::move(outcome.error().error));
      if (statusOf(*outcome) != 401 || renewed || !options_.credentials->reject()) return *std::move(outcome);
      renewed = true;
    }
  }

  Outcome<HttpResponse> sendOnce(http_client& client, const HttpRequest& request, const Credentials& credentials,
                                 Clock::time_point deadline) {
    pplx::cancellation_token_source cancel;
    using Bytes = std::vector<unsigned char>;
    http::http_request sent = message(request, credentials);
    sent.set_progress_handler([limit = options_.maxResponseBytes](http::message_direction::direction direction, std::uint64_t total) {
      if (direction == http::message_direction::download && total > limit) {
        throw std::length_error(fmt::format("the answer has more than {} bytes", limit));
      }
    });
    const auto task = client.request(sent, cancel.get_token()).then([](const http::http_response& response) {
      return response.extract_vector().then([response](Bytes body) { return std::pair(headOf(response), std::move(body)); });
    });
    auto answer = await(task, cancel, deadline, request);
    if (!answer) return std::unexpected(std::move(answer.error()));
    HttpResponse response = std::move(answer->first);
    response.body.assign(answer->second.begin(), answer->second.end());
    return response;
  }

  Outcome<StreamedResponse> streamOnce(http_client& client, const HttpRequest& request, const Credentials& credentials,
                                       Clock::time_point deadline) {
    pplx::cancellation_token_source cancel;
    auto buffer = std::make_shared<BoundedBuffer>(options_.maxResponseBytes);
    http::http_request sent = message(request, credentials);
    sent.set_response_stream(concurrency::streams::streambuf<std::uint8_t>(buffer).create_ostream());
    auto response = await(client.request(sent, cancel.get_token()), cancel, deadline, request);
    if (!response) return std::unexpected(std::move(response.error()));
    auto body = std::make_unique<CpprestBody>(client, *response, std::move(buffer), cancel, request.method + " " + request.target);
    return StreamedResponse{headOf(*response), std::move(body)};
  }

  template <class T>
  Outcome<T> await(const pplx::task<T>& task, const pplx::cancellation_token_source& cancel, Clock::time_point deadline,
                   const HttpRequest& request) {
    const auto slot = post(board_, task);
    std::unique_lock lock(board_->mutex);
    board_->changed.wait_until(lock, deadline, [&] { return slot->done || board_->stopped; });
    if (slot->done && slot->error) return std::unexpected(failed(request, slot->error, *verdict_));
    if (slot->done) return *std::move(slot->value);
    const bool stopped = board_->stopped;
    lock.unlock();
    cancel.cancel();
    const std::string what = request.method + " " + request.target;
    if (stopped) return std::unexpected(Failure{{ErrorCode::cancelled, what + ": the transport was shut down"}});
    return std::unexpected(Failure{{ErrorCode::timeout, fmt::format("{}: no answer within {} ms", what, request.deadline.count())}});
  }

  /// The client with the pooled connections; another one when the client certificate has changed.
  http_client shared(const Credentials& credentials) {
    const std::lock_guard lock(mutex_);
    if (!shared_ || certificate_ != credentials.certificate) {
      shared_ = std::make_unique<http_client>(base_, config(credentials, kPooledIdle));
      certificate_ = credentials.certificate;
    }
    return *shared_;
  }

  http_client_config config(const Credentials& credentials, std::chrono::milliseconds idleTimeout) const {
    http_client_config config;
    config.set_timeout(std::chrono::duration_cast<std::chrono::microseconds>(idleTimeout));
    config.set_max_redirects(0);
    if (base_.scheme() == "http") {
      config.set_nativehandle_options([](http::client::native_handle handle) { refuseStale(*static_cast<tcp::socket*>(handle)); });
      return config;
    }
    config.set_nativehandle_options(
        [](http::client::native_handle handle) { refuseStale(static_cast<ssl::stream<tcp::socket&>*>(handle)->next_layer()); });
    config.set_validate_certificates(!options_.tls.insecureSkipVerify);
    config.set_tlsext_sni_enabled(!isIpLiteral(options_.tls.serverName.empty() ? base_.host() : options_.tls.serverName));
    config.set_ssl_context_callback(
        [tls = options_.tls, certificate = credentials.certificate, key = credentials.key, verdict = verdict_](ssl::context& context) {
          const auto done = setUpTls(context.native_handle(), tls, certificate, key, *verdict);
          if (!done) throw http::http_exception("Error in SSL setup: " + done.error());
        });
    return config;
  }

  http::http_request message(const HttpRequest& request, const Credentials& credentials) const {
    http::http_request message(request.method);
    message.set_request_uri(web::uri(request.target));
    if (!request.contentType.empty()) message.set_body(oneWay(request.body), request.body.size(), request.contentType);
    for (const auto& [name, value] : request.headers) message.headers().add(name, value);
    if (!credentials.bearerToken.empty()) message.headers().add("Authorization", "Bearer " + credentials.bearerToken);
    // The library expects the name of the Host header in the certificate, and no other can be given to it.
    if (!options_.tls.serverName.empty()) message.headers().add("Host", options_.tls.serverName);
    return message;
  }

  TransportOptions options_;  // constant after construction, as the next
  const web::uri base_;
  const std::shared_ptr<TlsVerdict> verdict_ = std::make_shared<TlsVerdict>();
  const std::shared_ptr<Board> board_ = std::make_shared<Board>();
  std::mutex mutex_;
  std::unique_ptr<http_client> shared_;  // guarded by mutex_
  std::string certificate_;              // guarded by mutex_: shown by shared_
};

}  // namespace

std::expected<std::unique_ptr<Transport>, Error> makeTransport(const TransportOptions& options) {
  initializePoolOnce();
  const auto unusable = [&](const std::string& why) {
    return std::unexpected(Error{ErrorCode::badRequest, fmt::format("connect to {}: {}", options.baseUrl, why)});
  };
  if (options.baseUrl.starts_with("https:")) {
    if (auto checked = checkTls(options.tls, "", ""); !checked) return unusable(checked.error());
  }
  try {
    return std::make_unique<CpprestTransport>(options);
  } catch (const std::exception& error) {
    return unusable(error.what());
  }
}

}  // namespace pilotlight::kube
