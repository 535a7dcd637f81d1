// dormouse worker: from flags to what the worker reads; the worker itself is in src/worker.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/exit_code.h"

namespace dormouse::cli {

struct WorkerOptions {
    std::string pool = "default";
    std::optional<std::string> file;  ///< --config
    std::vector<std::string> sets;    ///< --set section.key=value
    std::string database_url;
    std::string run;      ///< --run: an id; else RUN_FILTER_ID
    std::string timeout;  ///< a duration
    bool drain = false;
    int max_runs = 0;
    bool check = false;    ///< try everything, run nothing
    bool json = false;     ///< only with check
    bool verbose = false;  ///< log what is for debugging, too
};

/// Returns the worker's own exit code.
int run_worker(const WorkerOptions& options);

/// --check: says on stdout what was tried. Errors: the first thing that is wrong.
Outcome check_worker(const WorkerOptions& options);
/// The same, by root as the account of the workers, unless the command line names a file or a database of its own.
/// Returns the exit code.
int check_as_pool(const WorkerOptions& options);

}  // namespace dormouse::cli
