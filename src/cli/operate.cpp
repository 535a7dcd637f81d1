#include "cli/operate.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "cli/find_run.h"
#include "cli/queries.h"
#include "cli/rings.h"
#include "cli/run_status.h"
#include "cli/text.h"
#include "cli/when.h"
#include "config/duration.h"
#include "config/text.h"

namespace dormouse::cli {

namespace {

using Json = nlohmann::ordered_json;
using Parameter = std::optional<std::string>;

/// Rows that go in one transaction.
constexpr std::int64_t portion = 1'000;
/// A worker has a row locked for the milliseconds of a round: what is locked is asked for again, but not for long.
constexpr int tries = 5;
constexpr Millis pause{100};
constexpr int shown_groups = 20;

Parameter unless_empty(const std::string& text) {
    return text.empty() ? std::nullopt : Parameter(text);
}

Failure explained(const Error& error) {
    Failure failure = from(error);
    if (failure.exit == Exit::schema) failure.message += "; the schema is missing or older: run `dormouse migrate`";
    if (failure.exit == Exit::denied)
        failure.message += "; a producer may cancel and retry by complete ids, the rest needs dormouse_worker";
    return failure;
}

void ring(const std::set<std::string>& queues, bool quiet) {
    for (const std::string& queue : queues) {
        const Rings rings = ring_pools(queue, config::of_process());
        if (!quiet) tell_rings(rings, queue);
    }
}

// --- by id

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
    const auto ask = [&](const char* sql, const std::vector<Parameter>& parameters = {}) {
        return connection.ask(operation.name, sql, parameters);
    };
    for (int attempt = 1;; ++attempt) {
        if (options.dry_run)
            if (const auto begun = ask("BEGIN"); !begun) return tl::unexpected(explained(begun.error()));
        const auto reply = ask(operation.one, {run.id, unless_empty(options.reason)});
        if (!reply) return tl::unexpected(explained(reply.error()));
        const std::string told(reply->text(0, 0));
        if (options.dry_run)
            if (const auto undone = ask("ROLLBACK"); !undone) return tl::unexpected(explained(undone.error()));
        const std::size_t colon = told.find(": ");
        Done done{run.id, run.queue, told.substr(0, colon), colon == std::string::npos ? "" : told.substr(colon + 2)};
        if (done.outcome != "locked" || attempt == tries) return done;
        std::this_thread::sleep_for(pause);
    }
}

Exit exit_of(const std::string& outcome) {
    if (outcome == "unknown") return Exit::not_found;
    if (outcome == "refused") return Exit::usage;
    return outcome == "locked" ? Exit::unreachable : Exit::ok;
}

Outcome operate_on_ids(const Operation& operation, const OperateOptions& options) {
    for (const std::string& typed : options.runs)
        if (const auto right = ids_from(typed); !right) return tl::unexpected(right.error());
    auto connection = open_database(options.database, operation.name);
    if (!connection) return tl::unexpected(connection.error());
    Exit worst = Exit::ok;
    Json told = Json::array();
    std::set<std::string> queues;
    for (const std::string& typed : options.runs) {
        const auto found = find(*connection, typed);
        auto done = found ? apply(operation, options, *connection, *found) : tl::unexpected(found.error());
        if (!done && done.error().exit != Exit::not_found) return tl::unexpected(done.error());
        if (!done) done = Done{typed, "", "unknown", "there is no run of this id (any more)"};
        const Exit exit = exit_of(done->outcome);
        if (worst == Exit::ok) worst = exit;
        if (exit == Exit::ok && done->outcome != "unchanged") queues.insert(done->queue);
        told.push_back({{"id", done->id}, {"outcome", done->outcome}, {"detail", done->detail}});
        const std::string line = "run " + done->id + (options.dry_run ? " would be " : " ") + done->outcome +
                                 (done->detail.empty() ? "" : ": " + done->detail);
        if (!options.json && exit == Exit::ok) print(escaped(line) + "\n");
        if (!options.json && exit != Exit::ok) complain(line);
    }
    if (options.json)
        print(safe_json(Json{{"operation", operation.name}, {"dry_run", options.dry_run}, {"runs", told}}.dump()) +
              "\n");
    if (operation.rings && !options.dry_run) ring(queues, options.json);
    return worst;
}

// --- by filter

struct Group {
    std::string status;
    std::string task;
    std::string queue;
    std::int64_t runs = 0;
    double oldest = 0;
};

struct Meant {
    std::vector<Group> groups;
    std::int64_t runs = 0;
    double now = 0;
    double before = 0;  ///< runs that come in while this goes on are not meant
};

struct Changed {
    std::int64_t changed = 0;
    std::int64_t locked = 0;
    std::int64_t refused = 0;
};

Try<Millis> check_filter(const Operation& operation, const RunFilter& filter) {
    if (auto known = check_status(filter.status); !known) return tl::unexpected(known.error());
    if (!filter.status.empty() &&
        std::find(operation.known.begin(), operation.known.end(), filter.status) == operation.known.end()) {
        std::string all;
        for (const std::string& status : operation.known) all += (all.empty() ? "" : ", ") + status;
        return give_up(Exit::usage, "--status: " + std::string(operation.name) + " does nothing to runs that are " +
                                        filter.status + "; it takes " + all);
    }
    if (filter.older.empty()) return Millis{0};
    const auto older = config::parse_duration(filter.older);
    if (!older) return give_up(Exit::usage, "--older: " + older.error().message);
    return *older;
}

Try<Meant> count(const Operation& operation, const RunFilter& filter, Millis older,
                 postgres::BlockingConnection& connection) {
    const auto now = connection.ask(operation.name, queries::now);
    if (!now) return give_up(now.error());
    Meant meant;
    meant.now = now->real(0, 0);
    meant.before = meant.now - static_cast<double>(older.count()) / 1000;
    std::string statuses;
    for (const std::string& status : operation.statuses) statuses += (statuses.empty() ? "{" : ",") + status;
    const auto reply =
        connection.ask(operation.name, queries::matching,
                       {filter.status.empty() ? statuses + "}" : "{" + filter.status + "}", unless_empty(filter.task),
                        unless_empty(filter.queue), std::to_string(meant.before)});
    if (!reply) return tl::unexpected(explained(reply.error()));
    for (int row = 0; row < reply->rows(); ++row) {
        meant.groups.push_back({std::string(reply->text(row, 0)), std::string(reply->text(row, 1)),
                                std::string(reply->text(row, 2)), reply->integer(row, 3), reply->real(row, 4)});
        meant.runs += meant.groups.back().runs;
    }
    return meant;
}

std::string runs_text(std::int64_t runs) {
    return std::to_string(runs) + (runs == 1 ? " run" : " runs");
}

void show(const Meant& meant) {
    Table table({"STATUS", "TASK", "QUEUE", "RUNS", "OLDEST"});
    for (std::size_t i = 0; i < std::min<std::size_t>(meant.groups.size(), shown_groups); ++i) {
        const Group& group = meant.groups[i];
        table.add({{group.status, colour_of_status(group.status)},
                   {cut(group.task, 40)},
                   {group.queue},
                   {std::to_string(group.runs)},
                   {relative(group.oldest, meant.now)}});
    }
    print(table.text());
    if (meant.groups.size() > shown_groups)
        print("and " + std::to_string(meant.groups.size() - shown_groups) + " more kinds\n");
}

/// True: go on. Asks on a terminal; elsewhere nobody can be asked.
Try<bool> agreed(const std::string& what) {
    if (::isatty(STDIN_FILENO) != 1)
        return give_up(Exit::usage, what + ": nobody can be asked here; add --yes, or --dry-run to look first");
    std::fflush(stdout);
    std::cerr << what << "? [y/N] " << std::flush;
    std::string answer;
    std::getline(std::cin, answer);
    return answer == "y" || answer == "Y" || answer == "yes";
}

Try<Changed> change(const Operation& operation, const OperateOptions& options, const Meant& meant, std::int64_t most,
                    postgres::BlockingConnection& connection) {
    Changed all;
    Parameter after;
    int conflicts = 0;
    do {
        const std::string wanted = std::to_string(std::min(portion, most - all.changed));
        const auto reply = connection.ask(
            operation.name, operation.many,
            {unless_empty(options.filter.status), unless_empty(options.filter.task), unless_empty(options.filter.queue),
             std::to_string(meant.before), wanted, after, unless_empty(options.reason)});
        // somebody moved a row in that instant; nothing of this portion was done
        if (!reply && reply.error().kind == ErrorKind::conflict && ++conflicts < tries) continue;
        if (!reply) {
            Failure failure = explained(reply.error());
            if (all.changed > 0)
                failure.message += "; " + runs_text(all.changed) + " were " + operation.done + " before that";
            return tl::unexpected(std::move(failure));
        }
        conflicts = 0;
        all.changed += reply->integer(0, 0);
        all.locked += reply->integer(0, 1);
        all.refused += reply->integer(0, 2);
        after = reply->optional_text(0, 3);
        if (!after) break;
    } while (all.changed < most);
    return all;
}

void print_json(const Operation& operation, const OperateOptions& options, const Meant& meant, const Changed& changed) {
    Json groups = Json::array();
    for (const Group& group : meant.groups)
        groups.push_back({{"status", group.status},
                          {"task", group.task},
                          {"queue", group.queue},
                          {"runs", group.runs},
                          {"oldest", iso(group.oldest)}});
    print(safe_json(Json{
              {"operation", operation.name},
              {"dry_run", options.dry_run},
              {"matching", meant.runs},
              {"changed", changed.changed},
              {"locked", changed.locked},
              {"refused", changed.refused},
              {"groups",
               groups}}.dump()) +
          "\n");
}

Outcome operate_on_filter(const Operation& operation, const OperateOptions& options) {
    const auto older = check_filter(operation, options.filter);
    if (!older) return tl::unexpected(older.error());
    auto connection = open_database(options.database, operation.name);
    if (!connection) return tl::unexpected(connection.error());
    if (auto fits = check_schema(*connection); !fits) return tl::unexpected(fits.error());
    const auto meant = count(operation, options.filter, *older, *connection);
    if (!meant) return tl::unexpected(meant.error());
    const std::int64_t most = options.limit ? std::min<std::int64_t>(*options.limit, meant->runs) : meant->runs;
    const std::string what = std::string(operation.name) + " " + runs_text(most);
    if (!options.json && meant->runs > 0) show(*meant);
    Changed changed;
    if (!options.dry_run && most > 0) {
        const auto go = options.yes ? Try<bool>(true) : agreed(what);
        if (!go) return tl::unexpected(go.error());
        if (!*go) return give_up(Exit::usage, "nothing was changed");
        const auto done = change(operation, options, *meant, most, *connection);
        if (!done) return tl::unexpected(done.error());
        changed = *done;
    }
    std::set<std::string> queues;
    for (const Group& group : meant->groups) queues.insert(group.queue);
    if (operation.rings && changed.changed > 0) ring(queues, options.json);
    if (options.json) {
        print_json(operation, options, *meant, changed);
    } else if (options.dry_run || most == 0) {
        print(most == 0 ? "no runs\n" : "would " + what + "; nothing was changed\n");
    } else {
        print(runs_text(changed.changed) + " " + operation.done + "\n");
    }
    if (changed.refused > 0)
        complain(runs_text(changed.refused) + " refused: their keys or ids belong to other runs by now");
    if (changed.locked > 0)
        return give_up(Exit::unreachable,
                       runs_text(changed.locked) + " left alone: somebody has the rows locked; try again");
    return changed.refused > 0 ? Exit::usage : Exit::ok;
}

}  // namespace

Outcome operate(const Operation& operation, const OperateOptions& options) {
    if (!options.runs.empty() && !options.filter.empty())
        return give_up(Exit::usage, std::string(operation.name) + ": give ids or a filter, not both");
    if (options.runs.empty() && options.filter.empty())
        return give_up(Exit::usage, std::string(operation.name) +
                                        ": which runs? Give ids, or a filter: --status, --task, --queue, --older");
    if (!options.runs.empty() && options.limit)
        return give_up(Exit::usage, "--limit: is for a filter; the ids say how many there are");
    return options.runs.empty() ? operate_on_filter(operation, options) : operate_on_ids(operation, options);
}

}  // namespace dormouse::cli
