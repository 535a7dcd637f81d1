// When a step of retention goes to the database: hourly while handlers are at work, and on the way to sleep. What a
// step does is dormouse.retain()'s business. Pure: the worker asks whether one is wanted, sends it, and tells what
// became of it. It must not hold up anybody: steps are short, come one at a time, and the way to sleep takes no more
// than a second longer for them.
#pragma once

#include <optional>

#include "base/clock.h"

namespace dormouse::worker {

class Retention {
  public:
    using Time = BootClock::time_point;

    explicit Retention(Time start) : next_(start + first) {}

    /// How long until a step is wanted while handlers are at work; 0 or less: now.
    [[nodiscard]] Millis wait(Time now) const { return std::chrono::ceil<Millis>(next_ - now); }
    /// Whether a step is to be made before going to sleep. Asked again after each; says no when nothing is left to do,
    /// when something is in the way, and when the time for it is up.
    bool wanted_before_sleep(Time now);
    /// How long a step that was wanted before going to sleep may still take.
    [[nodiscard]] Millis time_left(Time now) const;

    /// A step was answered: it has done something, and there may be more; or nothing was left.
    void answered(bool did, Time now);
    /// Something was in the way: a lock, or an error.
    void hindered(Time now);

  private:
    static constexpr Millis first{10'000};  ///< a worker that is awake for less makes its steps on the way to sleep
    static constexpr Millis pace{1'000};    ///< between two steps while handlers are at work
    static constexpr Millis period{3'600'000};
    static constexpr Millis again{300'000};  ///< after a hindrance
    static constexpr Millis patience{700};   ///< on the way to sleep, to begin another step
    /// And for the answer to the last one, so that with all else it is a second.
    static constexpr Millis longest_way{950};
    static constexpr Millis same_way{60'000};  ///< later than that, it is another way to sleep

    Time next_;
    std::optional<Time> rests_until_;  ///< nothing was left, or something was in the way
    std::optional<Time> way_began_;
};

}  // namespace dormouse::worker
