// The state of a worker's life, and what systemd is told of it. enter() is the one place that assigns the state: an
// edge that state.h does not draw ends the process. Besides, a worker may have a successor in this process, who then
// speaks for the pool.
#pragma once

#include <functional>
#include <string>

#include "worker/state.h"

namespace dormouse::worker {

class Life {
  public:
    /// `on_entered` is called after each change. `owns_process`: see Circumstances.
    Life(bool owns_process, std::function<void()> on_entered);

    [[nodiscard]] State state() const { return state_; }
    /// Nothing new is taken on from here on.
    [[nodiscard]] bool leaves() const { return state_ >= State::leaving; }
    [[nodiscard]] bool in_last_round() const { return state_ == State::parting || state_ == State::abandoning; }
    /// To the state in which it is: nothing.
    void enter(State state, const char* reason);

    void hand_over() { handed_over_ = true; }
    /// The doorbell, systemd and the metrics' gauges are the successor's.
    [[nodiscard]] bool handed_over() const { return handed_over_; }
    /// What `systemctl status` shows, unless that is somebody else's to tell.
    void tell(const std::string& status) const;

  private:
    [[nodiscard]] bool speaks() const { return owns_process_ && !handed_over_; }

    const bool owns_process_;
    const std::function<void()> on_entered_;
    State state_ = State::starting;
    bool handed_over_ = false;
};

}  // namespace dormouse::worker
