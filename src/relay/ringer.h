// Rings the pool's doorbell, at most every 100 ms, and never fewer times than needed: after the last call of ring() the
// doorbell is rung at least once. A ring that fails is owed and tried again. Driven by Relay; never blocks.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/error.h"
#include "loop/loop.h"
#include "loop/timer.h"

namespace dormouse::relay {

class Ringer {
  public:
    /// Told after each try; on success the error is empty.
    using OnTried = std::function<void(const Status&)>;

    Ringer(loop::Loop& loop, OnTried on_tried);

    /// Where the doorbell is. What is owed, is owed to this one from now on.
    void point_at(const std::string& path) { path_ = path; }
    /// Somebody has to look: rings now or, if it rang a moment ago, in a moment.
    void ring();
    [[nodiscard]] std::uint64_t rings() const { return rings_; }

  private:
    void try_it();

    OnTried on_tried_;
    std::string path_;
    bool owed_ = false;
    int failures_ = 0;
    std::uint64_t rings_ = 0;
    loop::Timer gap_;  ///< armed: rang a moment ago, or could not
};

}  // namespace dormouse::relay
