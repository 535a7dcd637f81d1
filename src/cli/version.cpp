#include "cli/version.h"

#include <libpq-fe.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/text.h"
#include "sql/embedded.h"

namespace dormouse::cli {

std::string_view release() {
    return DORMOUSE_VERSION;
}

std::span<const postgres::Migration> migrations() {
    static const std::vector<postgres::Migration> all = [] {
        std::vector<postgres::Migration> list;
        for (const sql::Migration& one : sql::migrations) list.push_back({one.version, one.name, one.text});
        return list;
    }();
    return all;
}

Outcome version(const VersionOptions& options) {
    const int schema = migrations().back().version;
    const std::string libpq = std::to_string(PQlibVersion() / 10000) + "." + std::to_string(PQlibVersion() % 10000);
    if (options.json) {
        print(nlohmann::ordered_json{{"version", release()}, {"schema", schema}, {"libpq", libpq}}.dump() + "\n");
    } else {
        print("dormouse " + std::string(release()) + " (schema version " + std::to_string(schema) + ", libpq " + libpq +
              ")\n");
    }
    return Exit::ok;
}

}  // namespace dormouse::cli
