// Durations as people write them: "250ms", "5 s", "1h30min", "2d". Used for the configuration and for flags;
// plain numbers are refused, because nobody remembers which unit was meant.
#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/error.h"

namespace dormouse::config {

/// Reads one or more whole numbers, each with its unit, the greatest unit first; spaces may stand between
/// them. Units: ms, s (sec), min (m), h, d, w. "0" needs no unit. Never negative. Errors: invalid; the
/// message says what was found and what is expected, without naming a place.
Result<Millis> parse_duration(std::string_view text);

/// The shortest text that parse_duration reads back as the same value; one unit rather than several if that
/// is not longer. Negative values, which nothing here makes, are shown as 0s.
std::string duration_text(Millis value);

}  // namespace dormouse::config
