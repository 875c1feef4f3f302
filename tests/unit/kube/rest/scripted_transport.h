// A Transport that answers as it is told to, and notes what it was asked.
#pragma once

#include <deque>
#include <functional>
#include <mutex>
#include <nlohmann/json.hpp>
#include <vector>

#include "kube/transport.h"

namespace pilotlight::kube {

/// Parts of a body, then its end: orderly, or the error.
class ScriptedBody final : public BodyStream {
 public:
  explicit ScriptedBody(std::deque<std::string> parts, std::optional<Error> error = {})
      : parts_(std::move(parts)), error_(std::move(error)) {}
  Result<std::optional<std::string>> next(std::chrono::milliseconds) override {
    if (cancelled_) return std::unexpected(Error{ErrorCode::cancelled, "cancelled"});
    if (parts_.empty() && error_) return std::unexpected(*error_);
    if (parts_.empty()) return std::optional<std::string>("");
    std::string part = std::move(parts_.front());
    parts_.pop_front();
    if (part == "(nothing)") return std::nullopt;
    return std::optional<std::string>(std::move(part));
  }
  void cancel() override { cancelled_ = true; }

 private:
  std::deque<std::string> parts_;
  std::optional<Error> error_;
  bool cancelled_ = false;
};

class ScriptedTransport final : public Transport {
 public:
  using Answer = Result<HttpResponse>;
  std::deque<Answer> answers;           ///< for send(), in order; the last one stays
  std::vector<HttpRequest> requests;    ///< what was asked
  std::deque<std::string> streamParts;  ///< for the next stream()
  std::optional<Error> streamError;
  int streamStatus = 200;

  static Answer json(int status, const nlohmann::json& body, HttpHeaders headers = {}) {
    return HttpResponse{status, "", std::move(headers), body.dump()};
  }
  static Answer failure(ErrorCode code) { return std::unexpected(Error{code, "the wire"}); }

  Result<HttpResponse> send(const HttpRequest& request) override {
    requests.push_back(request);
    Answer answer = answers.front();
    if (answers.size() > 1) answers.pop_front();
    return answer;
  }
  Result<StreamedResponse> stream(const HttpRequest& request) override {
    requests.push_back(request);
    return StreamedResponse{HttpResponse{streamStatus, "", {}, ""}, std::make_unique<ScriptedBody>(std::move(streamParts), streamError)};
  }
  void shutdown() override {}
};

}  // namespace pilotlight::kube
