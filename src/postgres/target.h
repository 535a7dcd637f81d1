// Where to connect: a URL or keyword string, taken apart into the addresses that are tried one after the other. Knows
// nothing of sockets; connector.h does the trying.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/error.h"

namespace dormouse::postgres {

/// One place to try. `host` stays beside `address`, because verify-full and SNI need the name.
struct Endpoint {
    std::string host;     ///< name, address, or directory of a unix socket; empty: libpq's default
    std::string address;  ///< numeric; empty until resolved, and for unix sockets
    std::string port;     ///< empty: libpq's default
};

/// The options of a connection, without host, hostaddr and port.
struct Target {
    std::vector<Endpoint> places;
    std::map<std::string, std::string> options;
};

/// Takes `url` apart, with what libpq would add from PG… variables and service files. Errors: invalid, without the
/// password. `passfile` (may be empty) is used unless the URL names one. Source: libpq chapter, "Connection Strings".
Result<Target> parse_target(const std::string& url, const std::string& passfile);

/// Whether both strings lead to one database: its name, and where its server is. Hosts are compared as they are
/// written, but for this machine's own: directories of sockets by what they are, and the names of the loopback are one.
/// Who logs in, and how, does not matter. False for what cannot be read.
bool same_database(const std::string& url, const std::string& other);

/// Whether both have the same database's name and lead to this machine alone, by socket or by the loopback: then a
/// server can say whether they are one.
bool may_be_one_database(const std::string& url, const std::string& other);

/// True if every place is a socket of this machine.
bool by_socket(const Target& target);

/// The file of a socket.
std::string socket_of(const Endpoint& place);

/// True if the string itself has this option, such as "user", and leaves it to no variable.
bool says(const std::string& url, const std::string& option);

/// The same connection string with another login.
std::string with_user(const std::string& url, const std::string& user);

/// True when the place must be resolved before it can be tried.
bool needs_resolving(const Endpoint& place);

}  // namespace dormouse::postgres
