// Who this process is, for the registry: enough to tell it from a later process with the same pid, on this host or
// another.
#pragma once

#include <string>
#include <vector>

#include "config/config.h"
#include "store/identity.h"
#include "worker/errand.h"

namespace dormouse::worker {

/// Reads host name, boot id, start time (proc(5)) and the unit's own cgroup path. A part that cannot be read is left
/// empty: the registry is for people and for rescue, which then waits for the lease.
store::Identity make_identity(const std::string& pool, const std::vector<std::string>& queues);
/// The same, with what it is started for.
store::Identity make_identity(const config::Config& config, const Errand& errand);

}  // namespace dormouse::worker
