// Notices how long a loop does nothing else. Used by tests of what must not hold it up.
#pragma once

#include <algorithm>

#include "base/clock.h"
#include "loop/loop.h"
#include "loop/timer.h"

namespace dormouse::testing {

class Pulse {
  public:
    explicit Pulse(loop::Loop& loop) : timer_(loop, "test.pulse") { beat(); }
    [[nodiscard]] Millis longest_gap() const { return longest_; }

  private:
    void beat() {
        const auto now = BootClock::now();
        longest_ = std::max(longest_, std::chrono::floor<Millis>(now - last_));
        last_ = now;
        timer_.once(Millis{2}, [this] { beat(); });
    }

    loop::Timer timer_;
    BootClock::time_point last_ = BootClock::now();
    Millis longest_{0};
};

}  // namespace dormouse::testing
