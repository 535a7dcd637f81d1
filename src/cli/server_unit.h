// Which unit of this machine the database's server is. Used by `dormouse setup` and `dormouse doctor`, for the order of
// a shutdown.
#pragma once

#include <string>

#include "postgres/blocking.h"

namespace dormouse::cli {

/// The service of the server at the other end of a Unix socket; empty: the way is another, or it is in none.
std::string unit_of_server(const postgres::BlockingConnection& connection);

}  // namespace dormouse::cli
