// Which workers hear of a run in a queue by themselves, wherever they are: those that are awake, by the registry. Used
// by whoever puts runs there.
#pragma once

#include <string>
#include <vector>

#include "cli/worker_rows.h"

namespace dormouse::cli {

/// Those of `queue`; of every queue if it is empty. Workers that execute one run alone are none. Errors: also denied,
/// for a login that may only enqueue.
Try<std::vector<WorkerRow>> listeners(postgres::BlockingConnection& connection, const std::string& queue);

}  // namespace dormouse::cli
