// What `dormouse worker` does once its flags are read.
#pragma once

#include "config/load.h"
#include "worker/errand.h"

namespace dormouse::worker {

struct PoolEnd {
    bool graceful = false;  ///< false: something was left behind (handlers or results given up)
    ErrandEnd errand = ErrandEnd::none;
};

/// Runs the pool until it has left. Call once, from main, before there are threads.
PoolEnd run_pool(config::Sources sources, bool verbose, const Errand& errand = {});

/// `worker --check`: configuration, database, schema, pooler, LISTEN and handlers are tried, and nothing is run. Says
/// on stdout what it tried. Errors: the first thing that is wrong, by kind.
Status check_pool(const config::Sources& sources);

}  // namespace dormouse::worker
