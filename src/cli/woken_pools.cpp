#include "cli/woken_pools.h"

#include <libpq-fe.h>

#include <filesystem>

#include "cli/database.h"
#include "postgres/target.h"

namespace dormouse::cli {

namespace {

bool is_socket(const std::string& host) {
    return host.empty() || host.front() == '/' || host.front() == '@';
}

bool is_here(const std::string& host) {
    return is_socket(host) || host == "localhost" || host == "::1" || host.starts_with("127.");
}

std::string real(const std::string& path) {
    std::error_code failed;
    const auto found = std::filesystem::weakly_canonical(path, failed);
    return failed ? path : found.string();
}

std::string or_else(const char* text, const char* otherwise) {
    return text == nullptr || *text == '\0' ? otherwise : text;
}

/// Whether both are one server of this host. Two directories tell two servers apart; a socket and the loopback do not.
bool same_server(const std::string& host, const std::string& other) {
    if (!is_here(host) || !is_here(other)) return false;
    if (host.empty() || other.empty() || !is_socket(host) || !is_socket(other)) return true;
    return real(host) == real(other);
}

/// Empty if `url` means the database of the session; else why not.
std::string why_not(PGconn* session, const std::string& url) {
    const auto target = postgres::parse_target(url, "");
    if (!target) return target.error().message;
    const auto option = [&](const char* name) {
        const auto found = target->options.find(name);
        return found == target->options.end() ? std::string() : found->second;
    };
    const std::string database = option("dbname").empty() ? option("user") : option("dbname");
    if (database != or_else(PQdb(session), "")) return "names the database " + database;
    const std::string address = or_else(PQhost(session), "");
    for (const postgres::Endpoint& place : target->places) {
        const std::string host = place.address.empty() ? place.host : place.address;
        if (same_server(address, host) && or_else(place.port.c_str(), "5432") == or_else(PQport(session), "5432"))
            return {};
    }
    return "names another server, or one that is not on this host";
}

Result<config::Loaded> load(const std::string& name, const config::Environment& environment) {
    config::Sources sources;
    sources.pool = name;
    sources.environment = without_database(environment);
    sources.database_required = false;
    return config::load(sources);
}

WokenPool woken(const std::string& name, const config::Config& config) {
    return {name, config.paths.wake_directory + "/" + name, config.worker.queues};
}

}  // namespace

WokenPools find_woken_pools(const postgres::BlockingConnection& connection, const config::Environment& environment) {
    WokenPools found;
    for (const std::string& name : config::pools(environment)) {
        const auto loaded = load(name, environment);
        const std::string reason = !loaded ? loaded.error().message
                                   : loaded->config.database.url.empty()
                                       ? ""
                                       : why_not(connection.get(), loaded->config.database.url);
        if (reason.empty()) {
            found.pools.push_back(woken(name, loaded->config));
        } else {
            found.left_out.push_back({name, reason});
        }
    }
    return found;
}

Try<WokenPool> find_woken_pool(const std::string& name, const config::Environment& environment) {
    const auto loaded = load(name, environment);
    if (!loaded) return give_up(Exit::config, loaded.error().message);
    if (loaded->config.file.empty()) {
        return give_up(Exit::config, "pool " + name + ": there is no " + config::directory(environment) + "/" + name +
                                         ".toml, which would say what queues it serves");
    }
    return woken(name, loaded->config);
}

}  // namespace dormouse::cli
