// Points in time between people and the database: seconds since 1970 in code, words on the terminal. Used by
// the commands; asks no clock, because the database's counts.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace dormouse::cli {

/// Reads "2026-03-01 08:00", with "T" for the space, seconds, a fraction, and Z, +02 or +02:00 if one likes;
/// without them it is the local time of this machine. Errors: invalid, "found …, expected …".
Result<double> parse_time(std::string_view text);

/// "3 s ago", "in 5 min", "now", "never" (infinity).
std::string relative(double time, double now);

/// "2026-03-01 08:00:00 +0100" in the local time of this machine.
std::string absolute(double time);

/// "2026-03-01T07:00:00.000Z", for programs; "infinity" and "-infinity" as Postgres says it.
std::string iso(double time);

/// "250 ms", "3.2 s", "5 min", "2 h", "3 d": how long something took or is to take.
std::string length(double seconds);

}  // namespace dormouse::cli
