#include "base/awake.h"

#include <ctime>
#include <mutex>

namespace dormouse {

Millis awake_for() {
    constexpr auto noticed = std::chrono::seconds(1);
    static std::mutex mutex;
    static BootClock::duration suspended{};  // as it was seen last
    static BootClock::duration awake_since{};
    const std::lock_guard lock(mutex);
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);  // stands still while the host is suspended
    const BootClock::duration awake = std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
    const BootClock::duration now_suspended = BootClock::now().time_since_epoch() - awake;
    if (now_suspended > suspended + noticed) awake_since = awake;
    if (now_suspended < suspended - noticed) awake_since = {};  // a test has put its clock back
    suspended = now_suspended;
    return std::chrono::duration_cast<Millis>(awake - awake_since);
}

}  // namespace dormouse
