// The workers of this host, sorted into those that are left alone and those that are of no use any more. Used by reap;
// only looks.
#pragma once

#include <string>
#include <vector>

#include "cli/worker_rows.h"

namespace dormouse::cli {

enum class SuspectKind { production, active, stale, elsewhere };

struct Suspect {
    SuspectKind kind = SuspectKind::active;
    std::string reason;
    WorkerRow row;  ///< id is empty for a process that has no row in this database
    pid_t pid = 0;  ///< the process that is there; 0: none
};

/// Production: a unit has it. Stale, each by a proof and never by age alone:
///   a row says awake or holds runs, and its process is gone (after a restart of the machine: and no lease stands,
///   since it may be another machine of the same name); a process of no unit is stopped, and the lease of a run it
///   holds has ended long ago; a process of no unit has left the database for good, and so has whoever started it; a
///   process of no unit executes one run alone (--run), and that is over.
/// Elsewhere: a worker of another host whose only run is over.
/// Everything else is active. A process without a row here may serve another database: active.
std::vector<Suspect> suspects_of(const WorkerRows& workers);

const char* to_string(SuspectKind kind);

}  // namespace dormouse::cli
