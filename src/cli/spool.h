// dormouse enqueue --spool: the run goes into the spool of a pool of this machine, as a file; no database is asked. The
// pool's path unit wakes it, and its worker imports the file.
#pragma once

#include "cli/enqueue.h"

namespace dormouse::cli {

/// Fails with config (no pool serves the queue, or the pool has no spool), denied (its group is not ours), usage.
Outcome enqueue_by_spool(const EnqueueOptions& options, const config::Environment& environment);

/// Without a database the same run can be spooled: how, for the end of a message. Empty if it cannot.
std::string by_spool_instead(const EnqueueOptions& options, const config::Environment& environment);

}  // namespace dormouse::cli
