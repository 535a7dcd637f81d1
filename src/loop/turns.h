// Notices a loop that turns without any change in the world: turn after turn, only timers of 0 ms have fired, no
// descriptor was ready, no signal came. That is a mistake in whoever arms them, and would take a core for ever. From
// the hundredth such turn on their 0 ms become 100 ms, until something real happens. Driven by Timers and by the owners
// of handles.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"

namespace dormouse::loop {

class Turns {
  public:
    using OnIdle = std::function<void(const std::string& timers)>;

    /// Called with the names of the timers that fired, separated by commas; at most once a minute.
    void on_idle(OnIdle call) { on_idle_ = std::move(call); }
    /// A descriptor was ready, a signal came, a thread is done: whatever is called back from here on is not idle.
    void changed();
    /// A timer fires; `delay` is what it was armed with.
    void fires(const std::string& timer, Millis delay);
    void turn_ends();
    /// The last hundred turns and more have changed nothing. Still so in the callback of a timer that ends this.
    [[nodiscard]] bool are_idle() const { return idle_; }
    /// What to wait instead of `delay`.
    [[nodiscard]] Millis suited(Millis delay) const;

  private:
    OnIdle on_idle_;
    int count_ = 0;  ///< turns in a row
    bool idle_ = false;
    bool any_fired_ = false;
    bool waited_fired_ = false;       ///< a timer that had a delay
    std::vector<std::string> names_;  ///< of those with 0 ms, each once
    std::optional<BootClock::time_point> called_at_;
};

}  // namespace dormouse::loop
