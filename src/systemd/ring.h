// Ringing a doorbell: one connection to a unix socket, closed at once. A ring has no authority and carries nothing; it
// never blocks. Used by the relay, by wake and, after its commit, by enqueue.
#pragma once

#include <string>

#include "base/error.h"

namespace dormouse::systemd {

/// Rings the socket at `path`. A socket whose queue of connections is full is rung already, which is success.
/// Errors: invalid (the path is too long for a socket), denied, disconnected (nobody listens there); the
/// message names the path. Source: unix(7), connect(2).
Status ring(const std::string& path);

}  // namespace dormouse::systemd
