// dormouse try --as-pool: the same trial inside a transient unit with the settings of the pool's: its user, sandbox,
// limits and environment. Driven by try_task.cpp.
#pragma once

#include <string>
#include <vector>

#include "cli/exit_code.h"

namespace dormouse::cli {

/// Has systemd-run execute this program with `arguments`, as `pool`'s unit would, and `input` as its stdin; what it
/// prints goes where ours goes. SIGINT and SIGTERM end it. Returns its exit code. Errors: denied (needs root), config
/// (no systemd here, no such unit).
Try<int> run_as_pool(const std::string& pool, const std::vector<std::string>& arguments, const std::string& input);

}  // namespace dormouse::cli
