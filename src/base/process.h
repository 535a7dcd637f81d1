// What tells a process from every other: when it started, in which boot and PID namespace; and the unit it belongs to.
// Workers register themselves with it, commands look for them by it. Only looks.
#pragma once

#include <cstdint>
#include <string>

namespace dormouse {

/// In place of a pid: the process that asks. A pid would be looked for in whatever /proc is mounted.
inline constexpr std::int64_t this_process = 0;

/// Clock ticks after boot; -1: no such process, or it cannot be looked into. Source: proc(5), stat field 22.
std::int64_t start_of(std::int64_t pid);

/// The service it belongs to, of the system's manager or of its user's, by its cgroup and not by INVOCATION_ID, which
/// shells inherit; empty: none, but a terminal, a session, a container.
std::string unit_of(std::int64_t pid);

/// What gethostname says.
std::string this_host();
/// As text; empty where it cannot be read.
std::string this_boot();
/// In which pids mean what they mean here: an inode number. 0: unknown. Source: pid_namespaces(7).
std::int64_t this_pid_namespace();
/// Whether the processes of all PID namespaces of this boot are in /proc: in the first one, and nothing is hidden.
bool sees_all_processes();

}  // namespace dormouse
