// dormouse try: one attempt of a task's handler, here and now, without any database: how people write handlers and find
// out what they do. Log lines and progress go to stderr, the result to stdout.
#pragma once

#include <string>
#include <vector>

#include "cli/exit_code.h"

namespace dormouse::cli {

struct TryOptions {
    std::string task;
    std::string payload = "{}";     ///< JSON, "@FILE" or "-"
    std::string pool;               ///< empty: the one of this machine that has the task
    std::string file;               ///< --config; empty: the pool's own
    std::vector<std::string> sets;  ///< as with `dormouse worker`
    std::string timeout;            ///< a duration; empty: the task's
    int attempt = 1;
    bool as_pool = false;  ///< in a unit as the pool's
    bool json = false;
};

/// Ends as the handler did: 0 completed, its own exit code, 75 for "retry later", 128 and the signal's number, 5 for a
/// timeout, 3 for any other failure; 9 when it could not be started.
int try_task(const TryOptions& options);

}  // namespace dormouse::cli
