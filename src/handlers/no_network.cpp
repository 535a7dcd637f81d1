#include "handlers/no_network.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <array>
#include <cerrno>
#include <cstddef>

namespace dormouse::handlers {

namespace {

#if defined(__x86_64__)
constexpr unsigned architecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr unsigned architecture = AUDIT_ARCH_AARCH64;
#else
constexpr unsigned architecture = 0;  // none: its numbers are not known here, and every call would be refused
#endif
constexpr unsigned first_of_x32 = 0x40000000;

constexpr sock_filter load(std::size_t offset) {
    return {BPF_LD | BPF_W | BPF_ABS, 0, 0, static_cast<unsigned>(offset)};
}
constexpr sock_filter equal(unsigned value, unsigned char then, unsigned char otherwise) {
    return {BPF_JMP | BPF_JEQ | BPF_K, then, otherwise, value};
}
constexpr sock_filter answer(unsigned value) {
    return {BPF_RET | BPF_K, 0, 0, value};
}

// io_uring makes sockets past this filter.
constexpr std::array program{
    load(offsetof(seccomp_data, arch)),
    equal(architecture, 1, 0),
    answer(SECCOMP_RET_ERRNO | EPERM),
    load(offsetof(seccomp_data, nr)),
    sock_filter{BPF_JMP | BPF_JGE | BPF_K, 6, 0, first_of_x32},
    equal(__NR_io_uring_setup, 6, 0),
    equal(__NR_socket, 0, 3),
    load(offsetof(seccomp_data, args)),  // the lower half, on the processors above
    equal(AF_UNIX, 1, 0),
    equal(AF_NETLINK, 0, 1),
    answer(SECCOMP_RET_ALLOW),
    answer(SECCOMP_RET_ERRNO | EACCES),
    answer(SECCOMP_RET_ERRNO | ENOSYS),
};

}  // namespace

bool leave_network() {
    if (architecture == 0) {
        errno = ENOSYS;
        return false;
    }
    const sock_fprog filter{program.size(), const_cast<sock_filter*>(program.data())};  // NOLINT: the kernel only reads
    return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0) == 0;
}

}  // namespace dormouse::handlers
