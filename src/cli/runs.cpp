#include "cli/runs.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <optional>
#include <set>
#include <vector>

#include "base/uuid.h"
#include "cli/run_error.h"
#include "cli/run_status.h"
#include "cli/text.h"
#include "cli/when.h"
#include "config/duration.h"
#include "config/text.h"
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

/// The first characters of the ids of version 7 that are made then.
std::string id_of(double time) {
    std::array<char, 16> digits{};
    std::snprintf(digits.data(), digits.size(), "%012llx",
                  static_cast<unsigned long long>(std::clamp(time, 0.0, 2e11) * 1000));
    const std::string text(digits.data());
    return text.substr(0, 8) + "-" + text.substr(8);
}

/// From here on ids are not those of runs that were made by now.
std::string future() {
    return id_of(static_cast<double>(std::time(nullptr)) + 86'400) + "-0000-0000-000000000000";
}

struct RunRow {
    const postgres::Reply* reply;
    int row;
    std::string place;  ///< its id, or what that would be if it told the time

    RunRow(const postgres::Reply& of, int number, const std::string& until) : reply(&of), row(number) {
        const std::string_view id = of.text(number, 0);
        constexpr std::size_t version = 14;
        place = id.size() > version && id[version] == '7' && id <= until
                    ? std::string(id)
                    : id_of(of.real(number, 6)) + "-" + std::string(id);
    }
};

void print_table(const std::vector<RunRow>& rows) {
    Table table({"ID", "STATUS", "TASK", "QUEUE", "ATTEMPTS", "WHEN", "NOTE"});
    for (const auto& [of, row, place] : rows) {
        const postgres::Reply& reply = *of;
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
struct NewerRuns {
    std::optional<std::string> live;
    std::optional<std::string> finished;
};

/// Of the ids of what is left out the newer one: a portion of both kinds ends there.
std::optional<std::string> newer(const NewerRuns& rest) {
    if (!rest.live || !rest.finished) return rest.live ? rest.live : rest.finished;
    return std::max(*rest.live, *rest.finished);
}

struct Found {
    std::vector<postgres::Reply> replies;
    std::optional<double> looked_back_to;  ///< when there is more that was not looked at
};

/// What is asked of all of them.
struct Wanted {
    const RunsOptions& options;
    std::optional<std::string> since;
    std::optional<std::string> before;
    std::string until = future();

    [[nodiscard]] postgres::BlockingConnection::Texts parameters(const std::string& status, int limit,
                                                                 std::optional<std::string> seventh,
                                                                 std::optional<std::string> eighth,
                                                                 std::optional<std::string> ninth) const {
        const RunFilter& filter = options.filter;
        return {unless_empty(status),
                unless_empty(filter.task),
                unless_empty(filter.queue),
                since,
                std::to_string(limit),
                options.archived ? "true" : "false",
                std::move(seventh),
                std::move(eighth),
                std::move(ninth),
                unless_empty(filter.key),
                unless_empty(filter.error),
                unless_empty(filter.worker),
                before};
    }
};

/// Those whose ids say when they were made.
Try<void> find_usual(const Wanted& wanted, const std::string& status, Found& found,
                     postgres::BlockingConnection& connection) {
    const auto& since = wanted.since;
    std::optional<std::string> day;
    std::optional<std::string> first_day;
    if (since) {
        const auto days = connection.ask("runs", sql::cli::runs_since, {since});
        if (!days) return give_up(days.error());
        day = days->optional_text(0, 0);
        first_day = days->optional_text(0, 1);
    }
    std::optional<std::string> from = wanted.until;
    int rows = 0;
    do {
        const auto reach_reply = connection.ask("runs", sql::cli::runs_reach,
                                                {unless_empty(status), reach(wanted.options), from, day, first_day});
        if (!reach_reply) return give_up(reach_reply.error());
        NewerRuns rest{reach_reply->optional_text(0, 0), reach_reply->optional_text(0, 2)};
        if (since) rest.live = rest.finished = newer(rest);
        auto reply =
            connection.ask("runs", sql::cli::runs,
                           wanted.parameters(status, wanted.options.limit - rows, rest.live, rest.finished, from));
        if (!reply) return give_up(reply.error());
        rows += reply->rows();
        found.replies.push_back(std::move(*reply));
        from = rest.live;
        if (!since && (rest.live || rest.finished) && rows < wanted.options.limit)
            found.looked_back_to = std::max({found.looked_back_to.value_or(-HUGE_VAL),
                                             reach_reply->optional_real(0, 1).value_or(-HUGE_VAL),
                                             reach_reply->optional_real(0, 3).value_or(-HUGE_VAL)});
    } while (since && from && rows < wanted.options.limit);
    return {};
}

/// The others.
Try<void> find_foreign(const Wanted& wanted, const std::string& status, Found& found,
                       postgres::BlockingConnection& connection) {
    const std::string most = reach(wanted.options);
    auto reply = connection.ask(
        "runs", sql::cli::runs_foreign,
        wanted.parameters(status, wanted.options.limit, wanted.since ? std::nullopt : std::optional(most), wanted.until,
                          std::nullopt));
    if (!reply) return give_up(reply.error());
    const bool enough = reply->rows() >= wanted.options.limit;
    found.replies.push_back(std::move(*reply));
    if (wanted.since || enough) return {};
    const auto back = connection.ask("runs", sql::cli::runs_foreign_reach, {most});
    if (!back) return give_up(back.error());
    if (const auto time = back->optional_real(0, 0))
        found.looked_back_to = std::max(found.looked_back_to.value_or(-HUGE_VAL), *time);
    return {};
}

/// Of all that was found the newest, each once.
std::vector<RunRow> newest(const Found& found, const Wanted& wanted) {
    std::vector<RunRow> rows;
    std::set<std::string_view> seen;
    for (const postgres::Reply& reply : found.replies)
        for (int row = 0; row < reply.rows(); ++row)
            if (seen.insert(reply.text(row, 0)).second) rows.emplace_back(reply, row, wanted.until);
    std::stable_sort(rows.begin(), rows.end(),
                     [](const RunRow& one, const RunRow& other) { return one.place > other.place; });
    if (rows.size() > static_cast<std::size_t>(wanted.options.limit))
        rows.erase(rows.begin() + wanted.options.limit, rows.end());
    return rows;
}

Try<Wanted> wanted_of(const RunsOptions& options) {
    const RunFilter& filter = options.filter;
    for (const std::string& status : statuses_of(filter.status))
        if (auto known = check_status(status); !known) return tl::unexpected(known.error());
    if (!filter.worker.empty() && !Uuid::parse(filter.worker))
        return give_up(Exit::usage, "--worker: " + config::quote(filter.worker) +
                                        " is no worker's id; `dormouse workers` shows them");
    const auto since = since_epoch(options.since);
    if (!since) return tl::unexpected(since.error());
    Wanted wanted{options, *since, std::nullopt};
    if (filter.older.empty()) return wanted;
    const auto older = config::parse_duration(filter.older);
    if (!older) return give_up(Exit::usage, "--older: " + older.error().message);
    wanted.before =
        std::to_string(static_cast<double>(std::time(nullptr)) - static_cast<double>(older->count()) / 1000);
    return wanted;
}

}  // namespace

Outcome runs(const RunsOptions& options) {
    const auto wanted = wanted_of(options);
    if (!wanted) return tl::unexpected(wanted.error());
    auto connection = open_database(options.database, "runs", options.filter.queue);
    if (!connection) return tl::unexpected(connection.error());
    if (auto fits = check_schema(*connection); !fits) return tl::unexpected(fits.error());
    Found found;
    auto statuses = statuses_of(options.filter.status);
    if (statuses.empty()) statuses.emplace_back();
    for (const std::string& status : statuses) {
        if (auto done = find_usual(*wanted, status, found, *connection); !done) return tl::unexpected(done.error());
        if (auto done = find_foreign(*wanted, status, found, *connection); !done) return tl::unexpected(done.error());
    }
    const std::vector<RunRow> rows = newest(found, *wanted);
    if (options.json) {
        for (const RunRow& row : rows) print(safe_json(row.reply->text(row.row, 14)) + "\n");
    } else if (rows.empty()) {
        print("no runs\n");
    } else {
        print_table(rows);
    }
    if (found.looked_back_to && rows.size() < static_cast<std::size_t>(options.limit))
        complain("only the newest " + reach(options) +
                 " finished runs and as many of the others were looked at, back to " + iso(*found.looked_back_to) +
                 "; --since TIME looks at all since then");
    return Exit::ok;
}

}  // namespace dormouse::cli
