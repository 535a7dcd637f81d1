// dormouse sandbox: the drop-in that gives a pool's unit what its tasks need of its sandbox. And what of it the unit
// does not give, for `dormouse worker --check` and `dormouse doctor`.
#pragma once

#include <string>
#include <vector>

#include "cli/exit_code.h"
#include "cli/finding.h"
#include "config/config.h"

namespace dormouse::cli {

struct SandboxOptions {
    std::string pool;
    bool install = false;
    bool json = false;
};

/// Prints the drop-in; with `install` writes it, or removes it if no task needs anything, and has systemd read it.
Outcome sandbox(const SandboxOptions& options);

/// What the tasks of `config` need and the unit, as systemd knows it, does not give, and paths that nobody can write
/// to. Empty where no systemd runs, and for a file that is not the pool's own.
Findings look_at_sandbox(const config::Config& config);

}  // namespace dormouse::cli
