// What the suites about the loop's timers and turns have in common.
#pragma once

#include <sys/eventfd.h>

#include <string>

#include "base/unique_fd.h"
#include "loop/loop.h"
#include "loop/timer.h"

namespace dormouse::testing {

inline UniqueFd readable_event() {
    return UniqueFd(::eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC));
}

/// Arms itself again with 0 ms whenever it fires.
struct Restless {
    explicit Restless(loop::Loop& loop, std::string name) : timer(loop, std::move(name)) { again(); }
    void again() {
        timer.once(Millis{0}, [this] {
            ++fired;
            again();
        });
    }
    loop::Timer timer;
    int fired = 0;
};

}  // namespace dormouse::testing
