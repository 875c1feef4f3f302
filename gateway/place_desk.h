// Where other gateways tell what waits with them, of the functions without a reservation whose queues this one counts: on the internal
// listener, a stream of HTTP/2 for each function and gateway, for as long as something waits there.
//
//   POST slot::kQueuePath  X-Pilotlight-Slot-Function: shop/orders, -Gateway: the asker's name, -Epoch: of the last owner that it
//                              knows of. Signed as placesText() says, with the gateways' own key. The body is a line each time that
//                              something has changed: what it has accepted, and what waits in all, as requests and bytes each.
//   200                        a line for each of those: how much may wait there, as requests and bytes; or `later`: ask again
//   421, 503, 401, 404         see ticket_desk.h
// A stream that ends gives all its places back. Loop thread only.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/place_book.h"
#include "net/server.h"

namespace pilotlight::gateway {

class Worker;

namespace slot {

inline constexpr const char* kQueuePath = "/_pilotlight/queue";
inline constexpr const char* kGateway = "X-Pilotlight-Slot-Gateway";
inline constexpr std::string_view kLater = "later";

std::string placesText(std::string_view function, std::string_view gateway, std::string_view epoch);
std::string writeClaim(const core::Claim& claim);  ///< with the line's end, as the next
std::string writePlaces(const std::optional<core::Waiting>& places);
/// Of lines without their ends.
std::optional<core::Claim> readClaim(std::string_view line);
std::optional<core::Waiting> readPlaces(std::string_view line);

}  // namespace slot

/// Answers the request. nullptr: at once.
net::ExchangeHandler* openPlaceDesk(Worker& worker, net::Exchange& exchange);

}  // namespace pilotlight::gateway
