// What a pool's database server does not prove about itself, for a warning (postgres/tls.h).
#pragma once

#include <string>

namespace dormouse::store {

/// Empty: nothing is left to prove, or the string cannot be read.
std::string unproven_server(const std::string& url);

}  // namespace dormouse::store
