// The program dormouse-alert: where it is, and a call of it.
#pragma once

#include <string>
#include <vector>

#include "base/clock.h"

namespace dormouse::alerts {

/// Beside this program, or where it is installed; its bare name if it is nowhere.
std::string find_program();

/// Runs `command` with `input` on its stdin, and returns its stdout, at most 1 MiB. Empty: it could not be started, or
/// has not ended after `deadline` and was killed. On a thread that may wait.
std::string run_program(const std::vector<std::string>& command, const std::vector<std::string>& environment,
                        const std::string& input, Millis deadline);

}  // namespace dormouse::alerts
