// dormouse forget: what is remembered of a pool or a worker that is gone is removed from the database.
#pragma once

#include <string>

#include "cli/database.h"

namespace dormouse::cli {

struct ForgetOptions {
    DatabaseOptions database;
    std::string what;  ///< a pool's name, or a worker's id
    bool json = false;
};

/// Never touches a run. Exits: not_found; usage (a worker lives or holds runs, or the pool has a file here).
Outcome forget(const ForgetOptions& options);

}  // namespace dormouse::cli
