#include "loop/loop.h"

#include <algorithm>
#include <cstdlib>

#include "loop/timer.h"

namespace dormouse::loop {

Loop::Loop() {
    if (uv_loop_init(&loop_) != 0) std::abort();
}

Loop::~Loop() {
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
    uv_stop(&loop_);
}

std::vector<std::string> Loop::armed_timers() {
    std::vector<std::string> names;
    uv_walk(
        &loop_,
        [](uv_handle_t* handle, void* list) {
            if (handle->type != UV_TIMER || uv_is_active(handle) == 0 || handle->data == nullptr) return;
            static_cast<std::vector<std::string>*>(list)->push_back(static_cast<Timer*>(handle->data)->name());
        },
        &names);
    std::sort(names.begin(), names.end());
    return names;
}

}  // namespace dormouse::loop
