// dormouse workers: who lives, what each holds, and how that is known.
#pragma once

#include "cli/database.h"

namespace dormouse::cli {

struct WorkersOptions {
    DatabaseOptions database;
    bool all = false;   ///< those that have left as well
    bool json = false;  ///< one JSON document for each line
};

Outcome workers(const WorkersOptions& options);

}  // namespace dormouse::cli
