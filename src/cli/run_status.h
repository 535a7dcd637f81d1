// The statuses that a run can have, for flags that take one.
#pragma once

#include <string>

#include "cli/exit_code.h"

namespace dormouse::cli {

/// Fails with what was probably meant; an empty one is fine.
Try<void> check_status(const std::string& status);

}  // namespace dormouse::cli
