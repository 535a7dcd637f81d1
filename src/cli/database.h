// Which database a command means, and the session with it. Used by every command that asks the database.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/exit_code.h"
#include "config/load.h"
#include "postgres/acting.h"
#include "postgres/blocking.h"

namespace dormouse::cli {

/// The flags that every command with a database has.
struct DatabaseOptions {
    std::string url;   ///< --database-url
    std::string pool;  ///< --pool
};

struct DatabaseChoice {
    config::Database database;
    config::Limits limits;
    std::string origin;           ///< for messages: "DATABASE_URL", "pool default (/etc/dormouse/default.toml)"
    std::string variable;         ///< of the environment, that named it; empty: none did
    std::string pool;             ///< whose file named it; empty: none did
    bool of_system_pool = false;  ///< of a file in /etc/dormouse: the account of its worker can connect
};

/// What a pool's file says, whatever DATABASE_URL and DORMOUSE_DATABASE_URL say: they are for the commands.
config::Environment without_database(config::Environment environment);

/// Finds it: --database-url, --pool, DORMOUSE_DATABASE_URL, DATABASE_URL or POSTGRES_URL, else the one database that
/// the pools of this machine name, or those of them that serve `queue`. A pool whose file cannot be used is told of on
/// stderr, and left out. A password in --database-url is refused. Fails with the ways there are.
Try<DatabaseChoice> choose_database(const DatabaseOptions& options, const config::Environment& environment,
                                    const std::string& queue = {});

/// A database that files of pools on this machine name, and these pools.
struct PoolsDatabase {
    DatabaseChoice choice;
    std::vector<std::string> pools;
};
/// "Database of pools mail, main"
std::string title_of(const PoolsDatabase& database);

/// All of them, where nothing but these files names a database; with --pool, too. Two files mean one database if they
/// lead to one, in whatever words: of servers on this machine that is asked. Pools whose file cannot be used are in
/// none.
std::vector<PoolsDatabase> databases_meant(const DatabaseOptions& options, const config::Environment& environment);

/// Connects as "dormouse COMMAND"; root, to the database of a pool, as the account of the workers where that is needed.
/// The session looks names up in pg_catalog alone, and a superuser's executes nobody
/// else's code (postgres/acting.h).
Try<postgres::BlockingConnection> open_database(const DatabaseChoice& choice, const std::string& command);

struct Opened {
    postgres::BlockingConnection connection;
    bool schema_exists = true;  ///< false: there is none, and nothing of that name must be asked, since it may come
                                ///< from somebody meanwhile
};
/// The same, for `dormouse migrate` and `dormouse setup`, which need no schema.
Try<Opened> open_database(const DatabaseChoice& choice, const std::string& command, postgres::Act act);
Try<Opened> open_database(const DatabaseOptions& options, const std::string& command, postgres::Act act);

/// Both, for commands that need no more of the choice.
Try<postgres::BlockingConnection> open_database(const DatabaseOptions& options, const std::string& command,
                                                const std::string& queue = {});

/// As a parameter of a statement: NULL for "".
inline std::optional<std::string> unless_empty(const std::string& text) {
    return text.empty() ? std::nullopt : std::optional(text);
}

/// Fails with the remedy unless the schema fits this release.
[[nodiscard]] Try<void> check_schema(postgres::BlockingConnection& connection);

/// The refusal of a statement of ours: that of the schema, if that is why. What is missing may as well be something
/// that somebody's trigger means. Asks the database for that, and ends a transaction that has failed.
Failure refusal(postgres::BlockingConnection& connection, const Error& error);

}  // namespace dormouse::cli
