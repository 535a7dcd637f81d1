#include "cli/server_unit.h"

#include <libpq-fe.h>
#include <sys/socket.h>

#include "base/process.h"

namespace dormouse::cli {

/// The kernel says who has opened the socket to connections: the server's main process. Of another PID namespace, a
/// container, it says 0. Source: unix(7), SO_PEERCRED.
std::string unit_of_server(const postgres::BlockingConnection& connection) {
    ucred peer{};
    socklen_t length = sizeof peer;
    if (::getsockopt(PQsocket(connection.get()), SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0 || peer.pid <= 0)
        return {};
    return unit_of(peer.pid);
}

}  // namespace dormouse::cli
