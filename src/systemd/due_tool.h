// Runs one program to its end, or to a deadline. Used by dormouse-due alone, which stands between a service
// that has ended and everything that waits for its end: it must never hang.
#pragma once

#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"

namespace dormouse::systemd {

enum class ToolErrors { shown, hidden };

/// Runs `argv` (argv[0] is an absolute path) with exactly `environment`, stdin and stdout on /dev/null, and
/// stderr passed on or hidden. Returns the exit code. Errors: it could not be started, was killed by a
/// signal, or had not ended after `deadline`; then it is killed.
[[nodiscard]] Result<int> run_tool(const std::vector<std::string>& argv, const std::vector<std::string>& environment,
                                   Millis deadline, ToolErrors errors);

}  // namespace dormouse::systemd
