#include "cli/hindrance.h"

#include <algorithm>
#include <vector>

#include "cli/listeners.h"
#include "cli/run_error.h"
#include "cli/when.h"
#include "config/local_pools.h"
#include "config/text.h"
#include "sql/embedded.h"

namespace dormouse::cli {

namespace {

struct Due {
    double at = 0;
    double now = 0;
};

/// Only who may look at runs is told.
std::optional<Due> due_of(postgres::BlockingConnection& connection, const std::string& id) {
    const auto reply = connection.ask("run", sql::cli::run_now, {id});
    if (!reply || reply->rows() == 0) return std::nullopt;
    return Due{reply->real(0, 5), reply->real(0, 6)};
}

std::string words(const Due& due) {
    return absolute(due.at) + " (" + relative(due.at, due.now) + ")";
}

/// Whether the files of this machine say that none of these pools has the task. A worker elsewhere may have another
/// file.
bool nobody_knows(const std::vector<WorkerRow>& awake, const std::string& task) {
    const config::Environment environment = config::of_process();
    return std::all_of(awake.begin(), awake.end(), [&](const WorkerRow& worker) {
        const auto names = config::pools(environment);
        if (std::find(names.begin(), names.end(), worker.pool) == names.end()) return false;
        const config::LocalPool pool = config::local_pool(worker.pool, environment);
        return worker.presence.alive == Liveness::yes && pool.problem.empty() &&
               std::find(pool.tasks.begin(), pool.tasks.end(), task) == pool.tasks.end();
    });
}

std::string who_is_missing(postgres::BlockingConnection& connection, const AwaitedRun& run) {
    const auto awake = listeners(connection, run.queue);
    if (!awake) return "no worker has taken it";
    if (awake->empty()) return "no worker that serves queue " + config::quote(run.queue) + " is awake";
    if (nobody_knows(*awake, run.task)) return "no worker that is awake knows task " + config::quote(run.task);
    const bool full = std::all_of(awake->begin(), awake->end(), [](const WorkerRow& worker) {
        return worker.concurrency > 0 && worker.runs >= worker.concurrency;
    });
    return full ? "all workers of queue " + config::quote(run.queue) + " are busy"
                : "the workers that are awake have not taken it";
}

}  // namespace

Hindrance hindrance_of(postgres::BlockingConnection& connection, const AwaitedRun& run, const Standing& standing) {
    if (standing.status == "running" || standing.finished()) return {"", standing.status};
    const std::string error = error_line(standing.error);
    const auto due = due_of(connection, run.id);
    const bool later = due && due->at > due->now;
    if (standing.status == "retry" || !error.empty()) {
        const std::string after = error.empty() ? "" : " after " + error;
        const std::string text = standing.status == "retry" ? "waiting for a retry" : "back in the queue";
        return {"retry" + after, text + (later ? " at " + words(*due) : "") + after};
    }
    if (later) return {"due", "not due before " + words(*due)};
    const std::string who = who_is_missing(connection, run);
    return {who, standing.status + ", " + who};
}

}  // namespace dormouse::cli
