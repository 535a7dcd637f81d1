// Ringing a doorbell on another host: one TCP connection, closed at once. Used by `dormouse wake --to`. Blocks, for as
// long as it is allowed and no longer.
#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/error.h"

namespace dormouse::systemd {

struct RingAddress {
    std::string host;  ///< a name or an address, without brackets
    std::string port;  ///< digits
};

/// Reads HOST:PORT or [IPV6]:PORT. Errors: invalid, with what is expected.
Result<RingAddress> parse_endpoint(std::string_view text);

/// HOST:PORT as parse_endpoint() reads it.
std::string to_string(const RingAddress& endpoint);

/// Resolves the name and tries its addresses, of both families, until one answers; all of it within `deadline`.
/// Errors: disconnected, naming each address that was tried and why it did not answer; transient when the name cannot
/// be resolved. Source: getaddrinfo_a(3), connect(2).
Status ring_tcp(const RingAddress& endpoint, Millis deadline);

}  // namespace dormouse::systemd
