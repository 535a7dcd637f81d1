#include "cli/listeners.h"

#include <algorithm>

namespace dormouse::cli {

Try<std::vector<WorkerRow>> listeners(postgres::BlockingConnection& connection, const std::string& queue) {
    auto workers = read_workers(connection, Which::awake);
    if (!workers) return tl::unexpected(workers.error());
    std::erase_if(workers->rows, [&](const WorkerRow& one) {
        const bool lives = one.condition == "live" || one.condition == "idle";
        const bool serves = queue.empty() || std::find(one.queues.begin(), one.queues.end(), queue) != one.queues.end();
        return !lives || one.state != "awake" || !one.run.empty() || !serves;
    });
    return std::move(workers->rows);
}

}  // namespace dormouse::cli
