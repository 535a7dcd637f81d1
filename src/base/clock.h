// Time as the rest of the code sees it: milliseconds, and a clock that goes on while the host is suspended.
// Everybody may use this; it uses nothing of ours.
#pragma once

#include <chrono>
#include <ctime>

namespace dormouse {

using Millis = std::chrono::milliseconds;

/// CLOCK_BOOTTIME, so that a lease goes on running out while the host sleeps. Source: clock_gettime(2).
struct BootClock {
    using duration = std::chrono::nanoseconds;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<BootClock>;
    static constexpr bool is_steady = true;
    static time_point now() {
        timespec now{};
        clock_gettime(CLOCK_BOOTTIME, &now);
        return time_point(std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec));
    }
};

/// Whole milliseconds since `start`.
inline Millis since(BootClock::time_point start) {
    return std::chrono::duration_cast<Millis>(BootClock::now() - start);
}

}  // namespace dormouse
