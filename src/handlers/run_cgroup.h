// A cgroup for each run, where systemd has delegated ours to us (Delegate=yes): the kernel then knows the
// whole tree of a handler, whatever it forks, and ends it with one write. RunCgroups is made once by
// Handlers; each Child owns one RunCgroup. cgroup v2 only. It sets no limits and enables no controllers.
//
//   <own cgroup>          the worker itself: it may stay, because no controllers are enabled for what is below
//   <own cgroup>/run-N    one handler's tree
//
// Moving a process costs 5 to 16 ms when nobody has moved one for a while (the kernel waits for a grace period;
// measured on Linux 6.18, 2 cores), so the worker does not move itself. A handler has to be moved: CLONE_INTO_CGROUP
// would take 0.2 ms, but clone3 is not there under RestrictNamespaces=. See Handlers::expect_start().
#pragma once

#include <optional>
#include <string>

#include "base/clock.h"
#include "base/error.h"
#include "base/unique_fd.h"

namespace dormouse::handlers {

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
    /// CPU time of everything that has run in it.
    [[nodiscard]] std::optional<Millis> cpu() const;

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
    /// Makes run-N. Only when available(). Errors: what mkdir or open say.
    Result<RunCgroup> make();
    /// Whoever writes "0" here moves itself to where the worker is. Only when available().
    [[nodiscard]] std::string own_procs() const { return base_ + "/cgroup.procs"; }

  private:
    std::string set_up(const std::string& root, const std::string& own);

    std::string base_;
    std::string why_not_;
    unsigned long last_ = 0;
};

}  // namespace dormouse::handlers
