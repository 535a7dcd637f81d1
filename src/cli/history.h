// dormouse history: who canceled, retried and archived what, and scaled which pool.
#pragma once

#include <string>

#include "cli/database.h"

namespace dormouse::cli {

struct HistoryOptions {
    DatabaseOptions database;
    std::string run;  ///< empty: of all; else its id, or the start of it
    int limit = 20;
    bool json = false;
};

/// The last operations first, of 90 days. Exits: usage or not_found (no such run).
Outcome history(const HistoryOptions& options);

}  // namespace dormouse::cli
