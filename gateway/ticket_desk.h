// Where other gateways ask for slots of the functions that this one owns: on the internal listener, a stream of HTTP/2 for each request.
//
//   POST contract::kSlotPath   X-Pilotlight-Slot-Function: shop/orders, -Bytes: what it costs to hold, -Epoch: of the last owner that
//                              the asker knows of, -Accepted: it waited elsewhere before. The body stays open as long as the
//                              request needs its slot. Signed as signedText() says, with the gateways' own key.
//   200                        it waits, or has its slot; then one line: `<ticket> <uid> <pod> <ip:port> <version>`
//   429                        -Limit: queue.requests or queue.bytes
//   421                        -Owner, -Instance, -Epoch: ask there
//   503                        this gateway ends;  401  not signed with a key that holds
// The body's text says how the request left the replica: kCertainly or kMaybe at its end, kRefused, kParked or kUnused (the handler never
// saw it) when it waits for another slot, in another line. A stream that breaks: kMaybe.
// Loop thread only.
#pragma once

#include <expected>
#include <string>

#include "gateway/function_entry.h"
#include "net/server.h"

namespace pilotlight::gateway {

class Worker;

namespace slot {

inline constexpr const char* kFunction = "X-Pilotlight-Slot-Function";
inline constexpr const char* kBytes = "X-Pilotlight-Slot-Bytes";
inline constexpr const char* kEpoch = "X-Pilotlight-Slot-Epoch";
inline constexpr const char* kAccepted = "X-Pilotlight-Slot-Accepted";
inline constexpr const char* kLimit = "X-Pilotlight-Slot-Limit";
inline constexpr const char* kOwner = "X-Pilotlight-Slot-Owner";
inline constexpr const char* kInstance = "X-Pilotlight-Slot-Instance";
inline constexpr std::string_view kCertainly = "certainly\n", kMaybe = "maybe\n", kRefused = "refused\n", kParked = "parked\n",
                                  kUnused = "unused\n";

struct Grant {
  contract::Ticket ticket;
  std::string uid, pod;
  net::Address address;
  std::int64_t version = 0;
};
/// Of the fields of a request.
std::string signedText(std::string_view function, std::string_view bytes, std::string_view epoch, bool accepted);
std::string writeGrant(const Grant& grant);  ///< with the line's end
std::optional<Grant> readGrant(std::string_view line);

/// The answer 421: who the owner is.
std::optional<api::RouteOwner> ownerTold(const net::Headers& fields);

}  // namespace slot

/// The function that another gateway asks this one about, in a request that is signed as `signed_` says; null: it is answered with 401,
/// 404 (not known here, or not `limited` as the other believes), 421 or 503.
std::shared_ptr<FunctionEntry> functionAsked(Worker& worker, net::Exchange& exchange, const std::string& signed_, bool limited);
/// A number in such a request; 0: there is none.
std::int64_t numberIn(const net::Headers& fields, const char* name);

/// Answers the request. nullptr: at once.
net::ExchangeHandler* openTicketDesk(Worker& worker, net::Exchange& exchange);

}  // namespace pilotlight::gateway
