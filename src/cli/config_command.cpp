#include "cli/config_command.h"

#include <nlohmann/json.hpp>

#include "cli/account.h"
#include "cli/pool_of.h"
#include "cli/text.h"
#include "config/describe.h"
#include "config/load.h"
#include "store/server_proof.h"

namespace dormouse::cli {

namespace {

using Json = nlohmann::ordered_json;

void print_json(const config::Loaded& loaded, const std::vector<config::SettingRow>& rows) {
    Json document{{"pool", loaded.config.pool},
                  {"file", loaded.config.file},
                  {"options", Json::array()},
                  {"warnings", loaded.warnings}};
    for (const config::SettingRow& row : rows)
        document["options"].push_back({{"option", row.option}, {"value", row.value}, {"origin", row.origin}});
    print(safe_json(document.dump(-1, ' ', false, Json::error_handler_t::replace)) + "\n");
}

}  // namespace

Outcome show_config(const ConfigOptions& options) {
    if (options.reference) {
        print(config::reference());
        return Exit::ok;
    }
    config::Sources sources;
    sources.environment = config::of_process();
    const auto pool = pool_of("config", options.pool, options.file.has_value(), sources.environment);
    if (!pool) return tl::unexpected(pool.error());
    sources.pool = *pool;
    sources.file = options.file;
    sources.sets = options.sets;
    sources.database_required = false;
    const auto loaded = config::load(sources);
    if (!loaded) return no_config(loaded.error());
    const std::vector<config::SettingRow> rows = config::describe(*loaded);
    if (options.json) {
        print_json(*loaded, rows);
        return Exit::ok;
    }
    const std::string& file = loaded->config.file;
    print(paint(Colour::bold, "pool " + escaped(*pool)) + (file.empty() ? " (no file)" : " (" + escaped(file) + ")") +
          "\n");
    Table table({"OPTION", "VALUE", "FROM"});
    for (const config::SettingRow& row : rows)
        table.add({{row.option}, {row.value}, {row.origin, row.origin == "default" ? Colour::dim : Colour::none}});
    print(table.text());
    for (const std::string& warning : loaded->warnings) complain("warning: " + warning);
    if (const std::string warning = store::unproven_server(loaded->config.database.url); !warning.empty())
        complain("warning: " + warning);
    return Exit::ok;
}

}  // namespace dormouse::cli
