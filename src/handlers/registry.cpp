#include "handlers/registry.h"

#include <fcntl.h>
#include <unistd.h>

#include <utility>

#include "handlers/exec.h"
#include "handlers/warm.h"
#include "loop/background.h"

namespace dormouse::handlers {

Handlers::Handlers(loop::Loop& loop, const std::map<std::string, config::Task>& tasks, const config::Limits& limits,
                   std::shared_ptr<Processes> processes, InProcess* in_process)
    : loop_(loop), in_process_(in_process), processes_(std::move(processes)) {
    if (!processes_)
        processes_ = std::make_shared<Processes>(
            loop, have_processes(tasks) ? RunCgroups() : RunCgroups("/no task has a process"));
    without_effect_ = processes_->prepare(tasks);
    const ChildHost host = processes_->host();
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
    rehearsal_ = std::make_unique<Rehearsal>(processes_->host(), limits);
    for (const auto& [name, task] : tasks) rehearsal_->add(task, find(name)->check());
    rehearsal_->begin(within, std::move(done));
}

void Handlers::expect_start() {
    constexpr Millis a_moment{20};
    if (!processes_->cgroups().available() || since(expected_at_) < a_moment) return;
    expected_at_ = BootClock::now();
    // Moving the worker to where it is changes nothing and waits for the same grace period.
    loop::in_background(loop_, [path = processes_->cgroups().own_procs()] {
        const UniqueFd procs(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
        if (procs.valid()) (void)!::write(procs.get(), "0", 1);
    });
}

void Handlers::make_room_for(int runs) {
    if (in_process_ != nullptr) in_process_->set_most_threads(runs);
}

void Handlers::retire() {
    for (const auto& group : warm_groups_) group->retire();
}

std::string Handlers::isolation() const {
    if (processes_->cgroups().available()) return "a cgroup for each run";
    return "a process group for each run: " + processes_->cgroups().why_not();
}

}  // namespace dormouse::handlers
