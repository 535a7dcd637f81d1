#include "loop/timer.h"

namespace dormouse::loop {

Timer::Timer(Loop& loop, std::string name) : timers_(loop.timers()), name_(std::move(name)) {}

Timer::~Timer() {
    stop();
}

void Timer::once(Millis delay, std::function<void()> on_time) {
    arm(delay, Millis{0}, std::move(on_time));
}

void Timer::every(Millis period, std::function<void()> on_time) {
    arm(period, period, std::move(on_time));
}

void Timer::stop() {
    if (!due_) return;
    timers_.disarm(*due_);
    due_.reset();
}

void Timer::arm(Millis delay, Millis period, std::function<void()> on_time) {
    stop();
    on_time_ = std::move(on_time);
    delay_ = delay;
    period_ = period;
    due_ = timers_.arm(*this, delay);
}

void Timer::fire() {
    timers_.turns().fires(name_, delay_);
    stop();
    if (period_ > Millis{0}) due_ = timers_.arm(*this, period_);
    const auto call = on_time_;  // a copy: the callee may rearm or destroy the timer
    call();
}

}  // namespace dormouse::loop
