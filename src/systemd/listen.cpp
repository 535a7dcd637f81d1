#include "systemd/listen.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>

#include <cerrno>

namespace dormouse::systemd {

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

int empty_doorbell(int listener, int most, UniqueFd& reserve) {
    int rings = 0;
    while (rings < most) {
        const int ringer = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (ringer >= 0) {
            close(ringer);
            ++rings;
        } else if (errno == ECONNABORTED) {
            ++rings;  // it rang and hung up at once: a ring all the same
        } else if ((errno == EMFILE || errno == ENFILE) && reserve.valid()) {
            reserve.reset();
        } else if (errno != EINTR) {
            break;
        }
    }
    if (!reserve.valid()) reserve = reserve_descriptor();
    return rings;
}

}  // namespace dormouse::systemd
