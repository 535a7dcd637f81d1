#include "cli/operate_meant.h"

#include <algorithm>
#include <optional>

#include "base/uuid.h"
#include "cli/operate_parts.h"
#include "cli/run_status.h"
#include "cli/text.h"
#include "cli/when.h"
#include "config/duration.h"
#include "config/text.h"
#include "sql/embedded.h"

namespace dormouse::cli {
namespace {

constexpr std::int64_t most_counted = 100'000;
constexpr int shown_groups = 20;

using Texts = postgres::BlockingConnection::Texts;

std::string joined(const std::vector<std::string>& words, const char* between) {
    std::string text;
    for (const std::string& word : words) text += (text.empty() ? "" : between) + word;
    return text;
}

/// None: it took too long.
Try<std::optional<postgres::Reply>> ask(const Operation& operation, const char* sql, const Texts& parameters,
                                        postgres::BlockingConnection& connection) {
    auto reply = connection.ask(operation.name, sql, parameters);
    if (reply) return std::optional(std::move(*reply));
    if (reply.error().kind == ErrorKind::conflict) return std::optional<postgres::Reply>();
    return tl::unexpected(explained(connection, reply.error()));
}

Try<void> find(const Operation& operation, const Texts& parameters, Meant& meant,
               postgres::BlockingConnection& connection) {
    Texts counting = parameters;
    counting.push_back(std::to_string(most_counted));
    const auto groups = ask(operation, sql::cli::matching, counting, connection);
    if (!groups) return tl::unexpected(groups.error());
    meant.all = groups->has_value();
    for (int row = 0; *groups && row < (*groups)->rows(); ++row) {
        const postgres::Reply& reply = **groups;
        meant.groups.push_back({std::string(reply.text(row, 0)), std::string(reply.text(row, 1)),
                                std::string(reply.text(row, 2)), reply.integer(row, 3), reply.real(row, 4)});
        meant.runs += meant.groups.back().runs;
    }
    meant.all = meant.all && meant.runs < most_counted;
    const auto some = ask(operation, sql::cli::matching_some, parameters, connection);
    if (!some) return tl::unexpected(some.error());
    for (int row = 0; *some && row < (*some)->rows(); ++row) {
        const postgres::Reply& reply = **some;
        const std::string error(reply.text(row, 4));
        meant.samples.push_back({std::string(reply.text(row, 0)), std::string(reply.text(row, 1)),
                                 std::string(reply.text(row, 2)), reply.real(row, 3), error == ": " ? "" : error});
    }
    return {};
}

}  // namespace

Try<Millis> check_filter(const Operation& operation, const RunFilter& filter) {
    for (const std::string& status : statuses_of(filter.status)) {
        if (auto known = check_status(status); !known) return tl::unexpected(known.error());
        if (!status.empty() &&
            std::find(operation.known.begin(), operation.known.end(), status) != operation.known.end())
            continue;
        return give_up(Exit::usage, "--status: " + std::string(operation.name) + " does nothing to runs that are " +
                                        config::quote(status) + "; it takes " + joined(operation.known, ", "));
    }
    if (!filter.worker.empty() && !Uuid::parse(filter.worker))
        return give_up(Exit::usage, "--worker: " + config::quote(filter.worker) +
                                        " is no worker's id; `dormouse workers` shows them");
    if (filter.older.empty()) return Millis{0};
    const auto older = config::parse_duration(filter.older);
    if (!older) return give_up(Exit::usage, "--older: " + older.error().message);
    return *older;
}

Try<Meant> find_meant(const Operation& operation, const RunFilter& filter, Millis older,
                      postgres::BlockingConnection& connection) {
    const auto now = connection.ask(operation.name, sql::cli::now);
    if (!now) return give_up(now.error());
    Meant meant;
    meant.now = now->real(0, 0);
    meant.before = meant.now - static_cast<double>(older.count()) / 1000;
    const std::string statuses =
        filter.status.empty() ? joined(operation.statuses, ",") : joined(statuses_of(filter.status), ",");
    if (auto bound = connection.script(operation.name, "SET statement_timeout = '2s'"); !bound)
        return give_up(bound.error());
    const Texts parameters{"{" + statuses + "}",         text_or_null(filter.task), text_or_null(filter.queue),
                           std::to_string(meant.before), text_or_null(filter.key),  text_or_null(filter.error),
                           text_or_null(filter.worker)};
    if (auto found = find(operation, parameters, meant, connection); !found) return tl::unexpected(found.error());
    if (auto free = connection.script(operation.name, "RESET statement_timeout"); !free) return give_up(free.error());
    return meant;
}

std::string runs_text(std::int64_t runs) {
    return std::to_string(runs) + (runs == 1 ? " run" : " runs");
}

std::string counted(const Meant& meant) {
    if (meant.all) return runs_text(meant.runs);
    return meant.runs == 0 ? "too many to be counted in 2 s" : std::to_string(meant.runs) + " or more";
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
    if (!meant.all) print(counted(meant) + "\n");
    if (meant.samples.empty()) return;
    Table some({"AMONG THEM", "STATUS", "TASK", "CREATED", "ERROR"});
    for (const SampleRun& run : meant.samples)
        some.add({{run.id},
                  {run.status, colour_of_status(run.status)},
                  {cut(run.task, 40)},
                  {relative(run.created, meant.now)},
                  {cut(run.error, 60)}});
    print("\n" + some.text() + "\n");
}

}  // namespace dormouse::cli
