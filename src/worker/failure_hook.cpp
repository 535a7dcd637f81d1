#include "worker/failure_hook.h"

#include <nlohmann/json.hpp>

namespace dormouse::worker {

void add_failure_hook(store::Ending& ending, const config::Task& task, const std::string& queue, int attempts) {
    if (ending.kind != store::Ending::failed || task.on_failure.empty()) return;
    const nlohmann::ordered_json payload{{"run_id", ending.held.id.to_string()},
                                         {"task", task.name},
                                         {"queue", queue},
                                         {"attempts", attempts},
                                         {"error", {{"class", ending.error_class}, {"message", ending.error_message}}}};
    const nlohmann::ordered_json run{{"task", task.on_failure}, {"queue", queue}, {"payload", payload}};
    ending.enqueue = "[" + run.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "]";
}

}  // namespace dormouse::worker
