#include "cli/overview.h"

#include <systemd/sd-daemon.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/process.h"
#include "cli/endings.h"
#include "cli/failing.h"
#include "cli/worker_rows.h"
#include "sql/embedded.h"

namespace dormouse::cli {

namespace {

constexpr Millis longest_question{2'000};

/// Where somebody listens. A file that a dead process left is none of them. Source: /proc/net/unix, whose fourth column
/// has bit 16 (__SO_ACCEPTCON).
std::set<std::string> listening_sockets() {
    std::set<std::string> paths;
    std::ifstream file("/proc/net/unix");
    for (std::string line; std::getline(file, line);) {
        std::istringstream words(line);
        std::string word;
        unsigned long flags = 0;
        words >> word >> word >> word >> std::hex >> flags >> word >> word >> word >> word;
        if ((flags & 0x10000) != 0 && !word.empty()) paths.insert(word);
    }
    return paths;
}

/// What the spool's worker has refused lies beside the spool, or in it as NAME.rejected (spool/spool.h). Whoever may
/// not look there is told of none.
std::int64_t put_aside(const config::LocalPool& pool) {
    constexpr std::int64_t most = 1'000;
    constexpr int most_looked_at = 10'000;
    const std::string spool = pool.spool_directory + "/" + pool.name;
    std::int64_t count = 0;
    const auto look = [&](const std::string& path, const auto& counts) {
        std::error_code ignored;
        std::filesystem::directory_iterator at(path, ignored);
        int seen = 0;
        for (const std::filesystem::directory_iterator end; !ignored && at != end && count < most;
             at.increment(ignored)) {
            if (++seen > most_looked_at) return;
            if (counts(at->path().filename().string())) ++count;
        }
    };
    look(spool + ".rejected", [](const std::string& name) { return !name.ends_with(".reason"); });
    look(spool, [](const std::string& name) { return name.ends_with(".rejected"); });
    return count;
}

std::string state_of(const WorkerRow& worker) {
    if (worker.condition == "left") return "asleep";
    if (worker.condition == "dead" && worker.presence.alive != Liveness::yes) return "gone";
    return worker.state == "resting" ? "resting" : "awake";
}

bool is_here(const ProcessMark& mark) {
    return mark.host == this_host() || mark.boot_id == this_boot();
}

PoolSeen& pool_named(Overview& overview, std::string_view name) {
    const auto found =
        std::find_if(overview.pools.begin(), overview.pools.end(), [&](const PoolSeen& p) { return p.name == name; });
    if (found != overview.pools.end()) return *found;
    overview.pools.push_back({});
    overview.pools.back().name = name;
    return overview.pools.back();
}

void add_seen_workers(Overview& overview, const std::vector<WorkerRow>& workers) {
    for (const WorkerRow& worker : workers) {
        PoolSeen& pool = pool_named(overview, worker.pool);
        // a file on this machine says what the pool serves from its next start on; else what it said the last
        // time counts
        for (const std::string& queue : worker.queues)
            if (!pool.local && std::find(pool.queues.begin(), pool.queues.end(), queue) == pool.queues.end())
                pool.queues.push_back(queue);
        pool.workers.push_back({worker.mark.host, state_of(worker), is_here(worker.mark), worker.version,
                                worker.started_at, worker.left_at, worker.runs, worker.id, worker.ended,
                                worker.evidence, worker.seen_at, worker.lease_until, worker.presence.unseen,
                                worker.concurrency, worker.configured, worker.run, worker.run_status});
    }
}

void add_queues(Overview& overview, const postgres::Reply& reply) {
    for (int row = 0; row < reply.rows(); ++row) {
        QueueSeen queue;
        queue.name = reply.text(row, 0);
        queue.due = reply.integer(row, 1);
        queue.put_off = reply.integer(row, 2);
        queue.running = reply.integer(row, 3);
        queue.retrying = reply.integer(row, 4);
        queue.blocked = reply.integer(row, 5);
        queue.more = {reply.boolean(row, 6), reply.boolean(row, 7), reply.boolean(row, 8), reply.boolean(row, 9),
                      reply.boolean(row, 10)};
        queue.oldest_due_at = reply.optional_real(row, 11);
        queue.next_run_at = reply.optional_real(row, 12);
        queue.stuck = reply.integer(row, 13);
        queue.ended = reply.integer(row, 14);
        overview.more_queues = overview.more_queues || reply.boolean(row, 15);
        for (const PoolSeen& pool : overview.pools)
            if (pool.serves() && std::find(pool.queues.begin(), pool.queues.end(), queue.name) != pool.queues.end())
                queue.served_by.push_back(pool.name);
        overview.stuck_count += queue.stuck + queue.ended;
        overview.more_stuck =
            overview.more_stuck || (queue.stuck > 0 && queue.more.due) || (queue.ended > 0 && queue.more.running);
        overview.queues.push_back(std::move(queue));
    }
}

/// The queues in which the 20 runs are that wait longest.
nlohmann::json queues_of_the_stuck(const Overview& overview) {
    constexpr std::size_t most = 20;
    std::vector<const QueueSeen*> waiting;
    std::vector<const QueueSeen*> running;
    for (const QueueSeen& queue : overview.queues) {
        if (queue.stuck > 0) waiting.push_back(&queue);
        if (queue.ended > 0 && running.size() < most) running.push_back(&queue);
    }
    std::stable_sort(waiting.begin(), waiting.end(),
                     [](const QueueSeen* a, const QueueSeen* b) { return a->oldest_due_at < b->oldest_due_at; });
    waiting.resize(std::min(waiting.size(), most));
    std::set<std::string> names;
    for (const QueueSeen* const queue : waiting) names.insert(queue->name);
    for (const QueueSeen* const queue : running) names.insert(queue->name);
    return names;
}

Try<void> add_stuck(Overview& overview, postgres::BlockingConnection& connection) {
    const nlohmann::json queues = queues_of_the_stuck(overview);
    if (queues.empty()) return {};
    const std::size_t levels = 5'000 / std::max<std::size_t>(overview.queues.size(), 1);  // as queues.sql
    const auto reply =
        connection.ask("status", sql::cli::stuck, {queues.dump(), std::to_string(std::max<std::size_t>(levels, 10))});
    if (!reply) return give_up(reply.error());
    for (int row = 0; row < reply->rows(); ++row)
        overview.stuck.push_back({std::string(reply->text(row, 0)), std::string(reply->text(row, 1)),
                                  std::string(reply->text(row, 2)), std::string(reply->text(row, 3)),
                                  std::string(reply->text(row, 4)), reply->real(row, 5)});
    return {};
}

Try<void> add_unknown(Overview& overview, postgres::BlockingConnection& connection) {
    std::map<std::string, std::set<std::string>> known;
    for (const PoolSeen& pool : overview.pools) {
        if (!pool.local || !pool.local->problem.empty()) continue;
        for (const std::string& queue : pool.queues)
            known[queue].insert(pool.local->tasks.begin(), pool.local->tasks.end());
    }
    if (known.empty()) return {};
    const auto reply = connection.ask("status", sql::cli::unknown, {nlohmann::json(known).dump()});
    if (!reply) return give_up(reply.error());
    for (int row = 0; row < reply->rows(); ++row)
        overview.unknown.push_back({std::string(reply->text(row, 0)), std::string(reply->text(row, 1)),
                                    reply->integer(row, 2), reply->real(row, 3)});
    return {};
}

Try<void> add_holders(Overview& overview, postgres::BlockingConnection& connection) {
    std::set<std::string> queues;
    for (const PoolSeen& pool : overview.pools) queues.insert(pool.queues.begin(), pool.queues.end());
    const auto held = connection.ask("status", sql::cli::holders, {nlohmann::json(queues).dump()});
    if (!held) return give_up(held.error());
    for (int row = 0; row < held->rows(); ++row)
        overview.holders.push_back({std::string(held->text(row, 0)), std::string(held->text(row, 1)),
                                    std::string(held->text(row, 2)),
                                    held->is_null(row, 3) ? std::nullopt : std::optional(held->real(row, 3)),
                                    std::string(held->text(row, 4))});
    const auto hindered = connection.ask("status", sql::cli::retention);
    if (!hindered) return give_up(hindered.error());
    for (int row = 0; row < hindered->rows(); ++row)
        overview.retention.push_back({std::string(hindered->text(row, 0)), std::string(hindered->text(row, 1))});
    return {};
}

}  // namespace

bool PoolSeen::awake() const {
    return std::any_of(workers.begin(), workers.end(),
                       [](const WorkerSeen& worker) { return worker.state == "awake"; });
}

bool PoolSeen::removed() const {
    return !local && !workers.empty() && std::all_of(workers.begin(), workers.end(), [](const WorkerSeen& worker) {
        return worker.here && worker.state != "awake";
    });
}

Overview overview_of_this_machine(const config::Environment& environment) {
    Overview overview;
    const std::set<std::string> listening = listening_sockets();
    std::vector<std::string> of_systemd;
    for (config::LocalPool& pool : config::local_pools(environment)) {
        PoolSeen seen;
        seen.name = pool.name;
        seen.queues = pool.queues;
        seen.listening = listening.contains(config::doorbell_of(pool));
        // The units' doorbells lie there; a pool with another directory is somebody's own.
        if (pool.runtime_directory == config::Paths{}.runtime_directory) of_systemd.push_back(pool.name);
        if (pool.problem.empty()) seen.put_aside = put_aside(pool);
        if (pool.problem.empty()) seen.hidden = spool::hidden_files(pool.spool_directory + "/" + pool.name);
        seen.local = std::move(pool);
        overview.pools.push_back(std::move(seen));
    }
    overview.by_systemd = sd_booted() > 0;
    if (of_systemd.empty() || !overview.by_systemd) return overview;
    const auto units = systemd::units_of(of_systemd, longest_question);
    if (!units) overview.units_trouble = units.error().message;
    for (PoolSeen& pool : overview.pools)
        if (units && units->contains(pool.name)) pool.units = units->at(pool.name);
    return overview;
}

Try<void> add_database(Overview& overview, postgres::BlockingConnection& connection) {
    // a plan for all that waits would read all that waits
    if (const Status bounded =
            connection.script("status", "SET enable_seqscan = off; SET enable_bitmapscan = off; SET jit = off");
        !bounded)
        return give_up(bounded.error());
    const auto workers = read_workers(connection, Which::last);
    if (!workers) return tl::unexpected(workers.error());
    const auto queues = connection.ask("status", sql::cli::queues);
    if (!queues) return give_up(queues.error());
    const auto now = connection.ask("status", sql::cli::now);
    if (!now) return give_up(now.error());
    overview.now = now->real(0, 0);
    add_seen_workers(overview, workers->rows);
    add_queues(overview, *queues);
    if (auto done = add_stuck(overview, connection); !done) return done;
    auto scaled = scaled_pools(connection, "status");
    if (!scaled) return tl::unexpected(scaled.error());
    for (ScaledPool& pool : *scaled) pool_named(overview, pool.name).scaled = std::move(pool);
    if (auto done = add_holders(overview, connection); !done) return done;
    auto failing = failing_tasks(connection);
    if (!failing) return tl::unexpected(failing.error());
    overview.failing = std::move(*failing);
    auto endings = endings_by_task(connection);
    if (!endings) return tl::unexpected(endings.error());
    overview.endings = std::move(*endings);
    return add_unknown(overview, connection);
}

void leave_out_others(Overview& overview, const std::string& pool, const std::vector<PoolsDatabase>& all) {
    if (pool.empty()) return;
    for (const PoolsDatabase& one : all)
        if (std::ranges::find(one.pools, pool) == one.pools.end())
            std::erase_if(overview.pools, [&](const PoolSeen& seen) {
                return std::ranges::find(one.pools, seen.name) != one.pools.end();
            });
}

}  // namespace dormouse::cli
