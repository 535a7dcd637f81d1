#include "cli/runs.h"

#include <algorithm>
#include <ctime>
#include <optional>

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
    return std::to_string(std::max(10'000, options.limit));
}

std::optional<std::string> unless_empty(const std::string& text) {
    return text.empty() ? std::nullopt : std::optional(text);
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

void print_table(const postgres::Reply& reply) {
    Table table({"ID", "STATUS", "TASK", "QUEUE", "ATTEMPTS", "WHEN", "NOTE"});
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

/// Too few were found: perhaps not all were looked at.
Try<void> tell_reach(const RunsOptions& options, postgres::BlockingConnection& connection) {
    const auto reply = connection.ask("runs", sql::cli::runs_reach, {unless_empty(options.status), reach(options)});
    if (!reply) return give_up(reply.error());
    if (!reply->is_null(0, 0))
        complain("only the newest " + reach(options) +
                 " finished runs and as many of the others were looked at, back to " + iso(reply->real(0, 0)) +
                 "; --since TIME looks at all since then");
    return {};
}

}  // namespace

Outcome runs(const RunsOptions& options) {
    if (auto known = check_status(options.status); !known) return tl::unexpected(known.error());
    const auto since = since_epoch(options.since);
    if (!since) return tl::unexpected(since.error());
    auto connection = open_database(options.database, "runs");
    if (!connection) return tl::unexpected(connection.error());
    if (auto fits = check_schema(*connection); !fits) return tl::unexpected(fits.error());
    const auto reply =
        connection->ask("runs", sql::cli::runs,
                        {unless_empty(options.status), unless_empty(options.task), unless_empty(options.queue), *since,
                         std::to_string(options.limit), options.archived ? "true" : "false",
                         options.since.empty() ? std::optional(reach(options)) : std::nullopt});
    if (!reply) return give_up(reply.error());
    if (options.json) {
        for (int row = 0; row < reply->rows(); ++row) print(safe_json(reply->text(row, 14)) + "\n");
    } else if (reply->rows() == 0) {
        print("no runs\n");
    } else {
        print_table(*reply);
    }
    if (options.since.empty() && reply->rows() < options.limit)
        if (const auto told = tell_reach(options, *connection); !told) return tl::unexpected(told.error());
    return Exit::ok;
}

}  // namespace dormouse::cli
