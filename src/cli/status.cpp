#include "cli/status.h"

#include <nlohmann/json.hpp>

#include "cli/overview.h"
#include "cli/text.h"
#include "cli/when.h"

namespace dormouse::cli {

namespace {

using Json = nlohmann::ordered_json;

std::string joined(const std::vector<std::string>& names) {
    std::string text;
    for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
    return text;
}

Cell worker_cell(const PoolSeen& pool) {
    if (pool.workers.empty()) return {"never seen", Colour::none};
    std::string text;
    Colour colour = Colour::none;
    for (const WorkerSeen& worker : pool.workers) {
        text += (text.empty() ? "" : ", ") + worker.state + " on " + worker.host;
        if (worker.runs > 0) text += " (" + std::to_string(worker.runs) + (worker.runs == 1 ? " run)" : " runs)");
        if (worker.state == "awake" && colour != Colour::red) colour = Colour::green;
        if (worker.state == "gone") colour = Colour::red;
    }
    return {text, colour};
}

std::string last_seen(const PoolSeen& pool, double now) {
    double last = 0;
    for (const WorkerSeen& worker : pool.workers) {
        if (worker.state == "awake") return "now";
        last = std::max(last, worker.left_at.value_or(worker.started_at));
    }
    return pool.workers.empty() ? "" : relative(last, now);
}

std::string configured(const PoolSeen& pool) {
    if (!pool.local) return "elsewhere";
    if (!pool.local->problem.empty()) return "here, broken";
    return pool.doorbell ? "here, doorbell" : "here, no doorbell";
}

void print_pools(const Overview& overview, bool with_database) {
    if (overview.pools.empty())
        return print("no pool is configured on this machine, and none has been seen in the database\n");
    Table table({"POOL", "QUEUES", "CONFIGURED", "WORKER", "LAST SEEN"});
    for (const PoolSeen& pool : overview.pools)
        table.add({{pool.name},
                   {joined(pool.queues)},
                   {configured(pool)},
                   with_database ? worker_cell(pool) : Cell{"unknown"},
                   {last_seen(pool, overview.now)}});
    print(table.text());
}

void print_queues(const Overview& overview) {
    if (overview.queues.empty()) return print("\nall queues are empty\n");
    Table table({"QUEUE", "DUE", "LATER", "RUNNING", "RETRYING", "BLOCKED", "WAITING SINCE", "NEXT", "SERVED BY"});
    for (const QueueSeen& queue : overview.queues)
        table.add({{queue.name},
                   {std::to_string(queue.due)},
                   {std::to_string(queue.put_off)},
                   {std::to_string(queue.running)},
                   {std::to_string(queue.retrying)},
                   {std::to_string(queue.blocked)},
                   {queue.oldest_due_at ? relative(*queue.oldest_due_at, overview.now) : ""},
                   {queue.next_run_at ? relative(*queue.next_run_at, overview.now) : ""},
                   {queue.served_by.empty() ? "nobody" : joined(queue.served_by),
                    queue.served_by.empty() ? Colour::red : Colour::none}});
    print("\n" + table.text());
}

void print_troubles(const Overview& overview) {
    std::string text;
    for (const PoolSeen& pool : overview.pools)
        if (pool.local && !pool.local->problem.empty())
            text += "pool " + pool.name + ": " + escaped(pool.local->problem) + "\n";
    for (const QueueSeen& queue : overview.queues)
        if (queue.served_by.empty())
            text += "queue " + escaped(queue.name) +
                    ": no pool serves it, its runs wait; add it to worker.queues of a pool\n";
    for (const UnknownTask& one : overview.unknown)
        text += "task " + escaped(one.task) + ": no pool of this machine knows it, " +
                (one.runs >= 1'000 ? std::string("1,000 or more") : std::to_string(one.runs)) +
                (one.runs == 1 ? " run waits" : " runs wait") + ", the first one " +
                relative(one.oldest, overview.now) + "; add [task.\"" + escaped(one.task) +
                "\"] to a pool's file, or start the pool that has it\n";
    if (!text.empty()) print("\n" + paint(Colour::yellow, "attention") + "\n" + text);
    if (overview.stuck.empty()) return;
    Table table({"STUCK RUN", "TASK", "QUEUE", "STATUS", "SINCE", "WHY"});
    for (const StuckRun& run : overview.stuck)
        table.add({{run.id},
                   {cut(run.task, 40)},
                   {run.queue},
                   {run.status},
                   {relative(run.since, overview.now)},
                   {run.reason}});
    print("\n" + table.text());
    const auto more = overview.stuck_count - static_cast<std::int64_t>(overview.stuck.size());
    if (more > 0) print("and " + std::to_string(more) + " more\n");
}

Json time_json(std::optional<double> time) {
    return time ? Json(iso(*time)) : Json(nullptr);
}

Json pool_json(const PoolSeen& pool) {
    Json workers = Json::array();
    for (const WorkerSeen& worker : pool.workers)
        workers.push_back({{"host", worker.host},
                           {"state", worker.state},
                           {"started_at", iso(worker.started_at)},
                           {"left_at", time_json(worker.left_at)},
                           {"runs", worker.runs},
                           {"version", worker.version}});
    const bool broken = pool.local && !pool.local->problem.empty();
    return {{"pool", pool.name},
            {"queues", pool.queues},
            {"file", pool.local ? Json(pool.local->file) : Json(nullptr)},
            {"problem", broken ? Json(pool.local->problem) : Json(nullptr)},
            {"doorbell", pool.doorbell},
            {"workers", workers}};
}

void print_json(const Overview& overview) {
    Json document{{"now", iso(overview.now)},       {"pools", Json::array()}, {"queues", Json::array()},
                  {"unknown_tasks", Json::array()}, {"stuck", Json::array()}, {"stuck_count", overview.stuck_count}};
    for (const PoolSeen& pool : overview.pools) document["pools"].push_back(pool_json(pool));
    for (const QueueSeen& queue : overview.queues)
        document["queues"].push_back({{"queue", queue.name},
                                      {"due", queue.due},
                                      {"put_off", queue.put_off},
                                      {"running", queue.running},
                                      {"retrying", queue.retrying},
                                      {"blocked", queue.blocked},
                                      {"oldest_due_at", time_json(queue.oldest_due_at)},
                                      {"next_run_at", time_json(queue.next_run_at)},
                                      {"served_by", queue.served_by}});
    for (const UnknownTask& one : overview.unknown)
        document["unknown_tasks"].push_back({{"task", one.task}, {"runs", one.runs}, {"oldest", iso(one.oldest)}});
    for (const StuckRun& run : overview.stuck)
        document["stuck"].push_back({{"id", run.id},
                                     {"task", run.task},
                                     {"queue", run.queue},
                                     {"status", run.status},
                                     {"since", iso(run.since)},
                                     {"reason", run.reason}});
    print(safe_json(document.dump(-1, ' ', false, Json::error_handler_t::replace)) + "\n");
}

Try<void> ask_database(Overview& overview, const DatabaseOptions& options) {
    auto connection = open_database(options, "status");
    if (!connection) return tl::unexpected(connection.error());
    if (auto fits = check_schema(*connection); !fits) return fits;
    return add_database(overview, *connection);
}

}  // namespace

Outcome status(const StatusOptions& options) {
    Overview overview = overview_of_this_machine(config::of_process());
    const auto asked = ask_database(overview, options.database);
    if (!asked && !options.json && !overview.pools.empty()) print_pools(overview, false);
    if (!asked) return tl::unexpected(asked.error());
    if (options.json) {
        print_json(overview);
        return Exit::ok;
    }
    print_pools(overview, true);
    print_queues(overview);
    print_troubles(overview);
    return Exit::ok;
}

}  // namespace dormouse::cli
