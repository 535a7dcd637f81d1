// dormouse watch: one run live, until it has ended.
#pragma once

#include <string>

#include "cli/database.h"

namespace dormouse::cli {

struct WatchOptions {
    DatabaseOptions database;
    std::string run;  ///< an id, or the first 8 or more characters of one
    bool json = false;
};

/// Exits as enqueue --wait does.
Outcome watch(const WatchOptions& options);

}  // namespace dormouse::cli
