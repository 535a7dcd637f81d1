#include "cli/forget.h"

#include <nlohmann/json.hpp>

#include "base/uuid.h"
#include "cli/find_run.h"
#include "cli/process_alive.h"
#include "cli/text.h"
#include "cli/worker_rows.h"
#include "config/local_pools.h"
#include "config/text.h"
#include "sql/embedded.h"

namespace dormouse::cli {

namespace {

using Json = nlohmann::ordered_json;
using Texts = postgres::BlockingConnection::Texts;

Try<void> not_configured_here(const std::string& pool) {
    for (const config::LocalPool& local : config::local_pools(config::of_process()))
        if (local.name == pool)
            return give_up(Exit::usage, "pool " + pool + " has a file on this machine: remove " + local.file +
                                            " first; nothing was forgotten");
    return {};
}

/// The database knows sessions; that a process is there without one only its host sees.
Try<void> not_alive_here(postgres::BlockingConnection& connection, const Texts& which) {
    const auto reply = connection.ask("forget", sql::cli::some_workers, which);
    if (!reply) return give_up(reply.error());
    for (int row = 0; row < reply->rows(); ++row) {
        const ProcessMark mark{std::string(reply->text(row, 1)), std::string(reply->text(row, 4)),
                               reply->integer(row, 2), reply->integer(row, 3), reply->integer(row, 5)};
        if (alive(mark) == Liveness::yes)
            return give_up(Exit::usage, "worker " + std::string(reply->text(row, 0)) + " of pool " +
                                            std::string(reply->text(row, 6)) + " lives: its process " +
                                            std::to_string(mark.pid) + " is here; nothing was forgotten");
    }
    return {};
}

/// Of the worker that is meant by a piece of its id, as `dormouse workers` shows it; none unless no pool has that name.
Try<std::optional<Uuid>> worker_of(postgres::BlockingConnection& connection, const std::string& what) {
    const auto range = ids_from(what);
    if (!range) return std::nullopt;
    const auto all = read_workers(connection, Which::all);
    if (!all) return tl::unexpected(all.error());
    std::vector<std::string> meant;
    for (const WorkerRow& one : all->rows) {
        if (one.pool == what) return std::nullopt;
        if (one.id >= range->low && one.id <= range->high) meant.push_back(one.id);
    }
    if (meant.size() > 1)
        return give_up(Exit::usage, "worker " + what + ": several begin like this (" + meant[0] + ", " + meant[1] +
                                        (meant.size() > 2 ? ", …" : "") + "); give more of the id");
    return meant.empty() ? std::nullopt : Uuid::parse(meant.front());
}

std::string counted(std::int64_t count, const std::string& noun) {
    return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

}  // namespace

Outcome forget(const ForgetOptions& options) {
    std::optional<Uuid> worker = Uuid::parse(options.what);
    if (!worker)
        if (auto absent = not_configured_here(options.what); !absent) return tl::unexpected(absent.error());
    auto connection = open_database(options.database, "forget");
    if (!connection) return tl::unexpected(connection.error());
    if (auto fits = check_schema(*connection); !fits) return tl::unexpected(fits.error());
    if (!worker) {
        const auto meant = worker_of(*connection, options.what);
        if (!meant) return tl::unexpected(meant.error());
        worker = *meant;
    }
    const Texts which{worker ? std::nullopt : std::optional(options.what),
                      worker ? std::optional(worker->to_string()) : std::nullopt};
    if (auto gone = not_alive_here(*connection, which); !gone) return tl::unexpected(gone.error());
    const auto reply = connection->ask("forget", sql::cli::forget_workers, which);
    if (!reply) return give_up(reply.error());
    if (!reply->is_null(0, 2))
        return give_up(
            Exit::usage,
            std::string(reply->text(0, 2)) + "; nothing was forgotten. `dormouse workers` " +
                "shows which are alive; `dormouse reap --force` on its host releases the runs of a dead one");
    const std::int64_t workers = reply->integer(0, 0);
    const std::int64_t pools = reply->integer(0, 1);
    if (workers == 0 && pools == 0)
        return give_up(Exit::not_found, "nothing is known of a " +
                                            std::string(worker                   ? "worker "
                                                        : ids_from(options.what) ? "pool or worker "
                                                                                 : "pool ") +
                                            config::quote(options.what) + "; `dormouse workers --all` lists them");
    if (options.json)
        print(safe_json(Json{{worker ? "worker" : "pool", worker ? worker->to_string() : options.what},
                             {"workers", workers},
                             {"retention", pools > 0}}
                            .dump(-1, ' ', false, Json::error_handler_t::replace)) +
              "\n");
    else
        print(escaped(options.what) + ": " + counted(workers, "worker") + " forgotten" +
              (pools > 0 ? ", and its retention setting" : "") + "\n");
    return if_told(Exit::ok, counted(workers, "worker") + " forgotten");
}

}  // namespace dormouse::cli
