// The doorbell's sockets as systemd passed them, and how to answer them. Driven by the worker. A ring has no authority:
// whatever a ringer sends is thrown away unread.
#pragma once

#include <vector>

#include "base/unique_fd.h"

namespace dormouse::systemd {

/// Takes the sockets that systemd passed (none without socket activation) and makes them non-blocking. Call once, at
/// the start; the variables that announce them are removed from the environment. Source: sd_listen_fds(3).
std::vector<UniqueFd> take_listening_sockets();

/// Accepts and closes what is waiting on `listener`, `most` at most, so that a flood cannot hold the loop. `reserve` is
/// a descriptor that is given up for a moment when there is no other left (EMFILE): a ring that cannot be accepted
/// would be there again at once, for ever. When nothing helps (no memory, no descriptor, a firewall) a ring stays where
/// it is: `stuck`; then the socket stays readable, so watch it again only after a while.
struct Answered {
    int rings = 0;       ///< `most` means there may be more
    bool stuck = false;  ///< there is at least one more
};
Answered empty_doorbell(int listener, int most, UniqueFd& reserve);

/// A descriptor to give up; invalid if there is none to be had.
UniqueFd reserve_descriptor();

}  // namespace dormouse::systemd
