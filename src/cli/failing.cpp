#include "cli/failing.h"

#include <algorithm>

#include "base/text.h"
#include "sql/embedded.h"

namespace dormouse::cli {
namespace {

/// So many waiting for another attempt are no accident.
constexpr std::int64_t many_retrying = 10;
constexpr std::int64_t many_failed = 3;  ///< one is the run's matter, so many within an hour are the task's
constexpr std::int64_t counted_up_to = 1'000;

std::string runs(std::int64_t count, bool more = false) {
    if (count >= counted_up_to) return "1,000 or more runs";
    return std::to_string(count) + (more ? " or more" : "") + (count == 1 && !more ? " run" : " runs");
}

/// The pool of this machine that has the task.
const PoolSeen* pool_of(const Overview& overview, const std::string& task) {
    for (const PoolSeen& pool : overview.pools)
        if (pool.local &&
            std::find(pool.local->tasks.begin(), pool.local->tasks.end(), task) != pool.local->tasks.end())
            return &pool;
    return nullptr;
}

bool is_refusal_of_the_database(const std::string& error_class) {
    return error_class == "trigger_refused" || error_class == "payload_rejected" || error_class == "result_rejected" ||
           error_class == "follow_up_rejected";
}

}  // namespace

Try<std::vector<FailingTask>> failing_tasks(postgres::BlockingConnection& connection) {
    const auto reply = connection.ask("status", sql::cli::failing);
    if (!reply) return give_up(reply.error());
    std::vector<FailingTask> tasks;
    for (int row = 0; row < reply->rows(); ++row)
        tasks.push_back({std::string(reply->text(row, 0)), reply->integer(row, 1), reply->integer(row, 2),
                         reply->integer(row, 3), std::string(reply->text(row, 4)), std::string(reply->text(row, 5)),
                         std::string(reply->text(row, 6)), reply->boolean(row, 7)});
    return tasks;
}

std::optional<Attention> attention_of(const Overview& overview, const FailingTask& task) {
    const std::string about = "task " + task.task;
    const std::string error = brief(task.error_message);
    if (task.error_class == "spawn") {
        const PoolSeen* const pool = pool_of(overview, task.task);
        return Attention{
            Severity::critical, about,
            "it cannot be started: " + error +
                (task.retrying > 0 ? "; " + runs(task.retrying) + " waiting for another attempt" : ""),
            pool == nullptr ? "dormouse show " + task.newest : "dormouse worker " + pool->name + " --check"};
    }
    const bool refused = is_refusal_of_the_database(task.error_class);
    if (task.failed_in_an_hour >= many_failed || (refused && task.failed_in_an_hour > 0))
        return Attention{Severity::warning, about,
                         runs(task.failed_in_an_hour, task.more) + " failed in the last hour, the last one: " +
                             (refused ? task.error_class + ": " : "") + error,
                         "dormouse show " + task.newest};
    if (task.retrying >= many_retrying)
        return Attention{Severity::warning, about,
                         runs(task.retrying) + " waiting for another attempt, the last one after: " + error,
                         "dormouse show " + task.newest};
    return std::nullopt;
}

}  // namespace dormouse::cli
