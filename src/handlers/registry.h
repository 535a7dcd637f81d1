// All handlers of one pool, by task. main makes one from the config and the loop; the worker asks it for the
// handler of each run it has claimed. It owns the handlers and what their processes share.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/config.h"
#include "handlers/child.h"
#include "handlers/handler.h"
#include "handlers/in_process.h"
#include "handlers/processes.h"
#include "handlers/rehearsal.h"

namespace dormouse::handlers {

class WarmGroup;

class Handlers {
  public:
    /// If a task needs processes, prepares this one for having children. `processes` are shared with other Handlers of
    /// this process, of which there must be no others without; none: its own. `in_process`, which outlives this, has
    /// the functions of a program of its own.
    Handlers(loop::Loop& loop, const std::map<std::string, config::Task>& tasks, const config::Limits& limits,
             std::shared_ptr<Processes> processes = nullptr, InProcess* in_process = nullptr);
    ~Handlers();
    Handlers(const Handlers&) = delete;
    Handlers& operator=(const Handlers&) = delete;

    /// Null when the pool has no such task. Valid as long as this object.
    [[nodiscard]] Handler* find(const std::string& task) const;
    /// How many threads are occupied by functions that were given up.
    [[nodiscard]] std::size_t given_up() const { return in_process_ == nullptr ? 0 : in_process_->given_up(); }
    /// The first problem that Handler::check() finds, of every task; empty when all could be started now.
    [[nodiscard]] std::string check() const;
    /// Tries every task as far as that can be done without a run: `done` comes once, from a later turn, within that
    /// time. Before anything is started here, and once.
    void rehearse(const std::map<std::string, config::Task>& tasks, const config::Limits& limits, Millis within,
                  Rehearsal::Done done);
    /// One line for the status text: how a handler's processes are kept together, and why not better.
    [[nodiscard]] std::string isolation() const;
    /// One line that names the first limit of a task (memory_max, cpu_weight, pids_max) that has no effect here, and
    /// why; empty when all have.
    [[nodiscard]] const std::string& limits_without_effect() const { return without_effect_; }
    /// A start is probably near (a claim is on the wire): has the kernel's wait for moving a process into a cgroup
    /// begin now, on another thread, so that it is over when the handler is moved. Saves up to 16 ms of a start after a
    /// quiet time; does nothing without cgroups, or if it was called a moment ago.
    void expect_start();
    /// So many runs at once are started here from now on: there are threads for them. Processes follow by themselves.
    void make_room_for(int runs);
    /// No run will be started here any more: warm processes end as soon as they have none.
    void retire();

  private:
    /// The processes that this task shares with others, or its own.
    WarmGroup& group_of(const config::Task& task, const ChildHost& host, const config::Limits& limits);

    loop::Loop& loop_;
    std::string without_effect_;
    InProcess* in_process_;
    BootClock::time_point expected_at_{};
    std::shared_ptr<Processes> processes_;
    std::vector<std::unique_ptr<WarmGroup>> warm_groups_;
    std::map<std::string, std::unique_ptr<Handler>> handlers_;
    std::unique_ptr<Rehearsal> rehearsal_;
};

}  // namespace dormouse::handlers
