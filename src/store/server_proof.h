// What `dormouse worker --check` asks of a pool's database beside what a worker asks: what its server does not prove
// about itself (postgres/tls.h), and whether the login is one of a worker.
#pragma once

#include <string>

#include "base/error.h"
#include "store/wire.h"

namespace dormouse::store {

/// Empty: nothing is left to prove, or the string cannot be read.
std::string unproven_server(const std::string& url);

struct Login {
    std::string name;
    bool works = false;  ///< it may do what a worker does
};
/// Over a session of its own, which it waits for. Needs the schema. Errors: as of postgres::BlockingConnection.
Result<Login> look_at_login(const Place& place);

}  // namespace dormouse::store
