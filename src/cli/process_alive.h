// Whether a worker that registered itself still runs, as far as this machine can tell, and what can be seen of it. Used
// by status, workers and reap. Only looks.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace dormouse::cli {

struct ProcessMark {
    std::string host;
    std::string boot_id;
    std::int64_t pid = 0;
    std::int64_t start = 0;  ///< clock ticks after boot, as in the registry
    std::int64_t pid_namespace = 0;
};

enum class Liveness { yes, no, elsewhere };

/// `elsewhere`: on a host of another boot and name, or in a container of another name that nobody here sees into.
/// Where a boot is the same a host's name does not matter: it may have changed.
Liveness alive(const ProcessMark& mark);

struct Presence {
    Liveness alive = Liveness::elsewhere;
    bool unseen =
        false;      ///< it may be on a machine or in a container of the same name, whose processes nobody here sees
    pid_t pid = 0;  ///< as this process sees it: in a container the worker knows itself by another
    std::string evidence;  ///< why it is gone: no such process, another one, the machine has been started anew
};

/// The same, with the evidence. `in_containers`: also finds a worker in a container of this host, which reads all of
/// /proc. A process that cannot be looked into is taken for alive.
Presence presence_of(const ProcessMark& mark, bool in_containers = true);

/// Whether its command line is `…dormouse worker …`.
bool is_worker(pid_t pid);
/// Those of this host that are.
std::vector<pid_t> worker_processes();

}  // namespace dormouse::cli
