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
};

enum class Alive { yes, no, elsewhere };

/// `elsewhere`: on another host or in an earlier boot of a host of another name. Source: proc(5), stat
/// field 22.
Alive alive(const ProcessMark& mark);

struct Presence {
    Alive alive = Alive::elsewhere;
    bool other_boot = false;  ///< only then may it be a machine of the same name, whose processes nobody here sees
    pid_t pid = 0;            ///< as this process sees it: in a container the worker knows itself by another
    std::string evidence;     ///< why it is gone: no such process, another one, the machine has been started anew
};

/// The same, with the evidence. `in_containers`: also finds a worker in a container that has this host's name, which
/// reads all of /proc. A process that cannot be looked into is taken for alive.
Presence presence_of(const ProcessMark& mark, bool in_containers = true);

/// Clock ticks after boot; -1: no such process, or it cannot be looked into.
std::int64_t start_of(std::int64_t pid);

/// What gethostname says, as workers register themselves.
std::string this_host();
std::string this_boot();

/// The service it belongs to, by its cgroup; empty: none.
std::string unit_of(pid_t pid);

/// Whether its command line is `…dormouse worker …`.
bool is_worker(pid_t pid);
/// Processes of this host of which that is so.
std::vector<pid_t> worker_processes();

}  // namespace dormouse::cli
