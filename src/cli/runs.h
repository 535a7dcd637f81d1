// dormouse runs: what is there, newest first.
#pragma once

#include "cli/operate.h"

namespace dormouse::cli {

struct RunsOptions {
    DatabaseOptions database;
    RunFilter filter;
    std::string since;      ///< a duration ("2h": the last two hours) or a time
    bool archived = false;  ///< those out of sight as well
    int limit = 20;
    bool json = false;  ///< one JSON document for each line
};

Outcome runs(const RunsOptions& options);

}  // namespace dormouse::cli
