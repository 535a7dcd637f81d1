#include "systemd/ring.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

#include "base/unique_fd.h"

namespace dormouse::systemd {

Status ring(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path)
        return fail(ErrorKind::invalid, path + ": too long for the path of a socket, which has at most " +
                                            std::to_string(sizeof address.sun_path - 1) + " bytes");
    std::memcpy(address.sun_path, path.data(), path.size());
    const UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!socket.valid()) return tl::unexpected(from_errno(errno, "socket"));
    // A unix socket connects at once or not at all. EAGAIN: as many rings as fit wait there already, and
    // whoever takes them off looks at the database afterwards.
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 || errno == EAGAIN)
        return {};
    const int reason = errno;
    Error error = from_errno(reason, path);
    if (reason == ENOENT || reason == ENOTSOCK) error.kind = ErrorKind::disconnected;
    return tl::unexpected(std::move(error));
}

}  // namespace dormouse::systemd
