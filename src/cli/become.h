// The scripts that some commands become (libexec): where they and what they need are, and execv.
#pragma once

#include <string>
#include <vector>

#include "cli/exit_code.h"

namespace dormouse::cli {

/// This program, as a path that another one can start.
std::string own_path();

/// Installed, PREFIX/bin/dormouse has PREFIX/lib/dormouse/NAME; in a build directory of a checkout the helpers are
/// beside it. Fails with the place where it is missing.
Try<std::string> helper(const std::string& name);

/// Does not return unless the program cannot be started.
Outcome become(const std::string& program, std::vector<std::string> arguments);

}  // namespace dormouse::cli
