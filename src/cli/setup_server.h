// Which server `dormouse setup` sets up, as whom it connects, and how that is written: connection strings, and psql
// commands for people.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "cli/account.h"
#include "cli/setup.h"
#include "config/load.h"
#include "postgres/blocking.h"

namespace dormouse::cli {

/// What a connection string says, by libpq's keywords.
using Parts = std::map<std::string, std::string>;

struct SetupServer {
    Parts parts;          ///< as the administrator, with the database that is set up
    bool local = false;   ///< through a socket of this machine
    std::string account;  ///< of the operating system, as which root connects; empty: as the caller
    std::string origin;   ///< for messages
};

/// From the URL, DATABASE_URL, or the sockets of this machine. Errors: usage, with the ways there are.
Try<SetupServer> find_setup_server(const SetupOptions& options, const config::Environment& environment);

/// As a session of `dormouse setup`: names are looked up in pg_catalog alone, and a superuser executes nobody's code.
/// `database` instead of the server's own unless it is empty.
Try<postgres::BlockingConnection> connect(const SetupServer& server, const std::string& database = {});

/// postgresql://…, with everything that is in `parts`.
std::string url_of(const Parts& parts);
/// The administrator's, without a password.
std::string admin_url(const SetupServer& server, const std::string& database = {});
/// The pool's. Where the server is elsewhere its password is in the file `passfile`.
std::string pool_url(const SetupServer& server, const std::string& login, const std::string& passfile);
/// Whether both strings mean one login of one database of one server. Where `url` names no login it means `account`.
bool same_database(const std::string& url, const std::string& account, const std::string& other);

/// A name in SQL.
std::string sql_name(const std::string& name);
/// `words` as typed: behind sudo where root connects as another account.
std::string as_admin(const SetupServer& server, const std::string& words);
/// Those statements, as one psql command.
std::string psql(const SetupServer& server, const std::vector<std::string>& statements,
                 const std::string& database = {});

}  // namespace dormouse::cli
