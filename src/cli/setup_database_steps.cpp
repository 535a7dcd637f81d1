#include <array>

#include "cli/setup_steps.h"
#include "cli/text.h"
#include "cli/version.h"
#include "postgres/patience.h"
#include "sql/embedded.h"

namespace dormouse::cli {
namespace {

using RunLines = std::vector<std::string>;

RunLines database_sql(const Setup& setup) {
    const std::string name = sql_name(setup.database());
    return {"CREATE DATABASE " + name + " ENCODING 'UTF8' TEMPLATE template0",
            "REVOKE CONNECT ON DATABASE " + name + " FROM PUBLIC"};
}
std::string about_database(const Setup& setup) {
    return "database " + setup.database();
}
Try<bool> database_there(const Setup& setup) {
    if (setup.facts.database) return true;
    if (setup.options.create_database.empty())
        return give_up(Exit::config, "there is no database " + setup.database() + "; make it with --create-database " +
                                         setup.database() + ", or name another one");
    if (!setup.facts.makes_databases) return may_not(setup, "create databases", "no CREATEDB");
    return false;
}
RunLines database_commands(const Setup& setup) {
    RunLines lines;
    for (const std::string& one : database_sql(setup)) lines.push_back(psql(setup.server, {one}, "postgres"));
    return lines;
}
Try<void> make_database(Setup& setup) {
    if (const auto made = script(setup, database_sql(setup)); !made) return made;
    auto connection = connect(setup.server);
    if (!connection) return tl::unexpected(connection.error());
    setup.connection.reset();
    setup.connection.emplace(std::move(*connection));
    return {};
}

RunLines owner_sql(const Setup& setup) {
    RunLines lines;
    if (!setup.facts.owner) lines.push_back(std::string("CREATE ROLE ") + setup_owner);
    // whoever may make roles can take this one anyway; a superuser needs no membership
    if (!setup.facts.superuser) lines.push_back(std::string("GRANT ") + setup_owner + " TO CURRENT_USER");
    return lines;
}
std::string about_owner(const Setup&) {
    return std::string("role ") + setup_owner + ", which owns the schema and cannot log in";
}
Try<bool> owner_there(const Setup& setup) {
    const SetupFacts& facts = setup.facts;
    const std::string role = std::string("role ") + setup_owner;
    if (facts.owner_logs_in)
        return give_up(Exit::denied, role + " can log in; ALTER ROLE " + setup_owner + " NOLOGIN, if it is ours");
    if (!facts.owner_members.empty())
        return give_up(Exit::denied, role + " has members, who could do everything as it: " + facts.owner_members +
                                         "; REVOKE " + setup_owner + " FROM " + facts.owner_members);
    if (facts.owner && (facts.superuser || facts.acts_as_owner)) return true;
    if (!facts.makes_roles) return may_not(setup, "create and grant roles", "no CREATEROLE");
    return false;
}
RunLines owner_commands(const Setup& setup) {
    return {psql(setup.server, owner_sql(setup))};
}
Try<void> make_owner(Setup& setup) {
    return script(setup, owner_sql(setup));
}

RunLines schema_sql(const Setup&) {
    std::string statement = "CREATE SCHEMA dormouse AUTHORIZATION ";
    return {statement.append(setup_owner)};
}
std::string about_schema(const Setup&) {
    return "schema dormouse";
}
Try<bool> schema_there(const Setup& setup) {
    const std::string& owner = setup.facts.schema_owner;
    if (owner.empty() && !setup.facts.makes_schemas)
        return may_not(setup, "make a schema in database " + setup.database(), "no CREATE on it");
    if (!owner.empty() && owner != setup_owner)
        return give_up(Exit::denied, "schema dormouse belongs to " + owner + " and not to " + setup_owner +
                                         "; if that is intended, continue as " + owner +
                                         " (dormouse migrate, dormouse migrate --roles) and write the pool's file by "
                                         "hand; else drop or rename it");
    return !owner.empty();
}
RunLines schema_commands(const Setup& setup) {
    return {psql(setup.server, schema_sql(setup))};
}
Try<void> make_schema(Setup& setup) {
    return script(setup, schema_sql(setup));
}

std::string about_tables(const Setup&) {
    return "tables and functions of dormouse " + std::string(release());
}
Try<bool> tables_there(const Setup& setup) {
    if (!setup.facts.unfit.empty()) return give_up(Exit::schema, setup.facts.unfit);
    return setup.facts.migrated;
}
std::string migrate_command(const Setup& setup, const std::string& flags, bool as_owner) {
    const std::string role = as_owner ? std::string("PGOPTIONS='-c role=") + setup_owner + "' " : "";
    return as_admin(setup.server,
                    role + "dormouse migrate" + flags + " --database-url " + shell_word(admin_url(setup.server)));
}
RunLines tables_commands(const Setup& setup) {
    return {migrate_command(setup, setup.facts.superuser ? " --adopt" : "", !setup.facts.superuser)};
}
postgres::Patience patient_and_loud() {
    return {postgres::Patience{}.longest, [](const std::string& who) { complain("waits for " + who); }};
}
Try<void> make_tables(Setup& setup) {
    if (const auto acts = act_as_owner(*setup.connection, setup.facts.superuser); !acts) return acts;
    const auto done = postgres::migrate(*setup.connection, migrations(), release(), true, patient_and_loud());
    if (!done) return give_up(done.error());
    return act_as_before(*setup.connection);
}

std::string about_roles(const Setup&) {
    return "roles dormouse_producer, dormouse_worker, dormouse_operator and dormouse_reader";
}
Try<bool> roles_there(const Setup& setup) {
    const SetupFacts& facts = setup.facts;
    if (!facts.roles && !facts.makes_roles) return may_not(setup, "create roles", "no CREATEROLE");
    return facts.roles && facts.granted && facts.migrated;
}
RunLines roles_commands(const Setup& setup) {
    return {migrate_command(setup, " --roles", false)};
}
Try<void> make_roles(Setup& setup) {
    if (const Status done = postgres::apply_roles(*setup.connection, sql::roles, patient_and_loud()); !done)
        return give_up(done.error());
    return {};
}

}  // namespace

std::span<const SetupStep> database_steps() {
    static constexpr std::array steps{
        SetupStep{"database", about_database, database_there, database_commands, make_database},
        SetupStep{"owner", about_owner, owner_there, owner_commands, make_owner},
        SetupStep{"schema", about_schema, schema_there, schema_commands, make_schema},
        SetupStep{"tables", about_tables, tables_there, tables_commands, make_tables},
        SetupStep{"roles", about_roles, roles_there, roles_commands, make_roles},
    };
    return steps;
}

}  // namespace dormouse::cli
