#include "base/clock.h"

#include <atomic>
#include <ctime>

namespace dormouse {

#ifdef DORMOUSE_CRASH_POINTS
namespace {

std::atomic<BootClock::rep> moved{0};

}  // namespace

void move_clock(Millis time) {
    moved += BootClock::duration(time).count();
}

BootClock::duration BootClock::ahead() {
    return duration(moved.load(std::memory_order_relaxed));
}
#else
BootClock::duration BootClock::ahead() {
    return duration::zero();
}
#endif

BootClock::time_point BootClock::now() {
    timespec now{};
    clock_gettime(CLOCK_BOOTTIME, &now);
    return time_point(std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec) + ahead());
}

}  // namespace dormouse
