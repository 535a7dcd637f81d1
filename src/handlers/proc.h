// What /proc says about other processes. Used by Orphans, Leftovers, Survivors, and by commands that look at workers;
// tells, and never signals or reaps anything. Every answer may be out of date by the time it is read: a pid is only
// safe to act on while its process cannot be reaped by anybody else, which is so for our own children.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace dormouse::handlers {

struct ProcessStat {
    char state = '?';
    pid_t parent = 0;
    pid_t session = 0;
    std::uint64_t began = 0;  ///< in ticks since boot: what ticks_now() said then
};

/// Of all processes that /proc shows here.
std::vector<pid_t> all_processes();

/// Nothing when there is no such process. Source: proc(5), /proc/PID/stat.
std::optional<ProcessStat> stat_of(pid_t pid);

/// The present in the ticks in which /proc says when a process began, a hundredth of a second as a rule.
std::uint64_t ticks_now();

/// The direct children of a process, zombies among them; complete for our own, a good guess for others.
/// Reads /proc/PID/task/*/children, or every stat where the kernel has no such file (CONFIG_PROC_CHILDREN).
std::vector<pid_t> children_of(pid_t pid);

/// Children, their children, and so on, without `pid` itself.
std::vector<pid_t> descendants_of(pid_t pid);

/// The value of one variable in the environment the process was started with; nothing when it has none, or
/// when it is a zombie or somebody else's.
std::optional<std::string> variable_of(pid_t pid, const std::string& name);

/// Whether the process is inside execve, between its old and its new program: it has no environment to read
/// for a moment. False for one whose environment is empty for good, and for one that we may not look into.
bool is_loading(pid_t pid);

}  // namespace dormouse::handlers
