#include "worker/task_check.h"

#include <filesystem>
#include <system_error>
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
        if (task.handler == config::HandlerKind::warm) look_for_files(task);
        if (!found_.problem.empty()) continue;
        if (const auto function = functions_.find(name); function != functions_.end()) {
            found_.problem = function->second;
        } else if (const auto fine = handlers::check_command(task); !fine) {
            found_.problem = fine.error().message;
        }
    }
}

/// Not the program itself if it is found by PATH: it is one of the system's.
void TaskCheck::look_for_files(const config::Task& task) {
    for (const std::string& word : task.command) {
        if (&word == &task.command.front() && word.find('/') == std::string::npos) continue;
        std::error_code none;
        const auto path = std::filesystem::absolute(std::filesystem::path(task.working_directory) / word, none);
        if (none || !std::filesystem::is_regular_file(path, none)) continue;
        found_.files.push_back(path.lexically_normal());
        if (const auto target = std::filesystem::canonical(path, none); !none && target != path)
            found_.files.push_back(target);
    }
}

}  // namespace dormouse::worker
