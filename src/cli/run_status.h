// The statuses that a run can have, for flags that take one.
#pragma once

#include <string>
#include <vector>

#include "cli/exit_code.h"

namespace dormouse::cli {

/// Fails with what was probably meant; an empty one is fine.
Try<void> check_status(const std::string& status);

/// Separated by commas.
std::vector<std::string> statuses_of(const std::string& text);

}  // namespace dormouse::cli
