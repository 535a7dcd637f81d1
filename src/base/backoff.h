// How long to wait before the next try: of a run, of a connection, of a look. Pure, but for the dice.
#pragma once

#include "base/clock.h"

namespace dormouse {

/// Full jitter: evenly between 0 and min(max, base · 2^tries), for runs that are tried again. `tries` from 0.
Millis full_jitter(Millis base, Millis max, int tries);

/// The longest pause between two tries to connect, `lost_for` after the connection was lost: 5 s for ten minutes, since
/// whoever brings a server back waits for what comes of it; then `max`. A server that `suspends` itself is woken by
/// each try: `max` from the beginning.
Millis longest_pause(Millis max, Millis lost_for, bool suspends);

/// Between half and all of min(max, base · 2^tries), for connections: never at once, never all together.
Millis half_jitter(Millis base, Millis max, int tries);

}  // namespace dormouse
