#include "cli/database.h"

#include <libpq-fe.h>

#include <cstdlib>
#include <optional>
#include <string_view>
#include <vector>

#include "cli/account.h"
#include "cli/version.h"
#include "config/redact.h"

namespace dormouse::cli {

namespace {

constexpr const char* ways =
    "name one with --pool POOL, set DATABASE_URL, or say --database-url postgresql://USER@HOST/DATABASE";

Try<DatabaseChoice> of_pool(const std::string& pool, const config::Environment& environment) {
    config::Sources sources;
    sources.pool = pool;
    // what somebody typed counts more than a variable; only a file that names no database leaves it to the
    // variable
    sources.environment = without_database(environment);
    sources.database_required = false;
    auto loaded = config::load(sources);
    if (loaded && loaded->config.database.url.empty()) {
        sources.environment = environment;
        sources.database_required = true;
        loaded = config::load(sources);
    }
    if (!loaded) return no_config(loaded.error());
    const std::string file = loaded->config.file.empty() ? "" : " (" + loaded->config.file + ")";
    return DatabaseChoice{loaded->config.database, loaded->config.limits, "pool " + pool + file};
}

std::optional<DatabaseChoice> of_environment(const config::Environment& environment) {
    for (const char* const name : {"DORMOUSE_DATABASE_URL", "DATABASE_URL"}) {
        const auto found = environment.find(name);
        if (found == environment.end() || found->second.empty()) continue;
        DatabaseChoice choice;
        choice.database.url = found->second;
        choice.origin = name;
        return choice;
    }
    return std::nullopt;
}

/// The pools may be several, as long as they all mean the same database.
Try<DatabaseChoice> of_directory(const config::Environment& environment) {
    const std::vector<std::string> pools = config::pools(environment);
    const std::string directory = config::directory(environment);
    if (pools.empty()) return give_up(Exit::config, "no database: there is no pool in " + directory + "; " + ways);
    std::optional<DatabaseChoice> first;
    for (const std::string& pool : pools) {
        auto choice = of_pool(pool, environment);
        if (!choice) return choice;
        if (first && first->database.url != choice->database.url)
            return give_up(Exit::config, "no database: the pools in " + directory + " name several; " + ways);
        if (!first) first = std::move(*choice);
    }
    return *first;
}

}  // namespace

config::Environment without_database(config::Environment environment) {
    environment.erase("DATABASE_URL");
    environment.erase("DORMOUSE_DATABASE_URL");
    return environment;
}

Try<DatabaseChoice> choose_database(const DatabaseOptions& options, const config::Environment& environment) {
    if (!options.url.empty()) {
        if (config::has_password(options.url))
            return give_up(Exit::usage,
                           "--database-url: a password on the command line can be seen in ps, or this cannot "
                           "be read as a connection "
                           "string; leave the password out and use DATABASE_URL, a passfile (PGPASSFILE) or "
                           "a service file");
        DatabaseChoice choice;
        choice.database.url = options.url;
        choice.origin = "--database-url";
        return choice;
    }
    if (!options.pool.empty()) return of_pool(options.pool, environment);
    if (auto choice = of_environment(environment)) return *choice;
    return of_directory(environment);
}

namespace {

/// What to do about a login that the server does not let in; empty: its own words say enough.
std::string who_instead(const std::string& message, postgres::Act act) {
    constexpr std::string_view peer = "Peer authentication failed for user \"";
    if (const auto at = message.find(peer); at != std::string::npos) {
        const std::string rest = message.substr(at + peer.size());
        return "; the server lets in that account alone: sudo -u " + rest.substr(0, rest.find('"')) + " dormouse …";
    }
    if (message.find("FATAL:  role \"") == std::string::npos) return {};
    const std::string you = "; without a user in its URL you are the login that is called like you: ";
    if (act == postgres::Act::uses)
        return you + "run this as the pool's user (" + command_as_account() + "), or name a login";
    return you +
           "run this as an administrator (sudo -u postgres dormouse migrate …; sudo dormouse setup …), or name a "
           "login";
}

}  // namespace

Try<Opened> open_database(const DatabaseChoice& choice, const std::string& command, postgres::Act act) {
    ::setenv("PGTZ", "UTC",
             1);  // libpq sends it while connecting, which also a pooler understands; times are shown by when.h
    const postgres::BlockingOptions options{"dormouse " + command, choice.database.passfile,
                                            choice.database.connect_timeout};
    auto connection = postgres::BlockingConnection::open(choice.database.url, options);
    if (connection) {
        const auto ground = postgres::take_ground(*connection, act);
        if (!ground) return give_up(ground.error());
        return Opened{std::move(*connection), ground->schema_exists};
    }
    Failure failure = from(connection.error());
    failure.message = choice.origin + ": " + failure.message;
    if (failure.exit == Exit::usage) failure.exit = Exit::config;
    // The server's own refusal says that it is there.
    if (failure.exit == Exit::unreachable && failure.message.find("FATAL:") == std::string::npos)
        failure.message += "; is the server up, and is this its address?";
    if (failure.exit == Exit::denied) failure.message += who_instead(failure.message, act);
    return tl::unexpected(std::move(failure));
}

Try<postgres::BlockingConnection> open_database(const DatabaseChoice& choice, const std::string& command) {
    auto opened = open_database(choice, command, postgres::Act::uses);
    if (!opened) return tl::unexpected(opened.error());
    if (!opened->schema_exists) {
        if (const Status fits = postgres::require_fit({}, release()); !fits) return give_up(fits.error());
    }
    return std::move(opened->connection);
}

Try<Opened> open_database(const DatabaseOptions& options, const std::string& command, postgres::Act act) {
    const auto choice = choose_database(options, config::of_process());
    if (!choice) return tl::unexpected(choice.error());
    return open_database(*choice, command, act);
}

Try<postgres::BlockingConnection> open_database(const DatabaseOptions& options, const std::string& command) {
    const auto choice = choose_database(options, config::of_process());
    if (!choice) return tl::unexpected(choice.error());
    return open_database(*choice, command);
}

Try<void> check_schema(postgres::BlockingConnection& connection) {
    const auto state = postgres::schema_state(connection, migrations(), release());
    if (!state) return give_up(state.error());
    if (const Status fits = postgres::require_fit(*state, release()); !fits) return give_up(fits.error());
    return {};
}

Failure refusal(postgres::BlockingConnection& connection, const Error& error) {
    Failure failure = from(error);
    if (failure.exit != Exit::schema) return failure;
    if (PQtransactionStatus(connection.get()) == PQTRANS_INERROR)
        static_cast<void>(connection.script("schema", "ROLLBACK"));
    const auto fits = check_schema(connection);
    if (!fits && fits.error().exit == Exit::schema) return fits.error();
    // our own statements and functions name the schema of all they mean, and a producer may not ask for its version
    const auto has = [&](const char* words) { return error.message.find(words) != std::string::npos; };
    if (has("dormouse.") || has("\"dormouse\"")) {
        if (!fits) failure.message += "; the schema is missing or older: run `dormouse migrate`";
        return failure;
    }
    if (!has("(42P01)") && !has("(42703)") && !has("(42883)") && !has("(3F000)")) return failure;
    failure.exit = Exit::usage;  // as everything that a trigger refuses
    failure.message +=
        "; that is not of schema dormouse, so a trigger or a rule of somebody's means it: name its schema there, or "
        "give the trigger function SET search_path (`dormouse doctor` names them)";
    return failure;
}

}  // namespace dormouse::cli
