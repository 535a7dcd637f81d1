#include "store/server_proof.h"

#include "postgres/blocking.h"
#include "postgres/tls.h"
#include "sql/embedded.h"

namespace dormouse::store {

std::string unproven_server(const std::string& url) {
    const auto target = postgres::parse_target(url, "");
    return target ? postgres::unproven(*target) : std::string();
}

Result<Login> look_at_login(const Place& place) {
    auto connection = postgres::BlockingConnection::open(place.url, {.application_name = "dormouse worker --check",
                                                                     .passfile = place.passfile,
                                                                     .connect_timeout = place.connect_timeout});
    if (!connection) return tl::unexpected(connection.error());
    const auto reply = connection->ask("login", sql::login_works);
    if (!reply) return tl::unexpected(reply.error());
    return Login{std::string(reply->text(0, 0)), reply->boolean(0, 1)};
}

}  // namespace dormouse::store
