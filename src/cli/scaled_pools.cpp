#include "cli/scaled_pools.h"

#include <nlohmann/json.hpp>

#include "cli/database.h"
#include "cli/text.h"
#include "cli/when.h"
#include "sql/embedded.h"

namespace dormouse::cli {

Try<std::vector<ScaledPool>> scaled_pools(postgres::BlockingConnection& connection, const std::string& command,
                                          const std::string& only) {
    const auto reply = connection.ask(command, sql::cli::scaled, {unless_empty(only)});
    if (!reply) return give_up(reply.error());
    std::vector<ScaledPool> pools;
    for (int row = 0; row < reply->rows(); ++row)
        pools.push_back({std::string(reply->text(row, 0)), reply->integer(row, 1), reply->real(row, 2),
                         std::string(reply->text(row, 3)), reply->real(row, 4), std::string(reply->text(row, 5))});
    return pools;
}

std::string any_of_these(const std::set<std::int64_t>& numbers) {
    std::string text;
    for (const std::int64_t number : numbers) text += (text.empty() ? "" : " or ") + std::to_string(number);
    return text;
}

std::string scaled_text(const ScaledPool& pool, const std::set<std::int64_t>& configured, double now) {
    std::string text = std::to_string(pool.concurrency) + (pool.concurrency == 1 ? " run" : " runs") +
                       " at once until " + absolute(pool.until) + " (" + relative(pool.until, now) + "), said " +
                       escaped(pool.by) + " " + relative(pool.at, now);
    if (!pool.reason.empty()) text += " (" + escaped(brief(pool.reason)) + ")";
    if (!configured.empty()) text += "; " + any_of_these(configured) + " by the configuration";
    return text;
}

std::string scaled_json(const ScaledPool& pool) {
    using Json = nlohmann::ordered_json;
    const Json object{{"concurrency", pool.concurrency},
                      {"until", iso(pool.until)},
                      {"by", pool.by},
                      {"at", iso(pool.at)},
                      {"reason", pool.reason.empty() ? Json(nullptr) : Json(pool.reason)}};
    return object.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace dormouse::cli
