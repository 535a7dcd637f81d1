// Time as the rest of the code sees it: milliseconds, and a clock that goes on while the host is suspended.
// Everybody may use this; it uses nothing of ours.
#pragma once

#include <chrono>

namespace dormouse {

using Millis = std::chrono::milliseconds;

/// CLOCK_BOOTTIME, so that a lease goes on running out while the host sleeps. Source: clock_gettime(2).
struct BootClock {
    using duration = std::chrono::nanoseconds;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<BootClock>;
    static constexpr bool is_steady = true;
    static time_point now();
    /// How far ahead of the kernel's clock move_clock() has put this one.
    static duration ahead();
};

#ifdef DORMOUSE_CRASH_POINTS
/// Puts this process's BootClock ahead by `time`, as a suspend of the host does: for tests of "a day later". A loop's
/// timers notice at its next turn; a thread that waits already does not. In no release (see base/crash_point.h).
void move_clock(Millis time);
#endif

/// Whole milliseconds since `start`.
inline Millis since(BootClock::time_point start) {
    return std::chrono::duration_cast<Millis>(BootClock::now() - start);
}

}  // namespace dormouse
