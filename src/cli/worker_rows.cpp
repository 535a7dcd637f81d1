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
    worker.ended = reply.text(row, 18);
    worker.seen_at = reply.optional_real(row, 19);
    worker.concurrency = reply.is_null(row, 20) ? 0 : reply.integer(row, 20);
    worker.configured = reply.is_null(row, 23) ? 0 : reply.integer(row, 23);
    worker.run = reply.text(row, 21);
    worker.run_status = reply.text(row, 22);
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
    if (worker.condition == "left" || seen.alive == Liveness::elsewhere) return;
    const bool session_lost = worker.condition == "dead" && worker.ended == "session lost";
    if (seen.alive == Liveness::yes) {
        if (session_lost) {
            worker.condition = worker.runs > 0 ? "live" : "idle";
            worker.evidence = "its process is here, without a session; it opens one by itself";
        } else if (worker.condition == "idle") {
            worker.evidence = worker.state == "resting" ? "its process is here and has closed its session on purpose"
                                                        : "its process is here and holds no run";
        }
        if (worker.condition != "dead") worker.ended.clear();
    } else if (worker.state == "resting" && worker.runs == 0) {
        worker.condition = "left";
        worker.ended = "rested";
        worker.evidence = "ended after it had closed its session on purpose: " + seen.evidence;
    } else if (!seen.unseen || worker.condition == "dead") {
        worker.condition = "dead";
        worker.ended = "process gone";
        worker.evidence = seen.evidence;
    }
}

const char* name_of(Which which) {
    return which == Which::awake ? "awake" : which == Which::all ? "all" : "host";
}

}  // namespace

bool WorkerRow::run_is_over() const {
    return run_status == "completed" || run_status == "failed" || run_status == "canceled" || run_status == "gone";
}

Try<WorkerRows> read_workers(postgres::BlockingConnection& connection, Which which) {
    const bool here = which == Which::of_this_host;
    const auto given = [&](std::string value) { return here ? std::optional(std::move(value)) : std::nullopt; };
    const auto reply = which == Which::last ? connection.ask("workers", sql::cli::workers)
                                            : connection.ask("workers", sql::cli::all_workers,
                                                             {name_of(which), given(this_host()), given(this_boot())});
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
