#include "loop/timers.h"

#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "base/limits.h"
#include "loop/timer.h"

namespace dormouse::loop {
namespace {

constexpr Millis longest = std::chrono::hours(24 * 365 * 100);
constexpr BootClock::duration never = BootClock::duration::max();

timespec to_timespec(BootClock::duration time) {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
    return {seconds.count(), (time - seconds).count()};
}

/// The handle's phase of each turn; none of them keeps the loop running.
template <typename H, typename Init, typename Start, typename Call>
void begin(uv_loop_t* loop, Handle<H>& handle, void* owner, Init init, Start start, Call call) {
    init(loop, handle.get());
    handle.get()->data = owner;
    start(handle.get(), call);
    uv_unref(handle.base());
}

}  // namespace

Timers::Timers(uv_loop_t* loop, Turns& turns)
    : turns_(turns), fd_(::timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC)), fd_set_to_(never) {
    if (!fd_.valid()) end_for_want_of("no timer can be made", errno);
    if (const int failed = uv_poll_init(loop, poll_.get(), fd_.get()); failed != 0)
        end_for_want_of("no timer can be waited for", -failed);
    poll_.get()->data = this;
    uv_poll_start(poll_.get(), UV_READABLE, [](uv_poll_t* handle, int, int) {
        auto* self = static_cast<Timers*>(handle->data);
        std::uint64_t times = 0;
        if (::read(self->fd_.get(), &times, sizeof times) > 0) self->fd_set_to_ = never;
    });
    uv_unref(poll_.base());
    begin(loop, prepare_, this, uv_prepare_init, uv_prepare_start,
          [](uv_prepare_t* handle) { static_cast<Timers*>(handle->data)->before_waiting(); });
    begin(loop, check_, this, uv_check_init, uv_check_start,
          [](uv_check_t* handle) { static_cast<Timers*>(handle->data)->after_waiting(); });
    uv_idle_init(loop, idle_.get());
}

Timers::~Timers() {
    if (!armed_.empty()) std::abort();
}

Timers::Due Timers::arm(Timer& timer, Millis delay) {
    const Millis wait = std::clamp(turns_.suited(delay), Millis{0}, longest);
    const Due due{BootClock::now() + wait, next_number_++, &timer};
    armed_.insert(due);
    uv_ref(poll_.base());  // something to wait for
    return due;
}

void Timers::disarm(const Due& due) {
    armed_.erase(due);
    if (armed_.empty()) uv_unref(poll_.base());
}

/// The descriptor is set when it would be too late, not each time that something is armed: most timers are armed again
/// or stopped before they fire.
void Timers::before_waiting() {
    stopped_ = false;
    first_of_turn_ = next_number_;
    if (armed_.empty()) return;
    const Time first = armed_.begin()->at;
    if (first <= BootClock::now()) {
        uv_idle_start(idle_.get(), [](uv_idle_t*) {});
        return;
    }
    const auto wanted = first.time_since_epoch() - BootClock::ahead();
    if (wanted >= fd_set_to_) return;
    const itimerspec time{{}, to_timespec(wanted)};
    if (::timerfd_settime(fd_.get(), TFD_TIMER_ABSTIME, &time, nullptr) != 0) std::abort();
    fd_set_to_ = wanted;
}

void Timers::after_waiting() {
    uv_idle_stop(idle_.get());
    const Time now = BootClock::now();
    due_.clear();
    for (const Due& due : armed_) {
        if (due.at > now) break;
        if (due.number < first_of_turn_) due_.push_back(due);
    }
    for (const Due& due : due_) {
        if (stopped_) break;
        if (armed_.contains(due)) due.timer->fire();  // else it was stopped or armed again by one before
    }
    turns_.turn_ends();
}

}  // namespace dormouse::loop
