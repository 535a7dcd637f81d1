#include "handlers/registry.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "handlers/command.h"
#include "handlers/exec.h"
#include "handlers/warm.h"
#include "loop/background.h"

namespace dormouse::handlers {

namespace {

/// A handler that does not read its stdin must not end us, and an ignored SIGCHLD, which we may have inherited, would
/// throw exit statuses away.
void prepare_signals() {
    ::signal(SIGPIPE, SIG_IGN);
    if (!exit_statuses_are_kept()) ::signal(SIGCHLD, SIG_DFL);
}

}  // namespace

bool have_processes(const std::map<std::string, config::Task>& tasks) {
    return tasks.empty() || std::any_of(tasks.begin(), tasks.end(), [](const auto& entry) {
               return entry.second.handler != config::HandlerKind::in_process;
           });
}

bool exit_statuses_are_kept() {
    struct sigaction present{};
    ::sigaction(SIGCHLD, nullptr, &present);
    return present.sa_handler != SIG_IGN && (present.sa_flags & SA_NOCLDWAIT) == 0;
}

Handlers::Handlers(loop::Loop& loop, const std::map<std::string, config::Task>& tasks, const config::Limits& limits,
                   std::optional<RunCgroups> cgroups, InProcess* in_process)
    : loop_(loop),
      in_process_(in_process),
      cgroups_(cgroups                 ? std::move(*cgroups)
               : have_processes(tasks) ? RunCgroups()
                                       : RunCgroups("/no task has a process")),
      launcher_(loop, cgroups_),
      orphans_(loop, launcher_) {
    if (have_processes(tasks)) {
        prepare_signals();
        // Process 1 gets orphans whether it wants them or not.
        if (!cgroups_.available() || ::getpid() == 1) orphans_.adopt();
        enable_limits(tasks);
    }
    const ChildHost host{loop, launcher_, orphans_};
    for (const auto& [name, task] : tasks) {
        switch (task.handler) {
            case config::HandlerKind::exec:
                handlers_[name] = std::make_unique<ExecHandler>(host, task, limits);
                break;
            case config::HandlerKind::warm:
                handlers_[name] = std::make_unique<WarmHandler>(task, group_of(task, host, limits));
                break;
            case config::HandlerKind::in_process:
                handlers_[name] = std::make_unique<InProcessHandler>(
                    loop, name, in_process, in_process == nullptr ? nullptr : in_process->find(name));
                break;
        }
    }
}

Handlers::~Handlers() = default;

void Handlers::enable_limits(const std::map<std::string, config::Task>& tasks) {
    const auto limited = [](const auto& entry) { return limits_of(entry.second).any(); };
    if (std::none_of(tasks.begin(), tasks.end(), limited)) return;
    std::string why = cgroups_.why_not();
    if (cgroups_.available()) {
        const Status done = cgroups_.enable_controllers();
        why = done ? "this cgroup has no such controller (in its unit it has, by Delegate=yes, if the kernel's unified "
                     "hierarchy has it)"
                   : done.error().message;
    }
    for (const auto& [name, task] : tasks) {
        const char* lost = task.memory_max > 0 && !cgroups_.limits_memory() ? "memory_max"
                           : task.cpu_weight > 0 && !cgroups_.limits_cpu()  ? "cpu_weight"
                           : task.pids_max > 0 && !cgroups_.limits_pids()   ? "pids_max"
                                                                            : nullptr;
        if (lost == nullptr || !without_effect_.empty()) continue;
        without_effect_ = "task " + name + ": " + lost + " has no effect: " + why;
    }
}

WarmGroup& Handlers::group_of(const config::Task& task, const ChildHost& host, const config::Limits& limits) {
    for (const auto& group : warm_groups_)
        if (group->shared_by(task)) return *group;
    return *warm_groups_.emplace_back(std::make_unique<WarmGroup>(host, task, limits));
}

Handler* Handlers::find(const std::string& task) const {
    const auto found = handlers_.find(task);
    return found == handlers_.end() ? nullptr : found->second.get();
}

std::string Handlers::check() const {
    for (const auto& [name, handler] : handlers_) {
        if (auto problem = handler->check(); !problem.empty()) return problem;
    }
    return {};
}

void Handlers::rehearse(const std::map<std::string, config::Task>& tasks, const config::Limits& limits, Millis within,
                        Rehearsal::Done done) {
    rehearsal_ = std::make_unique<Rehearsal>(ChildHost{loop_, launcher_, orphans_}, limits);
    for (const auto& [name, task] : tasks) rehearsal_->add(task, find(name)->check());
    rehearsal_->begin(within, std::move(done));
}

void Handlers::expect_start() {
    constexpr Millis a_moment{20};
    if (!cgroups_.available() || since(expected_at_) < a_moment) return;
    expected_at_ = BootClock::now();
    // Moving the worker to where it is changes nothing and waits for the same grace period.
    loop::in_background(loop_, [path = cgroups_.own_procs()] {
        const UniqueFd procs(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
        if (procs.valid()) (void)!::write(procs.get(), "0", 1);
    });
}

std::string Handlers::isolation() const {
    if (cgroups_.available()) return "a cgroup for each run";
    return "a process group for each run: " + cgroups_.why_not();
}

}  // namespace dormouse::handlers
