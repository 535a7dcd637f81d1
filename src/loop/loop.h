// Owner of the libuv loop. main owns one; everything bound to it is built on top of it and destroyed before it.
// Uses base only. Nothing here knows what the loop is for.
#pragma once

#include <uv.h>

#include <memory>
#include <string>
#include <vector>

#include "loop/turns.h"

namespace dormouse::loop {

class Timers;

class Loop {
  public:
    Loop();
    /// Lets pending close callbacks run, and waits for name resolutions that were abandoned. A handle that is still
    /// open is a broken invariant: aborts.
    ~Loop();
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;

    /// Runs until stop() is called or nothing is left to wait for.
    void run();
    /// One turn: waits for one event, unless `wait` is false, and handles what is ready. For tests and the command
    /// line.
    void turn(bool wait = true);
    void stop();

    [[nodiscard]] uv_loop_t* get() { return &loop_; }
    [[nodiscard]] Timers& timers() { return *timers_; }
    /// Whether the loop turns for nothing: see Turns.
    [[nodiscard]] Turns& turns() { return turns_; }
    /// Names of the timers that are armed now, sorted. What an idle worker must answer for (W8).
    [[nodiscard]] std::vector<std::string> armed_timers() const;

  private:
    uv_loop_t loop_{};
    Turns turns_;
    std::unique_ptr<Timers> timers_;
};

}  // namespace dormouse::loop
