// What a task's on_failure does: the end of a run that has failed for good asks for a run of that task, which is
// enqueued in the same transaction. Used by Flights and Claims. Pure.
#pragma once

#include <string>

#include "config/config.h"
#include "store/round.h"

namespace dormouse::worker {

/// Adds to `ending`, if it fails the run, what `task` wants enqueued then, into `queue`. `attempts`: how many it had.
void add_failure_hook(store::Ending& ending, const config::Task& task, const std::string& queue, int attempts);

}  // namespace dormouse::worker
