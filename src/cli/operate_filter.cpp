#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <set>

#include "cli/operate_parts.h"
#include "cli/run_status.h"
#include "cli/text.h"
#include "cli/when.h"
#include "config/duration.h"
#include "sql/embedded.h"

namespace dormouse::cli {

namespace {

using Json = nlohmann::ordered_json;

/// Rows that go in one transaction: some 20 ms.
constexpr std::int64_t portion = 200;
constexpr int shown_groups = 20;

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
    std::optional<Failure> stopped;  ///< what was changed before that is changed, and is rung
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
    const auto now = connection.ask(operation.name, sql::cli::now);
    if (!now) return give_up(now.error());
    Meant meant;
    meant.now = now->real(0, 0);
    meant.before = meant.now - static_cast<double>(older.count()) / 1000;
    std::string statuses;
    for (const std::string& status : operation.statuses) statuses += (statuses.empty() ? "{" : ",") + status;
    const auto reply =
        connection.ask(operation.name, sql::cli::matching,
                       {filter.status.empty() ? statuses + "}" : "{" + filter.status + "}", text_or_null(filter.task),
                        text_or_null(filter.queue), std::to_string(meant.before)});
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

Changed change(const Operation& operation, const OperateOptions& options, const Meant& meant, std::int64_t most,
               postgres::BlockingConnection& connection) {
    Changed all;
    std::optional<std::string> after;
    int conflicts = 0;
    do {
        const std::string wanted = std::to_string(std::min(portion, most - all.changed));
        const auto reply = connection.ask(
            operation.name, operation.many,
            {text_or_null(options.filter.status), text_or_null(options.filter.task), text_or_null(options.filter.queue),
             std::to_string(meant.before), wanted, after, text_or_null(options.reason)});
        // somebody moved a row in that instant; nothing of this portion was done
        if (!reply && reply.error().kind == ErrorKind::conflict && ++conflicts < operation_tries) continue;
        if (!reply) {
            Failure failure = explained(reply.error());
            if (all.changed > 0)
                failure.message += "; " + runs_text(all.changed) + " were " + operation.done + " before that";
            all.stopped = std::move(failure);
            return all;
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

}  // namespace

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
        changed = change(operation, options, *meant, most, *connection);
    }
    std::set<std::string> queues;
    for (const Group& group : meant->groups) queues.insert(group.queue);
    if (operation.rings && changed.changed > 0) ring_for(queues, options.json);
    if (changed.stopped) return tl::unexpected(std::move(*changed.stopped));
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

}  // namespace dormouse::cli
