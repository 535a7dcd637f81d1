// Stamps: a program says at its first instruction what time it is, and whoever measures waits for that. One
// clock for all, CLOCK_REALTIME, which the journal and Postgres use too. C, so that the handler can be as
// small as a program gets.
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static inline long long now_ns(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

__attribute__((noreturn)) static inline void die(const char* what) {
    perror(what);
    exit(1);
}

static inline struct sockaddr_un local_address(const char* path) {
    struct sockaddr_un address;
    memset(&address, 0, sizeof address);
    address.sun_family = AF_UNIX;
    strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    return address;
}

/// Tells "TIME RUN" to whoever receives at the path. No file is written: a sandbox lets this through.
static inline int send_stamp(const char* path, long long at, const char* run) {
    char text[128];
    const int size = snprintf(text, sizeof text, "%lld %s", at, run);
    const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const struct sockaddr_un to = local_address(path);
    const ssize_t sent = sendto(fd, text, (size_t)size, 0, (const struct sockaddr*)&to, sizeof to);
    close(fd);
    return sent == size ? 0 : 1;
}

static inline int receive_stamps_at(const char* path) {
    const struct sockaddr_un address = local_address(path);
    const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    unlink(path);
    if (fd < 0 || bind(fd, (const struct sockaddr*)&address, sizeof address) != 0) die(path);
    chmod(path, 0666);  // the handler may be anybody
    return fd;
}

struct stamp {
    long long at;
    char run[64];
};

static inline struct stamp receive_stamp(int fd) {
    char text[128];
    const ssize_t size = recv(fd, text, sizeof text - 1, 0);
    if (size < 0) die("recv");
    text[size] = '\0';
    struct stamp stamp;
    if (sscanf(text, "%lld %63s", &stamp.at, stamp.run) != 2) die("a stamp that cannot be read");
    return stamp;
}
