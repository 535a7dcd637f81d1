#include "worker/task_check.h"

#include <utility>

#include "handlers/command.h"

namespace dormouse::worker {

TaskCheck::TaskCheck(std::map<std::string, config::Task> tasks, const handlers::Handlers& handlers, Done done)
    : tasks_(std::move(tasks)), done_(std::move(done)) {
    for (const auto& [name, task] : tasks_)
        if (task.handler == config::HandlerKind::in_process) functions_[name] = handlers.find(name)->check();
}

void TaskCheck::work() {
    for (const auto& [name, task] : tasks_) {
        if (const auto function = functions_.find(name); function != functions_.end()) {
            problem_ = function->second;
        } else if (const auto fine = handlers::check_command(task); !fine) {
            problem_ = fine.error().message;
        }
        if (!problem_.empty()) return;
    }
}

}  // namespace dormouse::worker
