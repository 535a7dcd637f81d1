#include "cli/worker_rows.h"

#include <nlohmann/json.hpp>

#include "base/process.h"
#include "sql/embedded.h"

namespace dormouse::cli {

namespace {

WorkerRow row_of(const postgres::Reply& reply, int row) {
    WorkerRow worker;
    worker.id = reply.text(row, 0);
    worker.pool = reply.text(row, 1);
    worker.mark = {std::string(reply.text(row, 2)), std::string(reply.text(row, 5)), reply.integer(row, 3),
                   reply.integer(row, 4), reply.integer(row, 17)};
    worker.unit = reply.text(row, 6);
    worker.version = reply.text(row, 7);
    worker.state = reply.text(row, 8);
    worker.condition = reply.text(row, 9);
    worker.evidence = reply.text(row, 10);
    worker.runs = reply.integer(row, 11);
    worker.started_at = reply.real(row, 12);
    worker.left_at = reply.optional_real(row, 13);
    worker.lease_until = reply.optional_real(row, 14);
    const auto queues = nlohmann::json::parse(reply.text(row, 16), nullptr, false);
    if (queues.is_array())
        for (const auto& queue : queues)
            if (queue.is_string()) worker.queues.push_back(queue);
    // those that have left are many, and hold nothing that depends on them
    worker.presence = presence_of(worker.mark, worker.condition != "left");
    return worker;
}

/// Of one that may be on another machine or in another container of this name only the database's word counts.
void judge(WorkerRow& worker) {
    const Presence& seen = worker.presence;
    if (worker.condition == "left" || seen.alive == Alive::elsewhere) return;
    if (seen.alive == Alive::yes) {
        if (worker.condition == "idle") worker.evidence = "its process is here and holds no run";
    } else if (!seen.unseen || worker.condition != "live") {
        worker.condition = "dead";
        worker.evidence = seen.evidence;
    }
}

}  // namespace

Try<WorkerRows> read_workers(postgres::BlockingConnection& connection, Which which) {
    const bool here = which == Which::of_this_host;
    const auto given = [&](std::string value) { return here ? std::optional(std::move(value)) : std::nullopt; };
    const auto reply =
        connection.ask("workers", sql::cli::all_workers,
                       {which == Which::awake ? "false" : "true", given(this_host()), given(this_boot())});
    if (!reply) return give_up(reply.error());
    WorkerRows all;
    for (int row = 0; row < reply->rows(); ++row) {
        all.now = reply->real(row, 15);
        all.rows.push_back(row_of(*reply, row));
        judge(all.rows.back());
    }
    return all;
}

}  // namespace dormouse::cli
