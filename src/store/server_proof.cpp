#include "store/server_proof.h"

#include "postgres/tls.h"

namespace dormouse::store {

std::string unproven_server(const std::string& url) {
    const auto target = postgres::parse_target(url, "");
    return target ? postgres::unproven(*target) : std::string();
}

}  // namespace dormouse::store
