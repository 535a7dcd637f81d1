#include "loop/timer.h"

#include <algorithm>

namespace dormouse::loop {

Timer::Timer(Loop& loop, std::string name) : name_(std::move(name)) {
    uv_timer_init(loop.get(), handle_.get());
    handle_.get()->data = this;
}

void Timer::once(Millis delay, std::function<void()> on_time) {
    arm(delay, Millis{0}, std::move(on_time));
}

void Timer::every(Millis period, std::function<void()> on_time) {
    arm(period, period, std::move(on_time));
}

void Timer::stop() {
    uv_timer_stop(handle_.get());
}

bool Timer::armed() {
    return uv_is_active(handle_.base()) != 0;
}

void Timer::arm(Millis delay, Millis period, std::function<void()> on_time) {
    on_time_ = std::move(on_time);
    uv_update_time(handle_.get()->loop);
    uv_timer_start(
        handle_.get(),
        [](uv_timer_t* handle) {
            auto* self = static_cast<Timer*>(handle->data);
            const auto call = self->on_time_;  // a copy: the callee may rearm or destroy the timer
            call();
        },
        static_cast<std::uint64_t>(std::max<Millis::rep>(delay.count(), 0)),
        static_cast<std::uint64_t>(std::max<Millis::rep>(period.count(), 0)));
}

}  // namespace dormouse::loop
