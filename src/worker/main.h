// What `dormouse worker` does once its flags are read.
#pragma once

#include "config/load.h"

namespace dormouse::worker {

/// Runs the pool until it has left. Returns the process's exit code: 0 after every end that was decided, 1 when
/// something was left behind (handlers or results given up). Call once, from main, before there are threads.
int run_pool(config::Sources sources, bool verbose);

/// `worker --check`: configuration, database, schema, pooler, LISTEN and handlers are tried, and nothing is run. Says
/// on stdout what it tried. Errors: the first thing that is wrong, by kind.
Status check_pool(const config::Sources& sources);

}  // namespace dormouse::worker
