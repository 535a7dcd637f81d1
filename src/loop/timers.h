// What the timers of one loop wait for: one timerfd on CLOCK_BOOTTIME, so that a host that was suspended is late by
// nothing, and the deadlines in order. Owned by Loop; asked by Timer. Timers fire at the end of a turn, after the
// descriptors, and only those that were armed before the turn: one that is armed again in its own callback, even with
// 0 ms, waits until the descriptors have been asked once more. Source: timerfd_create(2), uv_check_t.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "loop/handle.h"
#include "loop/turns.h"

namespace dormouse::loop {

class Timer;

class Timers {
  public:
    using Time = BootClock::time_point;
    /// When a timer is due. The number tells those of the same time apart, and since when it is armed.
    struct Due {
        Time at;
        std::uint64_t number = 0;
        Timer* timer = nullptr;
        bool operator<(const Due& other) const { return at != other.at ? at < other.at : number < other.number; }
    };

    Timers(uv_loop_t* loop, Turns& turns);
    /// A timer that is still armed is a broken invariant: aborts.
    ~Timers();
    Timers(const Timers&) = delete;
    Timers& operator=(const Timers&) = delete;

    /// The timer must not be armed. 0 ms may be lengthened, see Turns.
    Due arm(Timer& timer, Millis delay);
    void disarm(const Due& due);
    /// In the order of their times.
    [[nodiscard]] const std::set<Due>& armed() const { return armed_; }
    [[nodiscard]] Turns& turns() { return turns_; }
    /// Nothing fires any more in this turn.
    void stop() { stopped_ = true; }

  private:
    void before_waiting();
    void after_waiting();

    Turns& turns_;
    std::set<Due> armed_;
    std::vector<Due> due_;  ///< of this turn
    std::uint64_t next_number_ = 1;
    std::uint64_t first_of_turn_ = 1;  ///< the first number that was given since the turn began
    bool stopped_ = false;
    UniqueFd fd_;
    BootClock::duration fd_set_to_;  ///< on the kernel's clock
    Handle<uv_prepare_t> prepare_;
    Handle<uv_poll_t> poll_;
    Handle<uv_idle_t> idle_;  ///< active: something is due already, so the turn does not wait
    Handle<uv_check_t> check_;
};

}  // namespace dormouse::loop
