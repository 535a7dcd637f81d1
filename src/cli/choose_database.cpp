#include <algorithm>
#include <map>
#include <optional>
#include <vector>

#include "cli/account.h"
#include "cli/database.h"
#include "cli/text.h"
#include "config/options.h"
#include "config/redact.h"
#include "postgres/target.h"
#include "sql/embedded.h"

namespace dormouse::cli {

namespace {

constexpr const char* ways =
    "name one with --pool POOL, set DATABASE_URL, or say --database-url postgresql://USER@HOST/DATABASE";

struct PoolChoice {
    std::string pool;
    DatabaseChoice choice;
    std::vector<std::string> queues;
};

Try<PoolChoice> of_pool(const std::string& pool, const config::Environment& environment) {
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
    PoolChoice found{pool, {}, loaded->config.worker.queues};
    found.choice.database = loaded->config.database;
    found.choice.limits = loaded->config.limits;
    found.choice.origin = "pool " + pool + file;
    found.choice.pool = pool;
    found.choice.of_system_pool = config::directory(environment) == config::directory({});
    if (!found.choice.of_system_pool) found.choice.variable = "DORMOUSE_CONFIG_DIR";
    return found;
}

std::optional<DatabaseChoice> of_environment(const config::Environment& environment) {
    for (const std::string& name : config::database_variables()) {
        const auto found = environment.find(name);
        if (found == environment.end() || found->second.empty()) continue;
        DatabaseChoice choice;
        choice.database.url = found->second;
        choice.origin = name;
        choice.variable = name;
        return choice;
    }
    return std::nullopt;
}

bool serves(const PoolChoice& pool, const std::string& queue) {
    return std::find(pool.queues.begin(), pool.queues.end(), queue) != pool.queues.end();
}

std::string names_of(const std::vector<PoolChoice>& pools) {
    std::string names;
    for (const PoolChoice& one : pools) names += (names.empty() ? "" : ", ") + one.pool;
    return names;
}

struct PoolsHere {
    std::vector<PoolChoice> usable;
    std::vector<std::string> warnings;  ///< of the others
    std::optional<Failure> first_failure;
};

PoolsHere pools_here(const config::Environment& environment) {
    PoolsHere here;
    for (const std::string& name : config::pools(environment)) {
        auto pool = of_pool(name, environment);
        if (pool) {
            here.usable.push_back(std::move(*pool));
        } else {
            const std::string& why = pool.error().message;
            here.warnings.push_back("warning: pool " + name + " is left out: " + why.substr(0, why.find("; ")) +
                                    "; dormouse worker " + name + " --check");
            if (!here.first_failure) here.first_failure = std::move(pool.error());
        }
    }
    return here;
}

/// What servers have said, by url: each is asked once.
using Marks = std::map<std::string, std::string>;

/// Empty: it cannot be asked.
std::string ask_mark(const DatabaseChoice& choice) {
    auto opened = open_database(choice, "status", postgres::Act::uses);
    if (!opened) return {};
    const auto mark = opened->connection.ask("status", sql::cli::which_database);
    return mark && mark->rows() == 1 ? std::string(mark->text(0, 0)) : std::string();
}

const std::string& mark_of(const DatabaseChoice& choice, Marks& marks) {
    const auto [found, is_new] = marks.try_emplace(choice.database.url);
    if (is_new) found->second = ask_mark(choice);
    return found->second;
}

/// By a socket and by the loopback it is one server, or two; the servers know.
bool are_one(const DatabaseChoice& one, const DatabaseChoice& other, Marks& marks) {
    if (postgres::same_database(one.database.url, other.database.url)) return true;
    if (!postgres::may_be_one_database(one.database.url, other.database.url)) return false;
    const std::string& mark = mark_of(one, marks);
    return !mark.empty() && mark == mark_of(other, marks);
}

/// The pools may be several, as long as they all lead to one database; those that serve `queue` count, if there are
/// any. A file that cannot be used is told of, and does not count.
Try<DatabaseChoice> of_directory(const config::Environment& environment, const std::string& queue) {
    const std::string directory = config::directory(environment);
    PoolsHere here = pools_here(environment);
    std::vector<PoolChoice>& pools = here.usable;
    if (pools.empty() && here.first_failure) return tl::unexpected(std::move(*here.first_failure));
    if (pools.empty()) return give_up(Exit::config, "no database: there is no pool in " + directory + "; " + ways);
    if (std::any_of(pools.begin(), pools.end(), [&](const PoolChoice& one) { return serves(one, queue); }))
        std::erase_if(pools, [&](const PoolChoice& one) { return !serves(one, queue); });
    const DatabaseChoice& first = pools.front().choice;
    Marks marks;
    for (const PoolChoice& one : pools)
        if (!are_one(first, one.choice, marks))
            return give_up(Exit::config, "no database: the pools in " + directory + " name several (" +
                                             names_of(pools) + "); " + ways);
    for (const std::string& warning : here.warnings) complain(warning);
    return first;
}

}  // namespace

config::Environment without_database(config::Environment environment) {
    for (const std::string& name : config::database_variables()) environment.erase(name);
    return environment;
}

std::string title_of(const PoolsDatabase& database) {
    std::string title = database.pools.size() == 1 ? "Database of pool " : "Database of pools ";
    for (const std::string& pool : database.pools) title += (&pool == &database.pools.front() ? "" : ", ") + pool;
    return title;
}

std::vector<PoolsDatabase> databases_meant(const DatabaseOptions& options, const config::Environment& environment) {
    if (!options.url.empty() || (options.pool.empty() && of_environment(environment).has_value())) return {};
    std::vector<PoolsDatabase> all;
    Marks marks;
    for (const PoolChoice& pool : pools_here(environment).usable) {
        const auto known = std::find_if(
            all.begin(), all.end(), [&](const PoolsDatabase& one) { return are_one(one.choice, pool.choice, marks); });
        known == all.end() ? all.push_back({pool.choice, {pool.pool}}) : known->pools.push_back(pool.pool);
    }
    return all;
}

Try<DatabaseChoice> choose_database(const DatabaseOptions& options, const config::Environment& environment,
                                    const std::string& queue) {
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
    if (!options.pool.empty()) {
        auto pool = of_pool(options.pool, environment);
        if (!pool) return tl::unexpected(pool.error());
        return std::move(pool->choice);
    }
    if (auto choice = of_environment(environment)) return *choice;
    return of_directory(environment, queue);
}

}  // namespace dormouse::cli
