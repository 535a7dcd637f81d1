// ring DOORBELL STAMPS PROGRAM: rings a sleeping pool and waits for the stamp. Prints the moments as one JSON
// object, in nanoseconds of CLOCK_REALTIME: began, connected, executed (the kernel opened PROGRAM to execute
// it), stamped. "offset" is CLOCK_REALTIME minus CLOCK_MONOTONIC, for the moments that systemd tells.
#include <poll.h>
#include <sched.h>
#include <sys/inotify.h>

#include "stamps.h"

static void ring(const char* path) {
    const struct sockaddr_un address = local_address(path);
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr*)&address, sizeof address) != 0) die(path);
    close(fd);
}

int main(int argc, char** argv) {
    if (argc != 4) return 2;
    const int stamps = receive_stamps_at(argv[2]);
    const int opened = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (inotify_add_watch(opened, argv[3], IN_OPEN) < 0) die(argv[3]);
    const struct sched_param first = {1};
    sched_setscheduler(0, SCHED_FIFO,
                       &first);  // so that "executed" is read when it happens, where this is allowed
    const long long offset = now_ns(CLOCK_REALTIME) - now_ns(CLOCK_MONOTONIC);
    const long long began = now_ns(CLOCK_REALTIME);
    ring(argv[1]);
    const long long connected = now_ns(CLOCK_REALTIME);
    long long executed = 0;
    struct pollfd ready[2] = {{stamps, POLLIN, 0}, {opened, POLLIN, 0}};
    do {
        if (poll(ready, 2, 20000) <= 0) {
            fputs("ring: no stamp came within 20 s\n", stderr);
            return 1;
        }
        char events[4096];
        if ((ready[1].revents & POLLIN) && read(opened, events, sizeof events) > 0 && executed == 0)
            executed = now_ns(CLOCK_REALTIME);
    } while (!(ready[0].revents & POLLIN));
    const struct stamp stamp = receive_stamp(stamps);
    unlink(argv[2]);
    printf(
        "{\"offset\": %lld, \"began\": %lld, \"connected\": %lld, \"executed\": %lld, \"stamped\": %lld, "
        "\"run\": \"%s\"}\n",
        offset, began, connected, executed, stamp.at, stamp.run);
    return 0;
}
