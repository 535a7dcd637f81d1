// dormouse reap: the workers of this host that are of no use any more are shown, and with --force ended, their runs
// released.
#pragma once

#include "cli/database.h"

namespace dormouse::cli {

struct ReapOptions {
    DatabaseOptions database;
    bool force = false;
    bool json = false;
};

/// Never touches a row of another host. Exits: denied (a process is somebody else's), unreachable (a process does not
/// end, or a run is locked by somebody).
Outcome reap(const ReapOptions& options);

}  // namespace dormouse::cli
