#include "cli/overview.h"

#include <sys/stat.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/process_alive.h"
#include "sql/embedded.h"

namespace dormouse::cli {

namespace {

bool is_socket(const std::string& path) {
    struct stat found{};
    return ::stat(path.c_str(), &found) == 0 && S_ISSOCK(found.st_mode);
}

std::string state_of(const postgres::Reply& reply, int row) {
    if (reply.text(row, 6) == "left") return "asleep";
    const ProcessMark mark{std::string(reply.text(row, 1)), std::string(reply.text(row, 4)), reply.integer(row, 2),
                           reply.integer(row, 3), reply.integer(row, 11)};
    return alive(mark) == Alive::no ? "gone" : "awake";
}

PoolSeen& pool_named(Overview& overview, std::string_view name) {
    const auto found =
        std::find_if(overview.pools.begin(), overview.pools.end(), [&](const PoolSeen& p) { return p.name == name; });
    if (found != overview.pools.end()) return *found;
    overview.pools.push_back({std::string(name), {}, {}, false, {}});
    return overview.pools.back();
}

void add_workers(Overview& overview, const postgres::Reply& reply) {
    for (int row = 0; row < reply.rows(); ++row) {
        PoolSeen& pool = pool_named(overview, reply.text(row, 0));
        // a file on this machine says what the pool serves from its next start on; else what it said the last
        // time counts
        const auto queues = nlohmann::json::parse(reply.text(row, 5), nullptr, false);
        if (!pool.local && queues.is_array())
            for (const auto& queue : queues)
                if (queue.is_string() && std::find(pool.queues.begin(), pool.queues.end(), queue) == pool.queues.end())
                    pool.queues.push_back(queue);
        pool.workers.push_back({std::string(reply.text(row, 1)), state_of(reply, row), std::string(reply.text(row, 10)),
                                reply.real(row, 7), reply.optional_real(row, 8), reply.integer(row, 9)});
    }
}

void add_queues(Overview& overview, const postgres::Reply& reply) {
    for (int row = 0; row < reply.rows(); ++row) {
        QueueSeen queue{std::string(reply.text(row, 0)), reply.integer(row, 1),       reply.integer(row, 2),
                        reply.integer(row, 3),           reply.integer(row, 4),       reply.integer(row, 5),
                        reply.optional_real(row, 6),     reply.optional_real(row, 7), {}};
        for (const PoolSeen& pool : overview.pools)
            if (std::find(pool.queues.begin(), pool.queues.end(), queue.name) != pool.queues.end())
                queue.served_by.push_back(pool.name);
        overview.queues.push_back(std::move(queue));
    }
}

void add_stuck(Overview& overview, const postgres::Reply& reply) {
    for (int row = 0; row < reply.rows(); ++row) {
        overview.stuck.push_back({std::string(reply.text(row, 0)), std::string(reply.text(row, 1)),
                                  std::string(reply.text(row, 2)), std::string(reply.text(row, 3)),
                                  std::string(reply.text(row, 4)), reply.real(row, 5)});
        overview.stuck_count = reply.integer(row, 6);
    }
}

Try<void> add_unknown(Overview& overview, postgres::BlockingConnection& connection) {
    std::vector<std::string> queues;
    std::vector<std::string> tasks;
    for (const PoolSeen& pool : overview.pools) {
        if (!pool.local || !pool.local->problem.empty()) continue;
        queues.insert(queues.end(), pool.queues.begin(), pool.queues.end());
        tasks.insert(tasks.end(), pool.local->tasks.begin(), pool.local->tasks.end());
    }
    if (queues.empty()) return {};
    const auto reply =
        connection.ask("status", sql::cli::unknown, {nlohmann::json(queues).dump(), nlohmann::json(tasks).dump()});
    if (!reply) return give_up(reply.error());
    for (int row = 0; row < reply->rows(); ++row)
        overview.unknown.push_back({std::string(reply->text(row, 0)), reply->integer(row, 1), reply->real(row, 2)});
    return {};
}

}  // namespace

Overview overview_of_this_machine(const config::Environment& environment) {
    Overview overview;
    for (config::LocalPool& pool : config::local_pools(environment)) {
        const bool doorbell = is_socket(config::doorbell_of(pool));
        overview.pools.push_back({pool.name, pool.queues, pool, doorbell, {}});
    }
    return overview;
}

Try<void> add_database(Overview& overview, postgres::BlockingConnection& connection) {
    const auto workers = connection.ask("status", sql::cli::workers);
    if (!workers) return give_up(workers.error());
    const auto queues = connection.ask("status", sql::cli::queues);
    if (!queues) return give_up(queues.error());
    const auto stuck = connection.ask("status", sql::cli::stuck);
    if (!stuck) return give_up(stuck.error());
    const auto now = connection.ask("status", sql::cli::now);
    if (!now) return give_up(now.error());
    overview.now = now->real(0, 0);
    add_workers(overview, *workers);
    add_queues(overview, *queues);
    add_stuck(overview, *stuck);
    return add_unknown(overview, connection);
}

}  // namespace dormouse::cli
