// What the children of this process share, whichever configuration their handlers are of: the cgroups of runs, the
// threads that start programs, and who looks after orphans. Made once, by Pool or by the first Handlers, and outlives
// every child.
#pragma once

#include <map>
#include <string>

#include "config/config.h"
#include "handlers/child.h"
#include "handlers/launcher.h"
#include "handlers/orphans.h"
#include "handlers/run_cgroup.h"
#include "loop/loop.h"

namespace dormouse::handlers {

/// Whether one of these tasks needs processes. A program whose tasks are all its own functions has none.
bool have_processes(const std::map<std::string, config::Task>& tasks);

/// Whether the kernel keeps the exit status of a child until somebody takes it: not when SIGCHLD is ignored.
/// Source: wait(2), NOTES.
bool exit_statuses_are_kept();

class Processes {
  public:
    /// Finds where cgroups can be made; changes nothing of this process.
    explicit Processes(loop::Loop& loop, RunCgroups cgroups = RunCgroups());
    Processes(const Processes&) = delete;
    Processes& operator=(const Processes&) = delete;

    /// Prepares this process for having children, if one of these tasks needs any: SIGPIPE ignored, exit statuses kept,
    /// orphans adopted where there is no cgroup for each run, controllers enabled that limits need. Before the first
    /// child of such a task, and again with each configuration.
    /// Returns one line that names the first limit of a task (memory_max, cpu_weight, pids_max) that has no effect
    /// here, and why; empty when all have.
    std::string prepare(const std::map<std::string, config::Task>& tasks);
    [[nodiscard]] ChildHost host() { return {loop_, launcher_, orphans_}; }
    [[nodiscard]] const RunCgroups& cgroups() const { return cgroups_; }

  private:
    std::string enable_limits(const std::map<std::string, config::Task>& tasks);

    loop::Loop& loop_;
    RunCgroups cgroups_;
    Launcher launcher_;
    Orphans orphans_;
};

}  // namespace dormouse::handlers
