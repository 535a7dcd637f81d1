// A named timer of the loop, on CLOCK_BOOTTIME. The name is for the list of armed timers: an idle worker must answer
// for each.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/clock.h"
#include "loop/loop.h"
#include "loop/timers.h"

namespace dormouse::loop {

class Timer {
  public:
    Timer(Loop& loop, std::string name);
    ~Timer();
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;

    /// Calls `on_time` once after `delay`, in a later turn of the loop than this one. Replaces what was armed.
    /// `on_time` may rearm or destroy this timer.
    void once(Millis delay, std::function<void()> on_time);
    /// Calls `on_time` every `period`, first after one period. What was missed is not made up for.
    void every(Millis period, std::function<void()> on_time);
    void stop();
    [[nodiscard]] bool armed() const { return due_.has_value(); }
    [[nodiscard]] const std::string& name() const { return name_; }
    /// By Timers, when it is due.
    void fire();

  private:
    void arm(Millis delay, Millis period, std::function<void()> on_time);

    Timers& timers_;
    std::string name_;
    std::function<void()> on_time_;
    Millis delay_{0};
    Millis period_{0};
    std::optional<Timers::Due> due_;
};

}  // namespace dormouse::loop
