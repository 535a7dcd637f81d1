#include "loop/loop.h"

#include <algorithm>
#include <cstdlib>

#include "base/limits.h"
#include "loop/timer.h"
#include "loop/timers.h"

namespace dormouse::loop {

Loop::Loop() {
    if (const int failed = uv_loop_init(&loop_); failed != 0) end_for_want_of("no event loop can be made", -failed);
    timers_ = std::make_unique<Timers>(&loop_, turns_);
}

Loop::~Loop() {
    timers_.reset();
    bool open = false;
    uv_walk(
        &loop_, [](uv_handle_t* handle, void* flag) { *static_cast<bool*>(flag) |= uv_is_closing(handle) == 0; },
        &open);
    if (open) std::abort();
    // Close callbacks, and abandoned resolutions, which libuv cannot give up.
    while (uv_run(&loop_, UV_RUN_DEFAULT) != 0) continue;
    if (uv_loop_close(&loop_) != 0) std::abort();
}

void Loop::run() {
    uv_run(&loop_, UV_RUN_DEFAULT);
}

void Loop::turn(bool wait) {
    uv_run(&loop_, wait ? UV_RUN_ONCE : UV_RUN_NOWAIT);
}

void Loop::stop() {
    timers_->stop();
    uv_stop(&loop_);
}

std::vector<std::string> Loop::armed_timers() const {
    std::vector<std::string> names;
    for (const Timers::Due& due : timers_->armed()) names.push_back(due.timer->name());
    std::sort(names.begin(), names.end());
    return names;
}

}  // namespace dormouse::loop
