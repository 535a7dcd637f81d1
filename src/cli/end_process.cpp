#include "cli/end_process.h"

#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "base/deadline.h"
#include "base/process.h"
#include "base/unique_fd.h"

namespace dormouse::cli {

namespace {

constexpr Millis after_kill{5'000};

/// glibc has wrappers from 2.36 on only.
int open_pidfd(pid_t pid) {
    return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
}

int send(const UniqueFd& pidfd, int signal) {
    return static_cast<int>(::syscall(SYS_pidfd_send_signal, pidfd.get(), signal, nullptr, 0));
}

/// A pidfd is readable when its process has ended, also while it is a zombie.
bool ended_within(const UniqueFd& pidfd, Millis time) {
    const auto end = after(BootClock::now(), time);
    for (;;) {
        const auto left = std::chrono::ceil<Millis>(end - BootClock::now()).count();
        pollfd ready{pidfd.get(), POLLIN, 0};
        const int found = ::poll(&ready, 1, left > 0 ? static_cast<int>(left) : 0);
        if (found > 0) return true;
        if (found == 0 || errno != EINTR) return false;
    }
}

tl::unexpected<Error> failed(const std::string& what, pid_t pid, int number) {
    const ErrorKind kind = number == EPERM ? ErrorKind::denied : ErrorKind::internal;
    return fail(kind, "process " + std::to_string(pid) + ": " + what + ": " + std::strerror(number));
}

}  // namespace

Result<bool> end_process(pid_t pid, std::int64_t start, Millis patience) {
    const UniqueFd pidfd(open_pidfd(pid));
    if (!pidfd.valid() && errno == ESRCH) return false;
    if (!pidfd.valid()) return failed("pidfd_open", pid, errno);
    if (start_of(pid) != start) return false;
    if (send(pidfd, SIGTERM) != 0) {
        if (errno == ESRCH) return false;
        return failed("SIGTERM", pid, errno);
    }
    send(pidfd, SIGCONT);
    if (ended_within(pidfd, patience)) return true;
    send(pidfd, SIGKILL);
    if (ended_within(pidfd, after_kill)) return true;
    return fail(ErrorKind::transient, "process " + std::to_string(pid) + " does not end, not even by SIGKILL");
}

}  // namespace dormouse::cli
