// What `dormouse worker` does once its flags are read.
#pragma once

#include <string>
#include <vector>

#include "config/load.h"
#include "worker/errand.h"

namespace dormouse::worker {

struct PoolEnd {
    bool graceful = false;  ///< false: something was left behind (handlers or results given up)
    ErrandEnd errand = ErrandEnd::none;
    bool had_room = true;  ///< false: too few open files to begin with
    /// A disk has not answered: a thread still waits for it, so the process has to end by _exit(2).
    bool thread_left_behind = false;
};

/// Runs the pool until it has left. Call once, from main, before there are threads.
PoolEnd run_pool(config::Sources sources, bool verbose, const Errand& errand = {});

/// What `worker --check` has tried.
struct PoolCheck {
    struct Step {
        std::string name;  ///< "configuration", "database", "task NAME" for each of them, "handlers"
        bool ok = false;
        std::string text;  ///< what is there, or what is wrong
    };
    /// In this order. Of all tasks each is tried; otherwise what comes after one that is not ok was not tried.
    std::vector<Step> steps;
    std::vector<std::string> warnings;
    Status outcome;  ///< the first thing that is wrong, by kind
};

/// `worker --check`: configuration, database, schema, pooler, LISTEN and handlers are tried, warm ones as far as their
/// hello, and nothing is run.
PoolCheck check_pool(config::Sources sources);

}  // namespace dormouse::worker
