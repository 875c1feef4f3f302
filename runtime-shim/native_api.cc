#include "runtime-shim/native_api.h"

#include "runtime-shim/native_invocation.h"

namespace pilotlight::shim {
namespace {

pilotlight_str text(std::string_view view) {
  return {view.data(), view.size()};
}
std::string_view view(const char* data, std::size_t size) {
  return {data, size};
}
std::string_view bytes(const void* data, std::size_t size) {
  return {static_cast<const char*>(data), size};
}
NativeInvocation& of(const pilotlight_request* request) {
  return static_cast<const NativeRequestHandle*>(request)->self;
}
NativeInvocation& of(pilotlight_response* response) {
  return static_cast<NativeResponseHandle*>(response)->self;
}
const NativeContextHandle& of(const pilotlight_context* context) {
  return *static_cast<const NativeContextHandle*>(context);
}

LogLevel levelOf(pilotlight_level level) {
  return level == PILOTLIGHT_DEBUG   ? LogLevel::debug
         : level == PILOTLIGHT_WARN  ? LogLevel::warn
         : level == PILOTLIGHT_ERROR ? LogLevel::error
                                     : LogLevel::info;
}

int headerAt(const pilotlight_request* request, std::size_t index, pilotlight_str* name, pilotlight_str* value) {
  const auto& headers = of(request).headers();
  if (index >= headers.size()) return -1;
  const net::Header header = headers[index];
  *name = text(header.name);
  *value = text(header.value);
  return 0;
}

int status(bool done) {
  return done ? 0 : -1;
}

}  // namespace

const pilotlight_api kNativeApi = {
    .version = PILOTLIGHT_ABI_VERSION,
    .size = sizeof(pilotlight_api),
    .method = [](const pilotlight_request* r) { return text(of(r).method()); },
    .path = [](const pilotlight_request* r) { return text(of(r).path()); },
    .query = [](const pilotlight_request* r) { return text(of(r).query()); },
    .request_id = [](const pilotlight_request* r) { return text(of(r).requestId()); },
    .header_count = [](const pilotlight_request* r) { return of(r).headers().size(); },
    .header_at = &headerAt,
    .header = [](const pilotlight_request* r, const char* name, std::size_t size) { return text(of(r).headers().get(view(name, size))); },
    .param = [](const pilotlight_request* r, const char* name, std::size_t size) { return text(of(r).param(view(name, size))); },
    .body = [](const pilotlight_request* r) { return text(of(r).wholeBody()); },
    .read = [](const pilotlight_request* r, void* buffer, std::size_t size) { return of(r).read(static_cast<char*>(buffer), size); },
    .deadline_ms = [](const pilotlight_request* r) { return of(r).deadlineMillis(); },
    .cancelled = [](const pilotlight_request* r) { return of(r).cancelled() ? 1 : 0; },
    .log = [](const pilotlight_request* r, pilotlight_level level, const char* message,
              std::size_t size) { of(r).log(levelOf(level), view(message, size)); },
    .set_status = [](pilotlight_response* r, int code) { return status(of(r).setStatus(code)); },
    .add_header = [](pilotlight_response* r, const char* name, std::size_t nameSize, const char* value, std::size_t valueSize,
                     int replace) { return status(of(r).addHeader(view(name, nameSize), view(value, valueSize), replace != 0)); },
    .set_body = [](pilotlight_response* r, const void* data, std::size_t size) { return status(of(r).setBody(bytes(data, size))); },
    .append = [](pilotlight_response* r, const void* data, std::size_t size) { return status(of(r).append(bytes(data, size))); },
    .flush = [](pilotlight_response* r) { return status(of(r).flush()); },
    .function_name = [](const pilotlight_context* c) { return text(of(c).config.function); },
    .function_version = [](const pilotlight_context* c) { return text(of(c).config.version); },
    .context_log = [](const pilotlight_context* c, pilotlight_level level, const char* message,
                      std::size_t size) { of(c).log.write(levelOf(level), view(message, size)); },
};

}  // namespace pilotlight::shim
