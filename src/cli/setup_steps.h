// The steps of `dormouse setup`, in their order: what each is about, whether it is done already, the commands that a
// person would type, and doing it. Driven by setup.cpp.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cli/setup_facts.h"

namespace dormouse::cli {

/// What the steps know and change.
struct Setup {
    SetupOptions options;
    config::Environment environment;
    SetupServer server;
    SetupFacts facts;
    std::optional<postgres::BlockingConnection> connection;
    std::string pool_file;
    std::string passfile;
    std::string account;      ///< of the pool's worker
    std::string server_unit;  ///< the server's, of this machine; empty: none, or systemd has no part in it

    [[nodiscard]] std::string database() const { return server.parts.at("dbname"); }
};

struct SetupStep {
    const char* name;
    std::string (*about)(const Setup& setup);  ///< empty: not needed here
    /// Nothing of it is left to do. Errors: it cannot be done, with who can.
    Try<bool> (*there)(const Setup& setup);
    std::vector<std::string> (*commands)(const Setup& setup);
    Try<void> (*act)(Setup& setup);
};

/// Database, owner, schema, tables, roles.
std::span<const SetupStep> database_steps();
/// The password, where one is needed, the pool's login, and the application's.
std::span<const SetupStep> login_steps();
/// The pool's file, its check, the order in which a shutdown stops worker and server, its switch.
std::span<const SetupStep> pool_steps();

/// The statements, one after the other. Errors: the server's, with the statement, which is one that may be shown.
Try<void> script(Setup& setup, const std::vector<std::string>& statements);
/// What the administrator's login lacks, and who can do it instead.
tl::unexpected<Failure> may_not(const Setup& setup, const std::string& what, const std::string& attribute);
/// The connection string of the pool.
std::string url_for_pool(const Setup& setup);

}  // namespace dormouse::cli
