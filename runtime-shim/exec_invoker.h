// Runtime `exec`: one process per request. The request's body is its standard input, its standard output the answer's body.
//
// Environment of the program, besides the container's own: HTTP_METHOD, HTTP_PATH, HTTP_QUERY, HTTP_HEADER_<NAME> (upper
// case, '-' as '_'; repeated headers joined by ", "), HTTP_PARAM_<name> for path parameters, HTTP_DEADLINE (epoch
// milliseconds), REQUEST_ID. Content-Type of the answer: RESPONSE_CONTENT_TYPE, default application/octet-stream.
// Exit code 0: a 200. Another one, or a signal: a 500, or a broken answer if output was already sent. The answer ends when the
// program does. Standard error is passed through. Nothing is kept beyond what the pipes hold.
#pragma once

#include <string>
#include <vector>

#include "runtime-shim/backoff.h"
#include "runtime-shim/config.h"
#include "runtime-shim/invoker.h"
#include "runtime-shim/log.h"
#include "runtime-shim/process.h"

namespace pilotlight::shim {

/// The variables that describe one request, sorted in the order given above.
std::vector<std::string> requestEnvironment(const Call& call);

class ExecInvoker final : public Invoker {
 public:
  ExecInvoker(net::Loop& loop, const Config& config, Children& children, const Log& log);
  void start(std::function<void(bool ready)> onReadiness) override;
  Invocation& invoke(Call& call) override;
  void retire(Invocation& invocation) override;
  void stop(net::Clock::time_point deadline, std::function<void()> done) override;

 private:
  friend class ExecInvocation;
  void look();

  net::Loop& loop_;
  const Config& config_;
  Children& children_;
  const Log& log_;
  const std::vector<std::string> environment_;
  const ArgumentList arguments_;
  std::string program_;
  Backoff backoff_;
  net::Timer timer_;
  std::function<void(bool)> onReadiness_;
};

}  // namespace pilotlight::shim
