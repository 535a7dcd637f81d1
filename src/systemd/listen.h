// The doorbell's sockets as systemd passed them, and how to answer them. Driven by the worker. A ring has no authority:
// whatever a ringer sends is thrown away unread.
#pragma once

#include <vector>

#include "base/unique_fd.h"

namespace dormouse::systemd {

/// Takes the sockets that systemd passed (none without socket activation) and makes them non-blocking. Call once, at
/// the start; the variables that announce them are removed from the environment. Source: sd_listen_fds(3).
std::vector<UniqueFd> take_listening_sockets();

/// Accepts and closes what is waiting on `listener`, `most` at most, so that a flood cannot hold the loop.
/// Returns how many there were; `most` means there may be more.
int empty_doorbell(int listener, int most);

}  // namespace dormouse::systemd
