#include "kube/rest_watch.h"

#include <nlohmann/json.hpp>

#include "kube/rest_json.h"
#include "kube/status.h"

namespace pilotlight::kube {

namespace {

std::optional<WatchEvent::Type> typeOf(const Json& event) {
  const auto found = event.find("type");
  if (found == event.end()) return std::nullopt;
  if (*found == "ADDED") return WatchEvent::Type::added;
  if (*found == "MODIFIED") return WatchEvent::Type::modified;
  if (*found == "DELETED") return WatchEvent::Type::deleted;
  if (*found == "BOOKMARK") return WatchEvent::Type::bookmark;
  return std::nullopt;
}

}  // namespace

RestWatch::RestWatch(std::unique_ptr<BodyStream> body, Resource resource, std::string namespace_, std::size_t maxEventBytes)
    : body_(std::move(body)),
      resource_(std::move(resource)),
      attempt_{"watch", resource_, {std::move(namespace_), ""}},
      maxEventBytes_(maxEventBytes) {}

Result<std::optional<WatchEvent>> RestWatch::next(std::chrono::milliseconds wait) {
  const auto deadline = std::chrono::steady_clock::now() + wait;
  while (!end_) {
    if (const auto line = takeLine()) {
      if (!line->empty()) return read(*line);
      continue;
    }
    if (buffer_.size() - begin_ > maxEventBytes_) return end(ErrorCode::unavailable, "an event is too large");
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    auto part = body_->next(std::max(left, std::chrono::milliseconds(0)));
    if (!part) {
      // Silence past its idle timeout is a dead connection; `timeout` would say that the server ended the watch.
      const auto code = part.error().code == ErrorCode::timeout ? ErrorCode::unavailable : part.error().code;
      return end(code, part.error().message);
    }
    if (!*part) return std::nullopt;
    if ((*part)->empty()) return end(ErrorCode::timeout, "the server ended the watch");
    buffer_.erase(0, begin_);
    scanned_ -= begin_;
    begin_ = 0;
    buffer_ += **part;
  }
  return std::unexpected(*end_);
}

std::optional<std::string_view> RestWatch::takeLine() {
  const std::size_t newline = buffer_.find('\n', scanned_);
  if (newline == std::string::npos) {
    scanned_ = buffer_.size();
    return std::nullopt;
  }
  const std::string_view line = std::string_view(buffer_).substr(begin_, newline - begin_);
  begin_ = scanned_ = newline + 1;
  return line;
}

Result<std::optional<WatchEvent>> RestWatch::read(std::string_view line) {
  auto event = parseWithoutManagedFields(line, 1);
  const auto object = event ? event->find("object") : Json::iterator();
  if (!event || object == event->end() || !object->is_object()) return end(ErrorCode::unavailable, "an event is not readable");
  if (const auto type = typeOf(*event)) return WatchEvent{*type, Object(std::move(*object))};
  if (event->value("type", Json()) != "ERROR") return end(ErrorCode::unavailable, "an event of unknown type");
  const auto code = object->find("code");
  const Error error = fromStatusObject(code != object->end() && code->is_number_integer() ? code->get<int>() : 500, *object);
  return end(error.code == ErrorCode::timeout ? ErrorCode::unavailable : error.code, error.message);
}

std::unexpected<Error> RestWatch::end(ErrorCode code, std::string_view why) {
  end_ = attempt_.error(code, why);
  return std::unexpected(*end_);
}

}  // namespace pilotlight::kube
