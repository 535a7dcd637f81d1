// A named timer of the loop. The name is for the list of armed timers: an idle worker must answer for each.
#pragma once

#include <functional>
#include <string>

#include "base/clock.h"
#include "loop/handle.h"
#include "loop/loop.h"

namespace dormouse::loop {

class Timer {
  public:
    Timer(Loop& loop, std::string name);

    /// Calls `on_time` once after `delay` (from now, not from the loop's cached time). Replaces what was armed.
    /// `on_time` may rearm or destroy this timer.
    void once(Millis delay, std::function<void()> on_time);
    /// Calls `on_time` every `period`, first after one period.
    void every(Millis period, std::function<void()> on_time);
    void stop();
    [[nodiscard]] bool armed();
    [[nodiscard]] const std::string& name() const { return name_; }

  private:
    void arm(Millis delay, Millis period, std::function<void()> on_time);

    std::string name_;
    std::function<void()> on_time_;
    Handle<uv_timer_t> handle_;
};

}  // namespace dormouse::loop
