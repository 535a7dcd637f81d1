#include "systemd/due_tool.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "base/unique_fd.h"

namespace dormouse::systemd {
namespace {

std::vector<char*> as_c_strings(const std::vector<std::string>& strings) {
    std::vector<char*> pointers;
    pointers.reserve(strings.size() + 1);
    for (const auto& string : strings) pointers.push_back(const_cast<char*>(string.c_str()));
    pointers.push_back(nullptr);
    return pointers;
}

/// Whether the process has ended before the deadline.
bool wait_for_end(int pid_fd, Millis deadline) {
    const auto end = std::chrono::steady_clock::now() + deadline;
    for (;;) {
        const auto left = std::chrono::ceil<Millis>(end - std::chrono::steady_clock::now());
        pollfd ready{pid_fd, POLLIN, 0};
        const int count = ::poll(&ready, 1, static_cast<int>(std::max(left, Millis(0)).count()));
        if (count > 0) return true;
        if (count == 0) return false;
        if (errno != EINTR) return false;
    }
}

}  // namespace

Result<int> run_tool(const std::vector<std::string>& argv, const std::vector<std::string>& environment, Millis deadline,
                     ToolErrors errors) {
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    if (errors == ToolErrors::hidden) {
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    }
    pid_t pid = 0;
    const int failure = ::posix_spawn(&pid, argv.front().c_str(), &actions, nullptr, as_c_strings(argv).data(),
                                      as_c_strings(environment).data());
    posix_spawn_file_actions_destroy(&actions);
    if (failure != 0) {
        return fail(ErrorKind::transient, "cannot start " + argv.front() + ": " + std::strerror(failure));
    }
    const UniqueFd pid_fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    const bool ended = pid_fd.valid() && wait_for_end(pid_fd.get(), deadline);
    if (!ended) ::kill(pid, SIGKILL);
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (!ended) {
        return fail(ErrorKind::transient,
                    argv.front() + " gave no answer within " + std::to_string(deadline.count()) + " ms");
    }
    if (WIFSIGNALED(status)) {
        return fail(ErrorKind::transient, argv.front() + " was killed by signal " + std::to_string(WTERMSIG(status)));
    }
    return WEXITSTATUS(status);
}

}  // namespace dormouse::systemd
