#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <set>

#include "cli/operate_meant.h"
#include "cli/operate_parts.h"
#include "cli/text.h"
#include "cli/when.h"
#include "config/duration.h"
#include "config/local_pools.h"
#include "sql/embedded.h"

namespace dormouse::cli {

namespace {

using Json = nlohmann::ordered_json;

/// How many rows go in one transaction: as many as the server changes in 20 ms, going by the last one, whatever
/// triggers and disks make of a row.
class Portion {
  public:
    [[nodiscard]] std::int64_t rows() const { return rows_; }
    void took(std::int64_t rows, double seconds) {
        if (rows == 0) return;  // what was not meant was walked over
        const double fit = static_cast<double>(rows) * aim / std::max(seconds, aim / 100);
        // fewer than were asked for say nothing against more
        const std::int64_t most = rows < rows_ ? rows_ : 2 * rows_;
        rows_ = std::clamp(static_cast<std::int64_t>(std::min(fit, 1e6)), std::int64_t{50},
                           std::min<std::int64_t>(most, 1'000));
    }

  private:
    static constexpr double aim = 0.02;
    std::int64_t rows_ = 100;
};

constexpr std::int64_t many = 200;  ///< their progress is shown

struct Changed {
    std::int64_t changed = 0;
    std::int64_t locked = 0;
    std::int64_t refused = 0;
    std::optional<Failure> stopped;  ///< what was changed before that is changed, and is rung
};

/// True: go on. Asks on a terminal; elsewhere nobody can be asked.
Try<bool> agreed(const std::string& what) {
    if (::isatty(STDIN_FILENO) != 1)
        return give_up(Exit::usage,
                       what + ": no terminal to ask for confirmation; add --yes, or --dry-run to look first");
    std::fflush(stdout);
    std::cerr << what << "? [y/N] " << std::flush;
    std::string answer;
    std::getline(std::cin, answer);
    return answer == "y" || answer == "Y" || answer == "yes";
}

/// Ctrl-C ends an operation between two portions, so that it can say what it has done.
volatile std::sig_atomic_t stop_asked = 0;

void stop_between_portions() {
    struct sigaction action{};
    action.sa_handler = [](int) { stop_asked = 1; };
    action.sa_flags = SA_RESTART | static_cast<int>(SA_RESETHAND);  // the second one ends it at once
    ::sigaction(SIGINT, &action, nullptr);
}

void show_progress(const Changed& all, std::int64_t most) {
    std::cerr << '\r' << all.changed << " of " << most << std::flush;
}

Failure stopped(const Operation& operation, const Changed& all, Failure failure) {
    if (all.changed > 0) failure.message += "; " + runs_text(all.changed) + " were " + operation.done + " before that";
    return failure;
}

Changed change(const Operation& operation, const OperateOptions& options, const Meant& meant, std::int64_t most,
               postgres::BlockingConnection& connection) {
    Changed all;
    std::optional<std::string> after;
    Portion portion;
    int conflicts = 0;
    const bool seen = !options.json && most > many && ::isatty(STDERR_FILENO) == 1;
    const double spacing = options.per_minute ? 60.0 / *options.per_minute : 0;
    stop_between_portions();
    do {
        const std::string wanted = std::to_string(std::min(portion.rows(), most - all.changed));
        const auto reply = connection.ask(
            operation.name, operation.many,
            {text_or_null(options.filter.status), text_or_null(options.filter.task), text_or_null(options.filter.queue),
             std::to_string(meant.before), wanted, after, text_or_null(options.reason),
             text_or_null(options.filter.key), text_or_null(options.filter.error), text_or_null(options.filter.worker),
             std::to_string(spacing), std::to_string(meant.now + spacing * static_cast<double>(all.changed))});
        // somebody moved a row in that instant; nothing of this portion was done
        if (!reply && reply.error().kind == ErrorKind::conflict && ++conflicts < operation_tries) continue;
        if (!reply) {
            all.stopped = stopped(operation, all, explained(connection, reply.error()));
            break;
        }
        conflicts = 0;
        all.changed += reply->integer(0, 0);
        all.locked += reply->integer(0, 1);
        all.refused += reply->integer(0, 2);
        after = reply->optional_text(0, 3);
        portion.took(reply->integer(0, 0) + reply->integer(0, 1) + reply->integer(0, 2), reply->real(0, 4));
        if (seen) show_progress(all, most);
        if (!after) break;
        if (stop_asked != 0) {
            all.stopped = stopped(operation, all, Failure{Exit::usage, "stopped"});
            break;
        }
    } while (all.changed < most);
    if (seen) std::cerr << '\n';
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
    Json samples = Json::array();
    for (const SampleRun& run : meant.samples)
        samples.push_back({{"id", run.id},
                           {"status", run.status},
                           {"task", run.task},
                           {"created_at", iso(run.created)},
                           {"error", run.error.empty() ? Json() : Json(run.error)}});
    print(safe_json(Json{
              {"operation", operation.name},
              {"dry_run", options.dry_run},
              {"matching", meant.runs},
              {"more", !meant.all},
              {"changed", changed.changed},
              {"locked", changed.locked},
              {"refused", changed.refused},
              {"groups", groups},
              {"samples",
               samples}}.dump(-1, ' ', false, Json::error_handler_t::replace)) +
          "\n");
}

}  // namespace

Outcome operate_on_filter(const Operation& operation, const OperateOptions& options) {
    const auto older = check_filter(operation, options.filter);
    if (!older) return tl::unexpected(older.error());
    auto connection = open_database(options.database, operation.name, options.filter.queue);
    if (!connection) return tl::unexpected(connection.error());
    if (auto fits = check_schema(*connection); !fits) return tl::unexpected(fits.error());
    const auto meant = find_meant(operation, options.filter, *older, *connection);
    if (!meant) return tl::unexpected(meant.error());
    constexpr std::int64_t all_there_are = 1'000'000'000'000;
    const std::int64_t there = meant->all ? meant->runs : all_there_are;
    const std::int64_t most = options.limit ? std::min<std::int64_t>(*options.limit, there) : there;
    const std::string number = most == all_there_are ? "all of them, " + counted(*meant) : runs_text(most);
    std::string what = std::string(operation.name) + " " + number;
    if (options.per_minute) what += ", " + std::to_string(*options.per_minute) + " a minute";
    if (!options.json && (meant->runs > 0 || !meant->all)) show(*meant);
    Changed changed;
    if (!options.dry_run && most > 0) {
        const auto go = options.yes ? Try<bool>(true) : agreed(what);
        if (!go) return tl::unexpected(go.error());
        if (!*go) return give_up(Exit::usage, "nothing was changed");
        changed = change(operation, options, *meant, most, *connection);
    }
    std::set<std::string> queues;
    for (const Group& group : meant->groups) queues.insert(group.queue);
    if (!meant->all)  // it may have been any
        for (const config::LocalPool& pool : config::local_pools(config::of_process()))
            queues.insert(pool.queues.begin(), pool.queues.end());
    if (operation.rings && changed.changed > 0) ring_for(queues, options.json, *connection);
    std::set<std::string> of_running;  // see operate_ids.cpp
    for (const Group& group : meant->groups)
        if (group.status == "running") of_running.insert(group.queue);
    if (!operation.rings && changed.changed > 0) ring_for(of_running, true, *connection);
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
        return give_up(Exit::unreachable, runs_text(changed.locked) + " left alone: their rows are locked; try again");
    return changed.refused > 0 ? Exit::usage : Exit::ok;
}

}  // namespace dormouse::cli
