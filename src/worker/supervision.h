// Whether this process is the worker of its pool's own unit: the one that has the doorbell, the spool and the promises,
// and whose due file a helper reads. Asked once by Pool. `dormouse worker POOL` anywhere else is a worker in the
// foreground, also in a service of somebody's that has a RuntimeDirectory= too, or in a handler of the pool.
#pragma once

#include <optional>
#include <string>

#include "config/load.h"

namespace dormouse::worker {

struct Supervision {
    std::string runtime_directory;  ///< the due file is in its POOL/
    std::string state_directory;    ///< the unit's; empty: it has none
};

/// The first of $STATE_DIRECTORY, which systemd gives a unit, and somebody may give a container. Empty: there is none.
std::string state_directory();

/// It is, if RUNTIME_DIRECTORY is the pool's and
///   - /run/dormouse/POOL, and this is the main process of dormouse@POOL.service, by its cgroup; or
///   - in the directory that DORMOUSE_PATHS_RUNTIME_DIRECTORY names: whoever made a unit of another name says so by
///   both.
/// Source: systemd.exec(5), $RUNTIME_DIRECTORY and $SYSTEMD_EXEC_PID (which older releases do not set).
std::optional<Supervision> supervision_of(const config::Sources& sources);

}  // namespace dormouse::worker
