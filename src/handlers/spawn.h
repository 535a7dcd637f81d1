// Starts one program, without a shell and without copying our address space. Called by Child, from any
// thread. What it starts must be reaped by the caller.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/unique_fd.h"

namespace dormouse::handlers {

/// How the program speaks with us beside its stdio: what it finds as descriptor control_fd.
enum class Control {
    none,
    pipe,    ///< it writes, we read
    socket,  ///< a stream, both ways
};
inline constexpr int control_fd = 3;

/// What to start.
struct Launch {
    std::string file;                      ///< path of the program; a relative one is taken from `directory`
    std::vector<std::string> arguments;    ///< with the program's name first
    std::vector<std::string> environment;  ///< NAME=VALUE; all of it, ours is not added
    std::string directory;                 ///< empty: ours
    Control control = Control::none;
    int umask = -1;       ///< -1: ours
    bool network = true;  ///< false: see no_network.h
};

struct Spawned {
    pid_t pid = -1;
    UniqueFd pidfd;    ///< readable once the process has ended
    UniqueFd input;    ///< our end of its stdin, not blocking
    UniqueFd output;   ///< our end of its stdout, not blocking
    UniqueFd errors;   ///< our end of its stderr, not blocking
    UniqueFd control;  ///< our end of its control descriptor, not blocking; invalid with Control::none
};

/// What other threads may know of a spawn() that has not returned, because the kernel waits for a disk: how to end it.
struct InFlight {
    std::atomic<pid_t> pid{0};  ///< 0: there is no process yet. Known before the process leaves our session
    std::atomic<int> pidfd{-1};
    std::atomic<bool> called_off{false};  ///< true: the program is not to be executed, unless it is already
    UniqueFd failed;                      ///< keeps the pidfd of a process that could not execute its program
};

/// Starts the program as leader of a new session, with default signal handling, with no descriptor but
/// these, and with SIGKILL to come when the calling thread dies. With `cgroup_procs_fd` >= 0 it enters
/// that cgroup before anything of the program runs. Returns when the program has been loaded, which can take as long as
/// a disk likes; `in_flight` (may be null) says what there is until then. Errors: what pipe2, socketpair, clone, chdir
/// or execve say; then nothing of the program has run and nothing is left to reap. Source: clone(2), CLONE_VM |
/// CLONE_VFORK | CLONE_PIDFD.
Result<Spawned> spawn(const Launch& launch, int cgroup_procs_fd, InFlight* in_flight = nullptr);

}  // namespace dormouse::handlers
