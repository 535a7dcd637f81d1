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
    Table table({"WHEN", "WHO", "DID", "TO", "RUNS", "WHY"});
    for (int row = 0; row < reply->rows(); ++row) {
        const std::string id(reply->text(row, 3));
        const std::string filter(reply->text(row, 4));
        const std::string operation(reply->text(row, 2));
        if (options.json) {
            const auto text = [&](int column) {
                return reply->is_null(row, column) ? Json() : Json(std::string(reply->text(row, column)));
            };
            const Json line{{"at", iso(reply->real(row, 0))},
                            {"who", text(1)},
                            {"operation", text(2)},
                            {"run", text(3)},
                            {"filter", filter.empty() ? Json() : Json::parse(filter, nullptr, false)},
                            {"runs", reply->integer(row, 5)},
                            {"reason", text(6)}};
            print(safe_json(line.dump(-1, ' ', false, Json::error_handler_t::replace)) + "\n");
            continue;
        }
        table.add({{relative(reply->real(row, 0), now->real(0, 0))},
                   {cut(std::string(reply->text(row, 1)), 30)},
                   {operation},
                   {id.empty() ? cut(words_of(filter), 80) : id},
                   {operation == "scale" ? "" : std::string(reply->text(row, 5))},
                   {cut(std::string(reply->text(row, 6)), 60)}});
    }
    if (!options.json)
        print(reply->rows() == 0 ? "nothing was canceled, retried, archived or scaled by anybody in the last 90 days\n"
                                 : table.text());
    return Exit::ok;
}

}  // namespace dormouse::cli
