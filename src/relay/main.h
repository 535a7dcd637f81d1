// What `dormouse relay` and dormouse-relay do once their arguments are read.
#pragma once

#include "config/load.h"

namespace dormouse::relay {

/// Runs the relay until SIGTERM or SIGINT; returns the process's exit code. Call once, from main, before there are
/// threads.
int run_relay(config::Sources sources, bool verbose);

}  // namespace dormouse::relay
