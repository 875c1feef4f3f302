// A pool of client connections on a loop of its own, and calls that collect their answers.
#pragma once

#include "harness.h"
#include "net/client.h"

namespace pilotlight::net::test {

/// One answer as it comes. To be looked at after wait(), or on the loop's thread.
struct Answer final : ClientHandler {
  ClientCall* call = nullptr;
  int status = 0, interims = 0, writables = 0;
  BodyKind kind = BodyKind::none;
  std::uint64_t length = 0, sentAtFailure = 0;
  std::vector<std::pair<std::string, std::string>> fields, trailers;
  std::string body;
  bool ended = false;
  bool pausesAtHead = false;
  std::optional<ClientFailure> failure;
  std::promise<void> done;
  std::function<void()> onHeadSeen, onWrite;

  void onInterim(const ResponseHead&) override { ++interims; }
  void onHead(const ResponseHead& head) override {
    status = head.status;
    kind = head.body;
    length = head.length;
    for (const Header& field : head.headers) fields.emplace_back(field.name, field.value);
    if (pausesAtHead) call->pauseBody();
    if (onHeadSeen) onHeadSeen();
  }
  void onBody(std::string_view part) override { body.append(part); }
  void onEnd(std::span<const Header> last) override {
    for (const Header& field : last) trailers.emplace_back(field.name, field.value);
    ended = true;
    done.set_value();
  }
  void onWritable() override {
    ++writables;
    if (onWrite) onWrite();
  }
  void onFailure(ClientFailure why) override {
    failure = why;
    sentAtFailure = call->bytesWritten();
    done.set_value();
  }
  bool wait(milliseconds within = seconds(20)) { return done.get_future().wait_for(within) == std::future_status::ready; }
};

class Caller {
 public:
  explicit Caller(ClientOptions options = {}) {
    thread.sync([&] { pool = std::make_unique<ClientPool>(thread.loop, std::move(options)); });
  }
  ~Caller() {
    thread.sync([&] { pool.reset(); });
  }
  /// `body`: sent as one part, and ended; nothing: none.
  void start(const Address& to, Answer& answer, std::string_view method = "GET", std::string_view target = "/", std::string_view body = {},
             bool fresh = false) {
    thread.sync([&] {
      const Header headers[] = {{"Host", "a.example"}, {"X-Mixed", "1"}, {"Connection", "x"}};
      const BodyKind kind = body.empty() ? BodyKind::none : BodyKind::chunked;
      answer.call = pool->call(pool->peer(to, protocol), {method, target, headers, kind, 0}, answer, fresh);
      if (kind == BodyKind::none) return;
      answer.call->write(body);
      answer.call->finish();
    });
  }
  template <class Work>
  auto sync(Work work) {
    return thread.sync(work);
  }
  Protocol protocol = Protocol::h2c;
  std::unique_ptr<ClientPool> pool;
  LoopThread thread;
};

}  // namespace pilotlight::net::test
