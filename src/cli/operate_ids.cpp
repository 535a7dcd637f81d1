#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "cli/find_run.h"
#include "cli/operate_parts.h"
#include "cli/text.h"

namespace dormouse::cli {

namespace {

using Json = nlohmann::ordered_json;

constexpr Millis pause{100};

struct Done {
    std::string id;
    std::string queue;    ///< empty: not known to this login
    std::string outcome;  ///< the database's word: canceled, unchanged, locked …
    std::string detail;
};

/// Who has a complete id needs no right to look for it.
Try<FoundRun> find(postgres::BlockingConnection& connection, const std::string& typed) {
    const auto range = ids_from(typed);
    if (!range) return tl::unexpected(range.error());
    auto found = find_run(connection, typed);
    if (!found && range->low == range->high && found.error().exit != Exit::usage) return FoundRun{range->low, ""};
    return found;
}

Try<Done> apply(const Operation& operation, const OperateOptions& options, postgres::BlockingConnection& connection,
                const FoundRun& run) {
    const auto ask = [&](const char* sql, const std::vector<std::optional<std::string>>& parameters = {}) {
        return connection.ask(operation.name, sql, parameters);
    };
    for (int attempt = 1;; ++attempt) {
        if (options.dry_run)
            if (const auto begun = ask("BEGIN"); !begun) return tl::unexpected(explained(connection, begun.error()));
        const auto reply = ask(operation.one, {run.id, text_or_null(options.reason)});
        if (!reply) return tl::unexpected(explained(connection, reply.error()));
        const std::string told(reply->text(0, 0));
        if (options.dry_run)
            if (const auto undone = ask("ROLLBACK"); !undone)
                return tl::unexpected(explained(connection, undone.error()));
        const std::size_t colon = told.find(": ");
        Done done{run.id, run.queue, told.substr(0, colon), colon == std::string::npos ? "" : told.substr(colon + 2)};
        if (done.outcome != "locked" || attempt == operation_tries) return done;
        std::this_thread::sleep_for(pause);
    }
}

Exit exit_of(const std::string& outcome) {
    if (outcome == "unknown") return Exit::not_found;
    if (outcome == "refused") return Exit::usage;
    return outcome == "locked" ? Exit::unreachable : Exit::ok;
}

}  // namespace

Outcome operate_on_ids(const Operation& operation, const OperateOptions& options) {
    for (const std::string& typed : options.runs)
        if (const auto right = ids_from(typed); !right) return tl::unexpected(right.error());
    auto connection = open_database(options.database, operation.name);
    if (!connection) return tl::unexpected(connection.error());
    Exit worst = Exit::ok;
    Json told = Json::array();
    std::set<std::string> queues;
    std::set<std::string> of_running;  // whose worker may have closed its session on purpose, and hears of nothing else
    std::optional<Failure> stopped;    // what was done before that is done, told and rung
    for (const std::string& typed : options.runs) {
        const auto found = find(*connection, typed);
        auto done = found ? apply(operation, options, *connection, *found) : tl::unexpected(found.error());
        if (!done && done.error().exit != Exit::not_found) {
            stopped = done.error();
            break;
        }
        if (!done) done = Done{typed, "", "unknown", "there is no run of this id (any more)"};
        const Exit exit = exit_of(done->outcome);
        if (worst == Exit::ok) worst = exit;
        if (exit == Exit::ok && done->outcome != "unchanged") queues.insert(done->queue);
        if (exit == Exit::ok && done->detail.starts_with("it was running")) of_running.insert(done->queue);
        told.push_back({{"id", done->id}, {"outcome", done->outcome}, {"detail", done->detail}});
        const std::string line = "run " + done->id + (options.dry_run ? " would be " : " ") + done->outcome +
                                 (done->detail.empty() ? "" : ": " + done->detail);
        if (!options.json && exit == Exit::ok) print(escaped(line) + "\n");
        if (!options.json && exit != Exit::ok) complain(line);
    }
    if (options.json)
        print(safe_json(Json{{"operation", operation.name}, {"dry_run", options.dry_run}, {"runs", told}}.dump()) +
              "\n");
    if (operation.rings && !options.dry_run) ring_for(queues, options.json, *connection);
    if (!operation.rings && !options.dry_run) ring_for(of_running, true, *connection);
    if (stopped) return tl::unexpected(std::move(*stopped));
    return worst;
}

}  // namespace dormouse::cli
