#include "cli/scale.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/scaled_pools.h"
#include "cli/text.h"
#include "cli/worker_rows.h"
#include "config/duration.h"
#include "config/local_pools.h"
#include "config/text.h"
#include "sql/embedded.h"

namespace dormouse::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr long long most = 10'000;
constexpr Millis shortest{1'000};
constexpr Millis longest{std::chrono::hours{24 * 7}};

std::string switched_off(const std::string& pool) {
    return "to execute none, switch the pool off: systemctl disable --now dormouse@" + pool + ".target";
}

/// In seconds; none: nothing is to be set.
Try<std::optional<std::string>> lasting_of(const ScaleOptions& options) {
    if (!options.concurrency) {
        if (!options.lasting.empty())
            return give_up(Exit::usage,
                           "--for needs a number: dormouse scale " + options.pool + " 8 --for " + options.lasting);
        if (!options.reset && !options.reason.empty())
            return give_up(Exit::usage, "--reason needs a number or --reset: this only shows what is in force");
        return std::nullopt;
    }
    const long long number = *options.concurrency;
    if (options.reset) return give_up(Exit::usage, "a number or --reset, not both");
    if (number < 1 || number > most)
        return give_up(Exit::usage, "N: found " + std::to_string(number) + ", expected 1 to 10,000" +
                                        (number < 1 ? "; " + switched_off(options.pool) : ""));
    if (options.lasting.empty())
        return give_up(
            Exit::usage,
            "--for is missing: for how long, such as --for 1h; for a permanent change set worker.concurrency in "
            "the pool's file");
    const auto lasting = config::parse_duration(options.lasting);
    if (!lasting) return give_up(Exit::usage, "--for: " + lasting.error().message);
    if (*lasting < shortest || *lasting > longest)
        return give_up(Exit::usage,
                       "--for: found " + config::quote(options.lasting) +
                           ", expected 1s to 7d; for a permanent change set worker.concurrency in the pool's file");
    return std::to_string(std::chrono::ceil<std::chrono::seconds>(*lasting).count());
}

/// A pool of this machine says by its file which database it means.
DatabaseOptions database_of(const ScaleOptions& options, bool is_local) {
    DatabaseOptions database = options.database;
    if (database.url.empty() && database.pool.empty() && is_local) database.pool = options.pool;
    return database;
}

Try<void> known(postgres::BlockingConnection& connection, const std::string& pool) {
    const auto reply = connection.ask("scale", sql::cli::pool_known, {pool});
    if (!reply) return give_up(reply.error());
    if (reply->boolean(0, 0)) return {};
    return give_up(Exit::not_found, "there is no file of a pool " + config::quote(pool) +
                                        " on this machine, and the database knows no worker of it; `dormouse workers "
                                        "--all` lists the pools that it knows");
}

/// What was changed; none: nothing was to be.
Try<std::string> change(postgres::BlockingConnection& connection, const ScaleOptions& options,
                        const std::optional<std::string>& lasting) {
    if (!options.concurrency && !options.reset) return std::string();
    const auto number = options.concurrency ? std::optional(std::to_string(*options.concurrency)) : std::nullopt;
    const auto reply =
        connection.ask("scale", sql::cli::scale, {options.pool, number, lasting, unless_empty(options.reason)});
    if (!reply) return give_up(reply.error());
    if (!reply->is_null(0, 2)) return give_up(Exit::usage, std::string(reply->text(0, 2)) + "; nothing was changed");
    if (!reply->boolean(0, 0)) return std::string("nothing was in force");
    const std::int64_t told = reply->integer(0, 1);
    return std::to_string(told) + (told == 1 ? " worker was told" : " workers were told") +
           (told == 0 ? ": it applies to the next one that starts" : "");
}

Json worker_json(const WorkerRow& worker) {
    return {{"id", worker.id},
            {"host", worker.mark.host},
            {"runs", worker.runs},
            {"concurrency", worker.concurrency == 0 ? Json(nullptr) : Json(worker.concurrency)},
            {"configured", worker.configured == 0 ? Json(nullptr) : Json(worker.configured)}};
}

}  // namespace

Outcome scale(const ScaleOptions& options) {
    if (const auto valid = config::check_pool_name(options.pool); !valid)
        return give_up(Exit::usage, valid.error().message);
    const auto lasting = lasting_of(options);
    if (!lasting) return tl::unexpected(lasting.error());
    const std::vector<std::string> local = config::pools(config::of_process());
    const bool is_local = std::find(local.begin(), local.end(), options.pool) != local.end();
    auto connection = open_database(database_of(options, is_local), "scale");
    if (!connection) return tl::unexpected(connection.error());
    if (auto fits = check_schema(*connection); !fits) return tl::unexpected(fits.error());
    if (!is_local)
        if (auto found = known(*connection, options.pool); !found) return tl::unexpected(found.error());
    const auto changed = change(*connection, options, *lasting);
    if (!changed) return tl::unexpected(changed.error());
    const auto scaled = scaled_pools(*connection, "scale", options.pool);
    if (!scaled) return tl::unexpected(scaled.error());
    auto workers = read_workers(*connection, Which::last);
    if (!workers) return tl::unexpected(workers.error());
    std::erase_if(workers->rows, [&](const WorkerRow& one) { return one.pool != options.pool || !one.run.empty(); });
    if (options.json) {
        Json document{{"pool", options.pool}, {"scaled", nullptr}, {"workers", Json::array()}};
        if (!scaled->empty()) document["scaled"] = Json::parse(scaled_json(scaled->front()));
        for (const WorkerRow& worker : workers->rows)
            if (worker.condition == "live" || worker.condition == "idle")
                document["workers"].push_back(worker_json(worker));
        print(safe_json(document.dump(-1, ' ', false, Json::error_handler_t::replace)) + "\n");
        return if_told(Exit::ok, *changed);
    }
    std::set<std::int64_t> configured;
    for (const WorkerRow& worker : workers->rows)
        if (worker.configured > 0) configured.insert(worker.configured);
    const std::string in_force =
        scaled->empty() ? "as configured" + (configured.empty() ? "" : ": " + any_of_these(configured) + " at once")
                        : scaled_text(scaled->front(), configured, workers->now);
    print(options.pool + ": " + in_force + (changed->empty() ? "" : "; " + *changed) + "\n");
    return if_told(Exit::ok, *changed);
}

}  // namespace dormouse::cli
