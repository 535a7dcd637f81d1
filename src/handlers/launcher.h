// Starts programs on threads of its own: the files that a start needs (program, working directory, environment file)
// may be on a disk that hangs, and then only that start may wait. Made once by Processes, driven by Child on the loop's
// thread. Knows no run and keeps no process: what has started is the caller's.
//
//   waiting ──a thread takes it──▶ preparing ──files are read──▶ cloning ──program is loaded, or cannot be──▶ over
//      └──────── signal() ──────────────┴──▶ over: nothing of it runs
//
// The threads stay until this goes: the kernel kills what they have started when they end (PR_SET_PDEATHSIG). One or
// two do for all starts, until some are held; then each of those has its own.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/error.h"
#include "handlers/run_cgroup.h"
#include "handlers/spawn.h"
#include "loop/async.h"
#include "loop/timer.h"

namespace dormouse::handlers {

/// What is to be started.
struct Order {
    std::string name;                         ///< for errors: "task x"
    std::function<Result<Launch>()> prepare;  ///< on another thread, may hang; owns all that it touches
    CgroupLimits limits;
};

/// What has started.
struct Started {
    Spawned process;
    std::optional<RunCgroup> cgroup;  ///< with all of the process in it, where there are cgroups
};

class Launcher {
  public:
    struct Start;  ///< one that may not be over
    using Ticket = std::shared_ptr<Start>;
    using OnOver = std::function<void(Result<Started> outcome)>;

    /// `cgroups` outlives it.
    Launcher(loop::Loop& loop, RunCgroups& cgroups);
    /// No start may be left but those that were given up. Whatever hangs is left to its thread, which clears away
    /// behind itself: see loop::AtWork.
    ~Launcher();
    Launcher(const Launcher&) = delete;
    Launcher& operator=(const Launcher&) = delete;

    /// `on_over` comes once, from a later turn, unless the start is given up. Errors: what `prepare` says, and spawn().
    Ticket start(Order order, OnOver on_over);
    /// Ends a start before it is over: at once, if there is no process yet; else the process gets the signal, and the
    /// start is over when it has ended or has been loaded.
    void signal(const Ticket& start, int number);
    /// Kills what there is of a start and waits `within` for that; `on_over` will not come. None: nothing has started,
    /// or it is cleared away later.
    std::optional<Started> give_up(const Ticket& start, Millis within);
    /// Whether that is the process of a start that is not over. True from before it leaves our session.
    [[nodiscard]] bool is_starting(pid_t pid) const;

  private:
    struct Shared;
    static void live(Shared& shared);
    static void work(Shared& shared, const Ticket& start);
    bool add_thread();
    void on_held();
    void on_knock();

    RunCgroups& cgroups_;
    std::shared_ptr<Shared> shared_;
    loop::Timer timer_;  ///< armed only while a start waits for a thread
    loop::Async knock_;
};

}  // namespace dormouse::handlers
