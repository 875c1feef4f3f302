/* A handler in plain C, compiled by the system's C compiler. */
#include <pilotlight/function.h>

#include <string.h>

PILOTLIGHT_EXPORT int greet(const pilotlight_request* request, pilotlight_response* response) {
  pilotlight_str body = pilotlight_request_body(request);
  if (!pilotlight_has(request->api, context_log)) return 1;
  if (pilotlight_response_set_status(response, 99) == 0) return 2;
  if (pilotlight_response_set_header(response, "x-bad", "a\r\nb: c") == 0) return 3;
  pilotlight_response_set_status(response, 202);
  pilotlight_response_set_header(response, "content-type", "text/x-c");
  pilotlight_response_append(response, "c says ", 7);
  return pilotlight_response_append(response, body.data, body.size);
}
