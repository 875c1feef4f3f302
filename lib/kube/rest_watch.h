// A watch over HTTP: one JSON object a line.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "kube/client.h"
#include "kube/errors.h"
#include "kube/transport.h"

namespace pilotlight::kube {

class RestWatch final : public WatchStream {
 public:
  RestWatch(std::unique_ptr<BodyStream> body, Resource resource, std::string namespace_, std::size_t maxEventBytes);

  Result<std::optional<WatchEvent>> next(std::chrono::milliseconds wait) override;
  void cancel() override { body_->cancel(); }

 private:
  std::optional<std::string_view> takeLine();
  Result<std::optional<WatchEvent>> read(std::string_view line);
  std::unexpected<Error> end(ErrorCode code, std::string_view why);

  const std::unique_ptr<BodyStream> body_;
  const Resource resource_;
  const Attempt attempt_;
  const std::size_t maxEventBytes_;
  std::string buffer_;        // next()'s thread, as all below
  std::size_t begin_ = 0;     // of what is not yet read
  std::size_t scanned_ = 0;   // no newline before this
  std::optional<Error> end_;  // what every later next() says
};

}  // namespace pilotlight::kube
