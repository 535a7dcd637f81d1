#include "handlers/processes.h"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <utility>

#include "handlers/command.h"

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

Processes::Processes(loop::Loop& loop, RunCgroups cgroups)
    : loop_(loop), cgroups_(std::move(cgroups)), launcher_(loop, cgroups_), orphans_(loop, launcher_) {}

std::string Processes::prepare(const std::map<std::string, config::Task>& tasks) {
    if (!have_processes(tasks)) return {};
    prepare_signals();
    // Process 1 gets orphans whether it wants them or not.
    if (!cgroups_.available() || ::getpid() == 1) orphans_.adopt();
    return enable_limits(tasks);
}

std::string Processes::enable_limits(const std::map<std::string, config::Task>& tasks) {
    const auto limited = [](const auto& entry) { return limits_of(entry.second).any(); };
    if (std::none_of(tasks.begin(), tasks.end(), limited)) return {};
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
        if (lost != nullptr) return "task " + name + ": " + lost + " has no effect: " + why;
    }
    return {};
}

}  // namespace dormouse::handlers
