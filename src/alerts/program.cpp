#include "alerts/program.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <filesystem>

#include "base/unique_fd.h"

namespace dormouse::alerts {
namespace {

constexpr std::size_t most_output = 1 << 20;

std::vector<char*> pointers(const std::vector<std::string>& texts) {
    std::vector<char*> list;
    for (const std::string& text : texts) list.push_back(const_cast<char*>(text.c_str()));  // NOLINT: execve's old type
    list.push_back(nullptr);
    return list;
}

struct Talk {
    UniqueFd input;
    UniqueFd output;
    std::string answer;
};

/// Writes and reads until the program has closed its stdout; false: the time is over.
bool converse(Talk& talk, std::string_view input, BootClock::time_point end) {
    while (talk.output.valid()) {
        const auto left = std::chrono::ceil<Millis>(end - BootClock::now());
        if (left <= Millis{0}) return false;
        if (input.empty()) talk.input.reset();
        pollfd ends[] = {{talk.output.get(), POLLIN, 0}, {talk.input.get(), POLLOUT, 0}};
        if (::poll(ends, talk.input.valid() ? 2 : 1, static_cast<int>(left.count())) < 0 && errno != EINTR)
            return false;
        if (talk.input.valid() && ends[1].revents != 0) {
            const ssize_t written = ::write(talk.input.get(), input.data(), input.size());
            if (written < 0 && errno != EAGAIN && errno != EINTR) input = {};  // it does not want to know
            if (written > 0) input.remove_prefix(static_cast<std::size_t>(written));
        }
        if (ends[0].revents == 0) continue;
        char piece[4096];
        const ssize_t got = ::read(talk.output.get(), piece, sizeof piece);
        if (got > 0 && talk.answer.size() < most_output) talk.answer.append(piece, static_cast<std::size_t>(got));
        if (got == 0) talk.output.reset();
    }
    return true;
}

}  // namespace

std::string find_program() {
    namespace fs = std::filesystem;
    std::error_code ignored;
    const fs::path self = fs::read_symlink("/proc/self/exe", ignored);
    for (const fs::path& place : {self.parent_path().parent_path() / "lib/dormouse/dormouse-alert",
                                  self.parent_path() / "dormouse-alert", fs::path("/usr/lib/dormouse/dormouse-alert")})
        if (fs::exists(place, ignored)) return place.string();
    return "dormouse-alert";
}

std::string run_program(const std::vector<std::string>& command, const std::vector<std::string>& environment,
                        const std::string& input, Millis deadline) {
    int in[2];
    int out[2];
    if (::pipe2(in, O_CLOEXEC) != 0) return {};
    UniqueFd its_input(in[0]);
    Talk talk{UniqueFd(in[1]), {}, {}};
    if (::pipe2(out, O_CLOEXEC) != 0) return {};
    talk.output.reset(out[0]);
    UniqueFd its_output(out[1]);
    ::fcntl(talk.input.get(), F_SETFL, O_NONBLOCK);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, its_input.get(), STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, its_output.get(), STDOUT_FILENO);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t signals;
    sigfillset(&signals);
    posix_spawnattr_setsigdefault(&attributes, &signals);
    sigemptyset(&signals);
    posix_spawnattr_setsigmask(&attributes, &signals);
    // A group of its own: a Ctrl-C is not for it. In our session: what is in another is taken for a handler's.
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
    pid_t pid = 0;
    const int failure = ::posix_spawn(&pid, command.front().c_str(), &actions, &attributes, pointers(command).data(),
                                      pointers(environment).data());
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    its_input.reset();
    its_output.reset();
    if (failure != 0) return {};
    const bool ended = converse(talk, input, BootClock::now() + deadline);
    if (!ended) ::kill(-pid, SIGKILL);
    while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    return ended ? talk.answer : "";
}

}  // namespace dormouse::alerts
