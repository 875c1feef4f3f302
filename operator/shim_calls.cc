#include "operator/shim_calls.h"

#include <memory>

namespace pilotlight::op {

namespace {

constexpr std::size_t kMaxBody = 256;  // of what is looked at

net::ClientOptions clientOptions(std::chrono::milliseconds timeout) {
  net::ClientOptions options;
  options.connectTimeout = timeout;
  options.maxIdlePerAddress = 0;
  return options;
}

}  // namespace

class ShimCalls::Call final : public net::ClientHandler {
 public:
  Call(net::ClientPool& pool, const Question& question, std::size_t& open) : open_(open) {
    const std::string host = question.shim.toString();
    const net::Header headers[] = {{"Host", host}, {"User-Agent", "pilotlight-operator"}};
    call_ = pool.call(question.shim, {.method = question.method, .target = question.path, .headers = headers}, *this, true);
    call_->finish();
  }
  ~Call() {
    if (call_) call_->cancel();
  }
  Call(const Call&) = delete;

  void onHead(const net::ResponseHead& head) override { status_ = head.status; }
  void onBody(std::string_view part) override {
    if (answer.body.size() < kMaxBody) answer.body.append(part);
  }
  void onEnd(std::span<const net::Header>) override {
    answer.status = status_;
    over();
  }
  void onFailure(net::ClientFailure) override { over(); }

  Answer answer;

 private:
  void over() {
    call_ = nullptr;
    --open_;
  }
  std::size_t& open_;
  net::ClientCall* call_;  // null once it has ended
  int status_ = 0;
};

ShimCalls::ShimCalls(std::chrono::milliseconds timeout) : timeout_(timeout), pool_(loop_, clientOptions(timeout)) {}

std::vector<ShimCalls::Answer> ShimCalls::ask(const std::vector<Question>& questions) {
  const auto deadline = net::Clock::now() + timeout_;
  std::size_t open = questions.size();
  std::vector<std::unique_ptr<Call>> calls;
  loop_.perform([&] {
    for (const auto& question : questions) calls.push_back(std::make_unique<Call>(pool_, question, open));
  });
  while (open > 0 && net::Clock::now() < deadline) loop_.turn(std::chrono::ceil<std::chrono::milliseconds>(deadline - net::Clock::now()));
  std::vector<Answer> answers;
  for (auto& call : calls) answers.push_back(std::move(call->answer));
  loop_.perform([&] { calls.clear(); });
  return answers;
}

}  // namespace pilotlight::op
