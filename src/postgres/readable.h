// Whether a connection string may be used: one that was taken apart in the wrong place would show pieces of a password
// in errors, as the name of a host or a port. Pure.
#pragma once

#include <string>

#include "base/error.h"

namespace dormouse::postgres {

/// Fails unless libpq can read `url`, and its hosts, addresses and ports can be named in an error without a secret: a
/// password with a raw "@" or "/" ends too early. Errors: invalid, without any value of it.
Status readable(const std::string& url);

}  // namespace dormouse::postgres
