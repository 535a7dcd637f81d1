// How much of something goes with one round. A round that was on the wire when its session was lost may have been more
// than the network carries in the time that is waited for an answer: the same again would come to the same, for ever.
#pragma once

#include <algorithm>
#include <cstddef>

namespace dormouse::rounds {

class RoundPortion {
  public:
    explicit RoundPortion(std::size_t most) : most_(most), now_(most) {}
    [[nodiscard]] std::size_t most() const { return now_; }
    /// The session was lost with so much on its wire.
    void lost(std::size_t sent) { now_ = std::max<std::size_t>(1, std::min(sent, now_) / 2); }
    void answered() { now_ = now_ < most_ / 2 ? 2 * now_ : most_; }

  private:
    std::size_t most_;
    std::size_t now_;
};

}  // namespace dormouse::rounds
