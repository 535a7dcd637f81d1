// dormouse runs: what is there, newest first.
#pragma once

#include "cli/database.h"

namespace dormouse::cli {

struct RunsOptions {
    DatabaseOptions database;
    std::string status;
    std::string task;
    std::string queue;
    std::string since;      ///< a duration ("2h": the last two hours) or a time
    bool archived = false;  ///< those out of sight as well
    int limit = 20;
    bool json = false;  ///< one JSON document for each line
};

Outcome runs(const RunsOptions& options);

}  // namespace dormouse::cli
