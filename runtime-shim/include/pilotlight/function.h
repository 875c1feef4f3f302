/*
 * Pilotlight: the C interface of a native function.
 *
 * A native function is a shared library with one exported handler:
 *
 *     #include <pilotlight/function.h>
 *
 *     PILOTLIGHT_EXPORT int handle(const pilotlight_request* request, pilotlight_response* response) {
 *       pilotlight_response_set_header(response, "content-type", "text/plain");
 *       pilotlight_response_set_body(response, "hello\n", 6);
 *       return 0;
 *     }
 *
 * Build:  cc -shared -fPIC -O2 -I <include> hello.c -o libhello.so
 * Use:    spec.runtime: native, spec.handler: ["libhello.so", "handle"]      (the default symbol is "handle")
 *
 * Threads: up to `concurrency.perReplica` calls of the handler run at the same time, each on its own thread. A request and
 * its response belong to the thread that runs the handler and are gone when it returns; so are all views taken from them.
 * Errors: a handler returns 0, or any other value for a failure: the caller then gets a 500, unless the answer had begun.
 * Nothing is linked: all calls go through a table that the host passes in, so a library has no undefined symbols of ours.
 *
 * Stability: version 1 only grows at the end of pilotlight_api. A library built with a newer header runs on an older host as
 * long as it asks pilotlight_has() before it uses what was added. A host refuses a library whose version it doesn't know.
 */
#ifndef PILOTLIGHT_FUNCTION_H
#define PILOTLIGHT_FUNCTION_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PILOTLIGHT_ABI_VERSION 1u
#define PILOTLIGHT_EXPORT __attribute__((visibility("default")))

/* Read by the host before anything else of the library is called. */
#ifdef __cplusplus
extern /* a const object of C++ is private to its file without this */
#endif
    PILOTLIGHT_EXPORT __attribute__((weak)) const uint32_t pilotlight_abi_version = PILOTLIGHT_ABI_VERSION;

/* Bytes owned by the host; not terminated by a zero. data is NULL when there is no such thing. */
typedef struct pilotlight_str {
  const char* data;
  size_t size;
} pilotlight_str;

typedef enum pilotlight_level { PILOTLIGHT_DEBUG = 0, PILOTLIGHT_INFO = 1, PILOTLIGHT_WARN = 2, PILOTLIGHT_ERROR = 3 } pilotlight_level;

struct pilotlight_api;
typedef struct pilotlight_request {
  const struct pilotlight_api* api;
} pilotlight_request;
typedef struct pilotlight_response {
  const struct pilotlight_api* api;
} pilotlight_response;
/* What the hooks get. */
typedef struct pilotlight_context {
  const struct pilotlight_api* api;
} pilotlight_context;

/* The handler. */
typedef int (*pilotlight_handler)(const pilotlight_request* request, pilotlight_response* response);
/*
 * Optional hooks, found by name:
 *   int  pilotlight_init(const pilotlight_context*)       runs once before the replica is ready; not 0: the replica does not become
 *                                                         ready, it is started again with a growing delay
 *   void pilotlight_shutdown(const pilotlight_context*)   runs once after the last request
 *   void pilotlight_changed(const pilotlight_context*)    runs after files of a Secret or ConfigMap with `onChange: signal` were replaced,
 *                                                         while requests go on; never twice at the same time
 */

/* The host's table. Use the functions below instead. */
typedef struct pilotlight_api {
  uint32_t version; /* PILOTLIGHT_ABI_VERSION of the host */
  uint32_t size;    /* of the host's table in bytes */
  pilotlight_str (*method)(const pilotlight_request*);
  pilotlight_str (*path)(const pilotlight_request*);
  pilotlight_str (*query)(const pilotlight_request*);
  pilotlight_str (*request_id)(const pilotlight_request*);
  size_t (*header_count)(const pilotlight_request*);
  int (*header_at)(const pilotlight_request*, size_t, pilotlight_str*, pilotlight_str*);
  pilotlight_str (*header)(const pilotlight_request*, const char*, size_t);
  pilotlight_str (*param)(const pilotlight_request*, const char*, size_t);
  pilotlight_str (*body)(const pilotlight_request*);
  int64_t (*read)(const pilotlight_request*, void*, size_t);
  int64_t (*deadline_ms)(const pilotlight_request*);
  int (*cancelled)(const pilotlight_request*);
  void (*log)(const pilotlight_request*, pilotlight_level, const char*, size_t);
  int (*set_status)(pilotlight_response*, int);
  int (*add_header)(pilotlight_response*, const char*, size_t, const char*, size_t, int);
  int (*set_body)(pilotlight_response*, const void*, size_t);
  int (*append)(pilotlight_response*, const void*, size_t);
  int (*flush)(pilotlight_response*);
  pilotlight_str (*function_name)(const pilotlight_context*);
  pilotlight_str (*function_version)(const pilotlight_context*);
  void (*context_log)(const pilotlight_context*, pilotlight_level, const char*, size_t);
} pilotlight_api;

/* Whether the host's table has this member: pilotlight_has(request->api, flush). */
#define pilotlight_has(api_, member_) \
  (offsetof(pilotlight_api, member_) + sizeof((api_)->member_) <= (size_t)(api_)->size && (api_)->member_ != NULL)

static inline size_t pilotlight_strlen(const char* text) {
  size_t size = 0;
  while (text[size] != '\0') ++size;
  return size;
}

/* ---- the request ---------------------------------------------------------------------------------------------------- */

/* "GET", "POST", … as sent. */
static inline pilotlight_str pilotlight_request_method(const pilotlight_request* request) {
  return request->api->method(request);
}
/* The path as sent, not percent-decoded: "/users/7". */
static inline pilotlight_str pilotlight_request_path(const pilotlight_request* request) {
  return request->api->path(request);
}
/* What follows '?', without it; empty when there is none. */
static inline pilotlight_str pilotlight_request_query(const pilotlight_request* request) {
  return request->api->query(request);
}
/* X-Request-Id as sent, else one made here. */
static inline pilotlight_str pilotlight_request_id(const pilotlight_request* request) {
  return request->api->request_id(request);
}
/* The first header with this name, in any case; data is NULL when absent. */
static inline pilotlight_str pilotlight_request_header(const pilotlight_request* request, const char* name) {
  return request->api->header(request, name, pilotlight_strlen(name));
}
static inline size_t pilotlight_request_header_count(const pilotlight_request* request) {
  return request->api->header_count(request);
}
/* Header number `index` in the order received. Not 0: there is no such header. */
static inline int pilotlight_request_header_at(const pilotlight_request* request, size_t index, pilotlight_str* name,
                                               pilotlight_str* value) {
  return request->api->header_at(request, index, name, value);
}
/* A path parameter of the route ("/users/{id}" -> "id"); data is NULL when absent. */
static inline pilotlight_str pilotlight_request_param(const pilotlight_request* request, const char* name) {
  return request->api->param(request, name, pilotlight_strlen(name));
}
/* The whole body, waited for and kept in memory: at most 64 MiB. data is NULL if it is larger (the caller then gets a 413
 * unless the handler answers otherwise) or if the client went away. Don't mix with pilotlight_request_read. */
static inline pilotlight_str pilotlight_request_body(const pilotlight_request* request) {
  return request->api->body(request);
}
/* The next bytes of the body, waited for: how many were written to `buffer`, 0 at the end, -1 when the client went away or
 * the deadline passed. For bodies of any size: what is not read yet is held back at the sender. */
static inline int64_t pilotlight_request_read(const pilotlight_request* request, void* buffer, size_t capacity) {
  return request->api->read(request, buffer, capacity);
}
/* When the caller gets a 504, in milliseconds since 1970 UTC. */
static inline int64_t pilotlight_request_deadline_ms(const pilotlight_request* request) {
  return request->api->deadline_ms(request);
}
/* Not 0: nobody waits for the answer any more (client gone, deadline passed); long work should stop. */
static inline int pilotlight_request_cancelled(const pilotlight_request* request) {
  return request->api->cancelled(request);
}
/* A structured log line that carries the request id. */
static inline void pilotlight_log(const pilotlight_request* request, pilotlight_level level, const char* message) {
  request->api->log(request, level, message, pilotlight_strlen(message));
}

/* ---- the response: each returns 0, or -1 (the value is invalid, the head has been sent, or nobody waits any more) -------- */

/* 200 to 599; the default is 200. */
static inline int pilotlight_response_set_status(pilotlight_response* response, int status) {
  return response->api->set_status(response, status);
}
/* Replaces earlier values. Content-Length, Connection and the like are the host's own; X-Pilotlight-* is not passed on. */
static inline int pilotlight_response_set_header(pilotlight_response* response, const char* name, const char* value) {
  return response->api->add_header(response, name, pilotlight_strlen(name), value, pilotlight_strlen(value), 1);
}
/* Adds a further value, e.g. a second Set-Cookie. */
static inline int pilotlight_response_add_header(pilotlight_response* response, const char* name, const char* value) {
  return response->api->add_header(response, name, pilotlight_strlen(name), value, pilotlight_strlen(value), 0);
}
/* Replaces what was appended and not flushed. The bytes are copied. */
static inline int pilotlight_response_set_body(pilotlight_response* response, const void* data, size_t size) {
  return response->api->set_body(response, data, size);
}
/* Adds to the body in memory: at most 64 MiB between two flushes. */
static inline int pilotlight_response_append(pilotlight_response* response, const void* data, size_t size) {
  return response->api->append(response, data, size);
}
/* Sends the head and what was appended so far, waiting while the client is slower. For streaming: append, flush, repeat. */
static inline int pilotlight_response_flush(pilotlight_response* response) {
  return response->api->flush(response);
}

/* ---- the hooks' context ------------------------------------------------------------------------------------------------- */

static inline pilotlight_str pilotlight_context_function(const pilotlight_context* context) {
  return context->api->function_name(context);
}
static inline pilotlight_str pilotlight_context_version(const pilotlight_context* context) {
  return context->api->function_version(context);
}
static inline void pilotlight_context_log(const pilotlight_context* context, pilotlight_level level, const char* message) {
  context->api->context_log(context, level, message, pilotlight_strlen(message));
}

PILOTLIGHT_EXPORT int pilotlight_init(const pilotlight_context* context);
PILOTLIGHT_EXPORT void pilotlight_shutdown(const pilotlight_context* context);
PILOTLIGHT_EXPORT void pilotlight_changed(const pilotlight_context* context);

#ifdef __cplusplus
}
#endif
#endif
