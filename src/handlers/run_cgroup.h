// A cgroup for each run, where systemd has delegated ours to us (Delegate=yes): the kernel then knows the
// whole tree of a handler, whatever it forks, and ends it with one write. RunCgroups is made once by
// Processes; each Child owns one RunCgroup. cgroup v2 only. Controllers are enabled only where a task sets limits: then
// the worker itself has to move, because a cgroup that enables any for what is below must have no process of its own.
//
//   <own cgroup>          the worker itself, as long as no task has limits
//   <own cgroup>/worker   there it is otherwise
//   <own cgroup>/run-P-N  one handler's tree; P: the worker's process, of which there may be two
//
// Moving a process costs 5 to 16 ms when nobody has moved one for a while (the kernel waits for a grace period;
// measured on Linux 6.18, 2 cores), so the worker does not move itself. A handler has to be moved: CLONE_INTO_CGROUP
// would take 0.2 ms, but clone3 is not there under RestrictNamespaces=. The loop does not wait for that, as the
// Launcher starts handlers; what the start itself waits is made shorter, once after each pause: see
// Handlers::expect_start().
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/unique_fd.h"

namespace dormouse::handlers {

/// What one handler's tree may use; 0: as much as it likes. Source: memory.max, cpu.weight and pids.max in
/// cgroup-v2.rst.
struct CgroupLimits {
    std::int64_t memory_max = 0;  ///< bytes; above that the kernel kills the whole tree
    int cpu_weight = 0;           ///< 1 to 10,000; 100 is what everybody else has
    int pids_max = 0;             ///< processes and threads

    [[nodiscard]] bool any() const { return memory_max > 0 || cpu_weight > 0 || pids_max > 0; }
};

/// Writes those limits whose controllers are among `enabled` into the files of the cgroup `directory`. Errors: what
/// open or write say, with the path.
Status write_limits(const std::string& directory, const CgroupLimits& limits, const std::set<std::string>& enabled);

/// Owner of one run's cgroup: removed, with what the handler made below it, when this goes out of scope.
class RunCgroup {
  public:
    RunCgroup(std::string directory, UniqueFd procs) : directory_(std::move(directory)), procs_(std::move(procs)) {}
    RunCgroup(RunCgroup&& other) noexcept
        : directory_(std::exchange(other.directory_, {})), procs_(std::move(other.procs_)) {}
    RunCgroup& operator=(RunCgroup&&) = delete;
    RunCgroup(const RunCgroup&) = delete;
    RunCgroup& operator=(const RunCgroup&) = delete;
    ~RunCgroup();

    [[nodiscard]] const std::string& directory() const { return directory_; }
    /// Whoever writes "0" here moves itself into the cgroup.
    [[nodiscard]] int procs_fd() const { return procs_.get(); }
    /// SIGKILL to everything in it and below, in one step that no fork escapes. Source: cgroup.kill in
    /// cgroup-v2.rst.
    void kill() const;
    /// Whether a process that is not a zombie is left in it or below.
    [[nodiscard]] bool populated() const;
    /// The processes in it and below that are no zombies.
    [[nodiscard]] std::vector<pid_t> pids() const;
    /// CPU time of everything that has run in it.
    [[nodiscard]] std::optional<Millis> cpu() const;
    /// The most memory it had at once; only with the memory controller and Linux 5.19.
    [[nodiscard]] std::optional<std::int64_t> peak_memory() const;
    /// The kernel killed something in it because memory_max was reached.
    [[nodiscard]] bool out_of_memory() const;

  private:
    std::string directory_;
    UniqueFd procs_;
};

class RunCgroups {
  public:
    /// Finds the own cgroup, whether it is delegated, and removes what a killed worker left below it. `root` is where
    /// cgroup v2 is mounted; `own` is a file as /proc/self/cgroup.
    explicit RunCgroups(const std::string& root = "/sys/fs/cgroup", const std::string& own = "/proc/self/cgroup");

    [[nodiscard]] bool available() const { return why_not_.empty(); }
    /// One line for the status text; empty when available.
    [[nodiscard]] const std::string& why_not() const { return why_not_; }
    /// Runs will have limits: moves this process into `worker` and enables what limits need, as far as it is there.
    /// Once, before the first make(); takes 5 to 16 ms. Only when available(). Errors: denied or transient, with the
    /// path.
    Status enable_controllers();
    /// Whether that limit has an effect: its controller is enabled.
    [[nodiscard]] bool limits_memory() const { return enabled_.contains("memory"); }
    [[nodiscard]] bool limits_cpu() const { return enabled_.contains("cpu"); }
    [[nodiscard]] bool limits_pids() const { return enabled_.contains("pids"); }
    /// Makes run-P-N with those limits whose controllers are enabled. Only when available(). Errors: what mkdir, open
    /// or write say.
    Result<RunCgroup> make(const CgroupLimits& limits = {}) { return maker(limits)(); }
    /// The same for another thread, which may do it when this is gone.
    [[nodiscard]] std::function<Result<RunCgroup>()> maker(const CgroupLimits& limits) const;
    /// SIGKILL to all that another process, which has died, has left in its cgroups. Only when available().
    void kill_runs_of(int process) const;
    /// Whoever writes "0" here moves itself to where the worker is. Only when available().
    [[nodiscard]] std::string own_procs() const { return own_ + "/cgroup.procs"; }

  private:
    std::string set_up(const std::string& root, const std::string& own);

    std::string base_;  ///< where run-P-N are made
    std::string own_;   ///< where this process is
    std::set<std::string> enabled_;
    std::string why_not_;  // made by set_up(), which fills what is above
    std::shared_ptr<std::atomic<unsigned long>> last_ = std::make_shared<std::atomic<unsigned long>>(0);
};

}  // namespace dormouse::handlers
