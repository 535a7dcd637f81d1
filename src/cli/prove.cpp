#include "cli/prove.h"

#include <cstdlib>
#include <random>

#include "cli/become.h"
#include "cli/setup_server.h"
#include "config/duration.h"
#include "config/options.h"

namespace dormouse::cli {
namespace {

/// Whether the server was named; one that was not may be replaced by a private one.
bool is_named(const ProveOptions& options, const config::Environment& environment) {
    if (!options.database_url.empty()) return true;
    for (const std::string& name : config::database_variables())
        if (const auto found = environment.find(name); found != environment.end() && !found->second.empty())
            return true;
    return false;
}

/// PGUSER is for commands; the worker does not see it.
std::string with_login(const config::Environment& environment) {
    const auto found = environment.find("PGUSER");
    return found == environment.end() || found->second.empty() ? "" : url_of({{"user", found->second}});
}

}  // namespace

Outcome prove(const ProveOptions& options) {
    long long seconds = 45;
    if (!options.duration.empty()) {
        const auto duration = config::parse_duration(options.duration);
        if (!duration) return give_up(Exit::usage, "--duration: " + duration.error().message);
        seconds = duration->count() / 1000;
    }
    const config::Environment environment = config::of_process();
    const bool named = is_named(options, environment);
    SetupOptions meant;
    meant.url = named ? options.database_url : with_login(environment);
    auto server = find_setup_server(meant, environment);
    if (!server && named) return tl::unexpected(server.error());
    std::string admin;
    std::string name;
    std::string own;
    std::string account;
    const int seed = options.seed < 0 ? static_cast<int>(std::random_device{}() % 32768) : options.seed;
    name = "dormouse_prove_" + std::to_string(std::random_device{}());
    if (server) {
        // not in the argument list of any program: the script makes a passfile of it
        if (const auto password = server->parts.find("password"); password != server->parts.end())
            ::setenv("PGPASSWORD", password->second.c_str(), 1);
        admin = admin_url(*server, server->parts.contains("dbname") ? "" : "postgres");
        own = admin_url(*server, name);
        account = server->account;
    }
    const auto script = helper("dormouse-prove");
    if (!script) return tl::unexpected(script.error());
    const auto dev = helper("dormouse-dev");
    if (!dev) return tl::unexpected(dev.error());
    const auto due = helper("dormouse-due");
    if (!due) return tl::unexpected(due.error());
    return become(*script,
                  {own_path(), *due, *dev, named ? "named" : "", account, admin, name, own, std::to_string(seconds),
                   std::to_string(seed), options.dry_run ? "yes" : "", options.json ? "yes" : ""});
}

}  // namespace dormouse::cli
