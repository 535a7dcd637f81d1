// Where to connect: a URL or keyword string, taken apart into the addresses that are tried one after the other. Knows
// nothing of sockets; connector.h does the trying.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/error.h"

namespace dormouse::postgres {

/// One place to try. `host` stays beside `address`, because verify-full and SNI need the name.
struct Place {
    std::string host;     ///< name, address, or directory of a unix socket; empty: libpq's default
    std::string address;  ///< numeric; empty until resolved, and for unix sockets
    std::string port;     ///< empty: libpq's default
};

/// The options of a connection, without host, hostaddr and port.
struct Target {
    std::vector<Place> places;
    std::map<std::string, std::string> options;
};

/// Takes `url` apart, with what libpq would add from PG… variables and service files. Errors: invalid, without the
/// password. `passfile` (may be empty) is used unless the URL names one. Source: libpq chapter, "Connection Strings".
Result<Target> parse_target(const std::string& url, const std::string& passfile);

/// True when the place must be resolved before it can be tried.
bool needs_resolving(const Place& place);

}  // namespace dormouse::postgres
