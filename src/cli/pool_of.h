// Which pool a command is about that names none: the only one of this machine.
#pragma once

#include <string>

#include "cli/exit_code.h"
#include "config/load.h"

namespace dormouse::cli {

/// `pool`, unless it is empty. With a file of the command line the name matters only for messages.
Try<std::string> pool_of(const std::string& command, const std::string& pool, bool has_file,
                         const config::Environment& environment);

}  // namespace dormouse::cli
