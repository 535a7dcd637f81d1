#include "worker/life.h"

#include <utility>

#include "base/log.h"
#include "systemd/notify.h"

namespace dormouse::worker {

Life::Life(bool owns_process, std::function<void()> on_entered)
    : owns_process_(owns_process), on_entered_(std::move(on_entered)) {}

void Life::enter(State state, const char* reason) {
    if (state == state_) return;
    demand_edge(state_, state, reason);
    log::event(log::Level::debug, "state", std::string(to_string(state_)) + " -> " + to_string(state) + ": " + reason);
    state_ = state;
    on_entered_();
    if (state == State::leaving && speaks()) systemd::notify_stopping(std::string("leaving: ") + reason);
}

void Life::tell(const std::string& status) const {
    if (speaks()) systemd::notify_status(status);
}

}  // namespace dormouse::worker
