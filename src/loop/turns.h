// Notices a loop that turns without any change in the world: turn after turn, only timers of 0 ms have fired, or
// descriptors were ready with which nothing was done; no signal came. That is a mistake in whoever arms or watches
// them, and would take a core for ever. From the hundredth such turn on they wait for 100 ms, until something real
// happens. Driven by Timers and by the owners of handles.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"

namespace dormouse::loop {

class Turns {
  public:
    using OnIdle = std::function<void(const std::string& names)>;
    /// Turns without a change, in a row.
    struct Streak {
        int count = 0;
        bool idle = false;     ///< a hundred and more
        bool changed = false;  ///< not in this turn
    };

    /// Called with the names of the timers and descriptors, separated by commas; at most once a minute.
    void on_idle(OnIdle call) { on_idle_ = std::move(call); }
    /// A descriptor was ready, a signal came, a thread is done: whatever is called back from here on is not idle.
    void changed();
    /// A timer fires; `delay` is what it was armed with.
    void fires(const std::string& timer, Millis delay);
    [[nodiscard]] Streak streak() const { return streak_; }
    /// What was said to have changed since `before` was a descriptor that was ready and is so still.
    void nothing_came_of(const std::string& descriptor, const Streak& before);
    void turn_ends();
    /// The last hundred turns and more have changed nothing. Still so in the callback of a timer that ends this.
    [[nodiscard]] bool are_idle() const { return streak_.idle; }
    /// What to wait instead of `delay`.
    [[nodiscard]] Millis suited(Millis delay) const;

  private:
    void name(const std::string& name);

    OnIdle on_idle_;
    Streak streak_;
    bool any_fired_ = false;
    bool waited_fired_ = false;       ///< a timer that had a delay
    std::vector<std::string> names_;  ///< of this streak, each once
    std::optional<BootClock::time_point> called_at_;
};

}  // namespace dormouse::loop
