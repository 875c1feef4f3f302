// Asks shims, several at once, and waits for their answers.
// Thread-safety: none, one thread at a time.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "net/client.h"
#include "net/loop.h"

namespace pilotlight::op {

class ShimCalls {
 public:
  struct Question {
    net::Address shim;
    const char* method;
    const char* path;
  };
  struct Answer {
    int status = 0;  ///< 0: none in time
    std::string body;
  };

  explicit ShimCalls(std::chrono::milliseconds timeout);
  /// In the order of the questions, after `timeout` at the latest.
  std::vector<Answer> ask(const std::vector<Question>& questions);

 private:
  class Call;
  const std::chrono::milliseconds timeout_;
  net::Loop loop_;
  net::ClientPool pool_;
};

}  // namespace pilotlight::op
