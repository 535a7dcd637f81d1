#include "systemd/listen.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>

#include <cerrno>

namespace dormouse::systemd {
namespace {

/// accept() tells of what has become of the connection that it took from the queue. Source: accept(2), error handling.
bool is_of_the_ringer(int reason) {
    switch (reason) {
        case ECONNABORTED:
        case ENETDOWN:
        case EPROTO:
        case ENOPROTOOPT:
        case EHOSTDOWN:
        case ENONET:
        case EHOSTUNREACH:
        case EOPNOTSUPP:
        case ENETUNREACH:
            return true;
        default:
            return false;
    }
}

}  // namespace

std::vector<UniqueFd> take_listening_sockets() {
    std::vector<UniqueFd> sockets;
    const int count = sd_listen_fds(1);
    for (int fd = SD_LISTEN_FDS_START; fd < SD_LISTEN_FDS_START + count; ++fd) {
        if (sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, 1) <= 0) continue;
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
        sockets.emplace_back(fd);
    }
    return sockets;
}

UniqueFd reserve_descriptor() {
    return UniqueFd(open("/dev/null", O_RDONLY | O_CLOEXEC));
}

Answered empty_doorbell(int listener, int most, UniqueFd& reserve) {
    Answered answered;
    while (answered.rings < most && !answered.stuck) {
        const int ringer = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (ringer >= 0) {
            close(ringer);
            ++answered.rings;
        } else if (errno == EAGAIN) {
            break;
        } else if ((errno == EMFILE || errno == ENFILE) && reserve.valid()) {
            reserve.reset();
        } else if (is_of_the_ringer(errno)) {
            ++answered.rings;  // it rang and is gone: a ring all the same
        } else if (errno != EINTR) {
            answered.stuck = true;
        }
    }
    if (!reserve.valid()) reserve = reserve_descriptor();
    return answered;
}

}  // namespace dormouse::systemd
