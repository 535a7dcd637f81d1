#include "handlers/registry.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "handlers/exec.h"
#include "loop/background.h"

namespace dormouse::handlers {

namespace {

/// A handler that does not read its stdin must not end us, and an ignored SIGCHLD, which we may have
/// inherited, would throw exit statuses away. Source: wait(2), NOTES.
void prepare_signals() {
    ::signal(SIGPIPE, SIG_IGN);
    struct sigaction present{};
    ::sigaction(SIGCHLD, nullptr, &present);
    if (present.sa_handler == SIG_IGN || (present.sa_flags & SA_NOCLDWAIT) != 0) ::signal(SIGCHLD, SIG_DFL);
}

/// A program whose tasks are all its own functions is left as it is.
bool has_processes(const std::map<std::string, config::Task>& tasks) {
    return tasks.empty() || std::any_of(tasks.begin(), tasks.end(), [](const auto& entry) {
               return entry.second.handler != config::HandlerKind::in_process;
           });
}

}  // namespace

Handlers::Handlers(loop::Loop& loop, const std::map<std::string, config::Task>& tasks, const config::Limits& limits,
                   std::optional<RunCgroups> cgroups, InProcess* in_process)
    : loop_(loop),
      in_process_(in_process),
      cgroups_(cgroups                ? std::move(*cgroups)
               : has_processes(tasks) ? RunCgroups()
                                      : RunCgroups("/no task has a process")),
      orphans_(loop) {
    if (has_processes(tasks)) {
        prepare_signals();
        // Process 1 gets orphans whether it wants them or not.
        if (!cgroups_.available() || ::getpid() == 1) orphans_.adopt();
    }
    const ChildHost host{loop, cgroups_, orphans_};
    for (const auto& [name, task] : tasks) {
        switch (task.handler) {
            case config::HandlerKind::exec:
                handlers_[name] = std::make_unique<ExecHandler>(host, task, limits);
                break;
            case config::HandlerKind::in_process:
                handlers_[name] = std::make_unique<InProcessHandler>(
                    loop, name, in_process, in_process == nullptr ? nullptr : in_process->find(name));
                break;
        }
    }
}

Handlers::~Handlers() = default;

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
