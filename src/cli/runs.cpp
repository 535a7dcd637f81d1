#include "cli/runs.h"

#include <algorithm>
#include <cmath>
#include <ctime>
#include <optional>
#include <vector>

#include "cli/run_error.h"
#include "cli/run_status.h"
#include "cli/text.h"
#include "cli/when.h"
#include "config/duration.h"
#include "sql/embedded.h"

namespace dormouse::cli {

namespace {

/// Of the live runs and of the finished ones so many are looked at, the newest, unless somebody says since when.
std::string reach(const RunsOptions& options) {
    return std::to_string(options.since.empty() ? std::max(10'000, options.limit) : 10'000);
}

Try<std::optional<std::string>> since_epoch(const std::string& since) {
    if (since.empty()) return std::nullopt;
    if (const auto ago = config::parse_duration(since))
        return std::to_string(static_cast<double>(std::time(nullptr)) - static_cast<double>(ago->count()) / 1000);
    const auto time = parse_time(since);
    if (!time) return give_up(Exit::usage, "--since: " + time.error().message + ", or a duration such as 2h");
    return std::to_string(*time);
}

/// The time that says most about a run in this status.
std::string when(const postgres::Reply& reply, int row) {
    const std::string_view status = reply.text(row, 1);
    const double now = reply.real(row, 10);
    if (!reply.is_null(row, 9)) return std::string(status) + " " + relative(reply.real(row, 9), now);
    if (!reply.is_null(row, 8)) return "started " + relative(reply.real(row, 8), now);
    const double due = reply.real(row, 7);
    return (due > now ? "due " : "due since ") + (due > now ? relative(due, now) : length(now - due));
}

std::string note(const postgres::Reply& reply, int row) {
    if (!reply.is_null(row, 11)) return error_line(reply.text(row, 11));
    if (reply.is_null(row, 12)) return std::string(reply.text(row, 13));
    const auto percent = static_cast<int>(reply.real(row, 12) * 100);
    return std::to_string(percent) + " % " + std::string(reply.text(row, 13));
}

void print_table(const std::vector<postgres::Reply>& replies) {
    Table table({"ID", "STATUS", "TASK", "QUEUE", "ATTEMPTS", "WHEN", "NOTE"});
    for (const postgres::Reply& reply : replies)
        for (int row = 0; row < reply.rows(); ++row) {
            const std::string most = reply.is_null(row, 5) ? "" : " of " + std::string(reply.text(row, 5));
            table.add({{std::string(reply.text(row, 0))},
                       {std::string(reply.text(row, 1)), colour_of_status(reply.text(row, 1))},
                       {cut(reply.text(row, 2), 40)},
                       {std::string(reply.text(row, 3))},
                       {std::string(reply.text(row, 4)) + most},
                       {when(reply, row)},
                       {cut(note(reply, row), 60)}});
        }
    print(table.text());
}

/// What is left out, of the live and of the finished runs: nothing, or those from this id on.
struct Rest {
    std::optional<std::string> live;
    std::optional<std::string> finished;
};

/// Of the ids of what is left out the newer one: a portion of both kinds ends there.
std::optional<std::string> newer(const Rest& rest) {
    if (!rest.live || !rest.finished) return rest.live ? rest.live : rest.finished;
    return std::max(*rest.live, *rest.finished);
}

struct Found {
    std::vector<postgres::Reply> replies;
    int rows = 0;
    std::optional<double> looked_back_to;  ///< when there is more that was not looked at
};

Try<Found> find(const RunsOptions& options, const std::optional<std::string>& since,
                postgres::BlockingConnection& connection) {
    const std::optional<std::string> status = unless_empty(options.status);
    std::optional<std::string> day;
    std::optional<std::string> first_day;
    if (since) {
        const auto days = connection.ask("runs", sql::cli::runs_since, {since});
        if (!days) return give_up(days.error());
        day = days->optional_text(0, 0);
        first_day = days->optional_text(0, 1);
    }
    Found found;
    std::optional<std::string> from;
    do {
        const auto reach_reply =
            connection.ask("runs", sql::cli::runs_reach, {status, reach(options), from, day, first_day});
        if (!reach_reply) return give_up(reach_reply.error());
        Rest rest{reach_reply->optional_text(0, 0), reach_reply->optional_text(0, 2)};
        if (rest.live || rest.finished)
            found.looked_back_to = std::max(reach_reply->optional_real(0, 1).value_or(-HUGE_VAL),
                                            reach_reply->optional_real(0, 3).value_or(-HUGE_VAL));
        if (since) rest.live = rest.finished = newer(rest);
        auto reply = connection.ask("runs", sql::cli::runs,
                                    {status, unless_empty(options.task), unless_empty(options.queue), since,
                                     std::to_string(options.limit - found.rows), options.archived ? "true" : "false",
                                     rest.live, rest.finished, from});
        if (!reply) return give_up(reply.error());
        found.rows += reply->rows();
        found.replies.push_back(std::move(*reply));
        from = rest.live;
    } while (since && from && found.rows < options.limit);
    if (since || found.rows >= options.limit) found.looked_back_to.reset();
    return found;
}

}  // namespace

Outcome runs(const RunsOptions& options) {
    if (auto known = check_status(options.status); !known) return tl::unexpected(known.error());
    const auto since = since_epoch(options.since);
    if (!since) return tl::unexpected(since.error());
    auto connection = open_database(options.database, "runs", options.queue);
    if (!connection) return tl::unexpected(connection.error());
    if (auto fits = check_schema(*connection); !fits) return tl::unexpected(fits.error());
    const auto found = find(options, *since, *connection);
    if (!found) return tl::unexpected(found.error());
    if (options.json) {
        for (const postgres::Reply& reply : found->replies)
            for (int row = 0; row < reply.rows(); ++row) print(safe_json(reply.text(row, 14)) + "\n");
    } else if (found->rows == 0) {
        print("no runs\n");
    } else {
        print_table(found->replies);
    }
    if (found->looked_back_to)
        complain("only the newest " + reach(options) +
                 " finished runs and as many of the others were looked at, back to " + iso(*found->looked_back_to) +
                 "; --since TIME looks at all since then");
    return Exit::ok;
}

}  // namespace dormouse::cli
