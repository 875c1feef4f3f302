/* A native function that answers 100 bytes. */
#include <pilotlight/function.h>

PILOTLIGHT_EXPORT int handle(const pilotlight_request* request, pilotlight_response* response) {
  static const char body[] = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
  (void)request;
  pilotlight_response_set_header(response, "content-type", "text/plain");
  return pilotlight_response_set_body(response, body, sizeof body - 1);
}
