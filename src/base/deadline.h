// Moments to come, for waits that somebody else has chosen: a timeout of a run may be any bigint. Everybody may use
// this; it uses base/clock.h alone.
#pragma once

#include <algorithm>

#include "base/clock.h"

namespace dormouse {

/// Ten years. Nobody waits longer, and what is longer means "for ever".
inline constexpr Millis wait_limit = std::chrono::hours{24 * 3'653};

/// `wait`, from 0 to wait_limit.
constexpr Millis bounded(Millis wait) {
    return std::clamp(wait, Millis{0}, wait_limit);
}

/// The moment `wait` after `start`, wait_limit at most: the sum itself overflows from 292 years on.
template <typename TimePoint>
constexpr TimePoint after(TimePoint start, Millis wait) {
    return start + bounded(wait);
}

}  // namespace dormouse
