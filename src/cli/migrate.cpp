#include "cli/migrate.h"

#include <nlohmann/json.hpp>

#include "cli/local_wake.h"
#include "cli/text.h"
#include "cli/version.h"
#include "config/duration.h"
#include "sql/embedded.h"

namespace dormouse::cli {

namespace {

Outcome apply_roles(postgres::BlockingConnection& connection, const MigrateOptions& options,
                    const postgres::Patience& patience) {
    if (const Status done = postgres::apply_roles(connection, sql::roles, patience); !done)
        return give_up(done.error());
    if (options.json) {
        print(nlohmann::ordered_json{
                  {"roles", {"dormouse_producer", "dormouse_worker", "dormouse_operator", "dormouse_reader"}}}
                  .dump() +
              "\n");
    } else {
        print(
            "roles dormouse_producer, dormouse_worker, dormouse_operator and dormouse_reader are in place\n"
            "next: GRANT dormouse_producer TO the login of your application\n"
            "      GRANT dormouse_worker TO the login of your pools (unless it was made IN ROLE dormouse_worker)\n"
            "      GRANT dormouse_operator TO who cancels, retries and archives\n");
    }
    return Exit::ok;
}

void tell(const postgres::SchemaState& state, int applied, const MigrateOptions& options) {
    if (options.json) {
        print(nlohmann::ordered_json{{"schema", to_string(state.fit)},
                                     {"version", state.version},
                                     {"known", state.known},
                                     {"oldest_release", state.oldest_release},
                                     {"applied", applied}}
                  .dump() +
              "\n");
        return;
    }
    if (options.check && require_fit(state, release()).has_value()) {
        print("schema dormouse is at version " + std::to_string(state.version) + " and fits dormouse " +
              std::string(release()) + "\n");
    } else if (!options.check && applied == 0) {
        print("nothing to do: schema dormouse is at version " + std::to_string(state.version) + "\n");
    } else if (!options.check) {
        print("schema dormouse is now at version " + std::to_string(state.version) + " (" + std::to_string(applied) +
              " applied)\n");
    }
}

postgres::Act act_of(const MigrateOptions& options) {
    if (options.roles || options.local_wake || options.no_local_wake) return postgres::Act::administers;
    return options.adopt ? postgres::Act::adopts : options.check ? postgres::Act::uses : postgres::Act::migrates;
}

}  // namespace

Outcome migrate(const MigrateOptions& options) {
    const auto wait = config::parse_duration(options.wait);
    if (!wait) return give_up(Exit::usage, "--wait: " + wait.error().message);
    auto opened = open_database(options.database, "migrate", act_of(options));
    if (!opened) return tl::unexpected(opened.error());
    postgres::BlockingConnection& connection = opened->connection;
    const postgres::Patience patience{*wait, [](const std::string& who) { complain("waits for " + who); }};
    // What this release grants and makes is for its own schema, and for no other. Who may not look at it is told below
    // what else is missing.
    if ((options.roles || options.local_wake || options.no_local_wake) && opened->schema_exists)
        if (const auto fits = check_schema(connection); !fits && fits.error().exit != Exit::denied)
            return tl::unexpected(fits.error());
    if (options.roles) return apply_roles(connection, options, patience);
    if (options.local_wake || options.no_local_wake) return local_wake(connection, options, patience);
    int applied = 0;
    if (!options.check) {
        const auto done = postgres::migrate(connection, migrations(), release(), opened->schema_exists, patience);
        if (!done) return give_up(done.error());
        applied = *done;
    }
    const auto state = options.check && !opened->schema_exists
                           ? postgres::no_schema(connection, migrations())
                           : postgres::schema_state(connection, migrations(), release());
    if (!state) return give_up(state.error());
    tell(*state, applied, options);
    if (const Status fits = require_fit(*state, release()); !fits) return give_up(fits.error());
    return Exit::ok;
}

}  // namespace dormouse::cli
