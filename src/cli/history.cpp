#include "cli/history.h"

#include <nlohmann/json.hpp>

#include "cli/find_run.h"
#include "cli/text.h"
#include "cli/when.h"
#include "sql/embedded.h"

namespace dormouse::cli {
namespace {

using Json = nlohmann::ordered_json;

/// Operations by id and portions, of which an operation with a filter has many.
constexpr int rows_read = 20'000;

/// {"status": "failed", "task": "t"} as "status failed, task t".
std::string words_of(const std::string& filter) {
    const Json object = Json::parse(filter, nullptr, false);
    std::string text;
    if (!object.is_object()) return filter;
    for (const auto& [name, value] : object.items())
        text += (text.empty() ? "" : ", ") + name + " " + (value.is_string() ? value.get<std::string>() : value.dump());
    return text;
}

/// Which runs a filter meant is not kept: `maybe` says so.
void print_lines(const postgres::Reply& reply, bool maybe) {
    for (int row = 0; row < reply.rows(); ++row) {
        const auto text = [&](int column) {
            return reply.is_null(row, column) ? Json() : Json(std::string(reply.text(row, column)));
        };
        const std::string filter(reply.text(row, 4));
        Json line{{"at", iso(reply.real(row, 0))},
                  {"who", text(1)},
                  {"operation", text(2)},
                  {"run", text(3)},
                  {"filter", filter.empty() ? Json() : Json::parse(filter, nullptr, false)},
                  {"runs", reply.integer(row, 5)},
                  {"reason", text(6)}};
        if (maybe) line["maybe"] = true;
        print(safe_json(line.dump(-1, ' ', false, Json::error_handler_t::replace)) + "\n");
    }
}

std::string table_of(const postgres::Reply& reply, double now) {
    Table table({"WHEN", "WHO", "DID", "TO", "RUNS", "WHY"});
    for (int row = 0; row < reply.rows(); ++row) {
        const std::string id(reply.text(row, 3));
        const std::string operation(reply.text(row, 2));
        table.add({{relative(reply.real(row, 0), now)},
                   {cut(std::string(reply.text(row, 1)), 30)},
                   {operation},
                   {id.empty() ? cut(words_of(std::string(reply.text(row, 4))), 80) : id},
                   {operation == "scale" ? "" : std::string(reply.text(row, 5))},
                   {cut(std::string(reply.text(row, 6)), 60)}});
    }
    return table.text();
}

/// What may have been done to a run together with others.
Try<void> tell_bulk(postgres::BlockingConnection& connection, const HistoryOptions& options, const std::string& run,
                    double now) {
    const auto reply = connection.ask("history", sql::cli::history_bulk,
                                      {run, std::to_string(options.limit), std::to_string(rows_read)});
    if (!reply) return give_up(reply.error());
    if (options.json) {
        print_lines(*reply, true);
    } else if (reply->rows() > 0) {
        print("\nwith a filter, while the run was there; it may have been among them:\n" + table_of(*reply, now));
    }
    return {};
}

}  // namespace

Outcome history(const HistoryOptions& options) {
    auto connection = open_database(options.database, "history");
    if (!connection) return tl::unexpected(connection.error());
    if (auto fits = check_schema(*connection); !fits) return tl::unexpected(fits.error());
    std::optional<std::string> run;
    if (!options.run.empty()) {
        const auto found = find_run(*connection, options.run);
        if (!found) return tl::unexpected(found.error());
        run = found->id;
    }
    const auto now = connection->ask("history", sql::cli::now);
    if (!now) return give_up(now.error());
    const auto reply =
        connection->ask("history", sql::cli::history, {run, std::to_string(options.limit), std::to_string(rows_read)});
    if (!reply) return give_up(reply.error());
    if (options.json) {
        print_lines(*reply, false);
    } else if (reply->rows() > 0) {
        print(table_of(*reply, now->real(0, 0)));
    } else {
        print(run ? "this run was not canceled, retried or archived by its id in the last 90 days\n"
                  : "nothing was canceled, retried, archived or scaled in the last 90 days\n");
    }
    if (run)
        if (auto told = tell_bulk(*connection, options, *run, now->real(0, 0)); !told)
            return tl::unexpected(told.error());
    return Exit::ok;
}

}  // namespace dormouse::cli
