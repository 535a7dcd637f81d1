// What `dormouse setup` finds on the server before it does anything: one look, in pg_catalog alone.
#pragma once

#include <optional>
#include <string>

#include "cli/setup_server.h"

namespace dormouse::cli {

/// The role that owns the schema; nobody logs in as it.
inline constexpr const char* setup_owner = "dormouse_owner";

struct SetupFacts {
    std::string user;  ///< as whom this session acts
    bool superuser = false;
    bool makes_roles = false;
    bool makes_databases = false;
    bool makes_schemas = false;  ///< in the database that is set up
    bool database = true;        ///< the database is there
    bool owner = false;          ///< the role setup_owner is there
    bool owner_logs_in = false;
    std::string owner_members;  ///< others who can act as it
    bool acts_as_owner = false;
    bool login = false;  ///< the pool's login is there
    bool login_logs_in = false;
    bool login_is_super = false;
    bool login_works = false;         ///< has dormouse_worker
    bool login_connects = false;      ///< may connect to the database, or will: everybody may
    bool everybody_connects = false;  ///< to the database, which was there before us
    bool application = false;         ///< the application's login is there
    bool application_logs_in = false;
    bool application_enqueues = false;  ///< has dormouse_producer
    bool application_connects = false;
    bool roles = false;        ///< all four of sql/roles.sql
    std::string schema_owner;  ///< empty: there is no schema dormouse
    bool granted = false;      ///< the roles may use the schema and read each table of it
    bool migrated = false;     ///< the schema is this release's, or a later one's that serves it
    std::string unfit;         ///< why it cannot be; empty: it is, or migrate makes it
};

/// Looks. `connection` is to the database that is set up, or to another one of the server while that is not there
/// (`database` false). Leaves the session as it was. Errors: the server's.
Try<SetupFacts> look_at(postgres::BlockingConnection& connection, bool there, const SetupOptions& options);

/// The databases that somebody might mean, for a message.
Try<std::string> databases_of(postgres::BlockingConnection& connection);

/// Acts as the schema's owner until done(): what is made belongs to it. Errors: denied.
Try<void> act_as_owner(postgres::BlockingConnection& connection, bool superuser);
Try<void> act_as_before(postgres::BlockingConnection& connection);

}  // namespace dormouse::cli
