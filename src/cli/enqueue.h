// dormouse enqueue: one run goes in, the doorbells of the pools that serve its queue are rung after the
// commit, and, if wanted, its end is waited for.
#pragma once

#include <optional>
#include <string>

#include "cli/database.h"

namespace dormouse::cli {

struct EnqueueOptions {
    DatabaseOptions database;
    std::string task;
    std::string payload = "{}";  ///< JSON, "@FILE" or "-"
    std::string queue = "default";
    std::string in;       ///< a duration; empty: now
    std::string at;       ///< a time; excludes `in`
    std::string key;      ///< empty: none
    std::string timeout;  ///< a duration; empty: the task's
    int priority = 0;
    std::optional<int> max_attempts;
    std::optional<std::string> wait;  ///< how long to wait for the end; "": for ever
    bool spool = false;               ///< into the spool of a local pool, without a database
    std::string from;                 ///< a file of runs instead of one, "-": stdin; empty: none
    bool json = false;
};

Outcome enqueue(const EnqueueOptions& options);

}  // namespace dormouse::cli
