#include "support/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <stdexcept>

#include "support/paths.h"

namespace dormouse::testing {

namespace {

struct Pipe {
    UniqueFd read;
    UniqueFd write;
};

Pipe make_pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe2 failed");
    return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

std::vector<std::string> environment_of(const Program& program) {
    std::map<std::string, std::string> all = program.environment;
    for (const char* const name : {"PATH", "HOME", "LANG", "TMPDIR", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"})
        if (const char* const value = std::getenv(name); value != nullptr) all.emplace(name, value);
    all.emplace("TZ", "UTC");
    std::vector<std::string> lines;
    for (const auto& [name, value] : all) lines.push_back(name + "=" + value);
    return lines;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> result;
    for (std::string& text : texts) result.push_back(text.data());
    result.push_back(nullptr);
    return result;
}

}  // namespace

Process::Process(Program program) : input_(std::move(program.input)), end_(BootClock::now() + program.deadline) {
    Pipe in = make_pipe();
    Pipe out = make_pipe();
    Pipe err = make_pipe();
    std::vector<std::string> environment = environment_of(program);
    const std::vector<char*> argv = pointers(program.argv);
    const std::vector<char*> envp = pointers(environment);
    const pid_t parent = ::getpid();
    pid_ = ::fork();
    if (pid_ < 0) throw std::runtime_error("fork failed");
    if (pid_ == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (::getppid() != parent) ::_exit(127);
        ::dup2(in.read.get(), STDIN_FILENO);
        ::dup2(out.write.get(), STDOUT_FILENO);
        ::dup2(err.write.get(), STDERR_FILENO);
        if (!program.directory.empty() && ::chdir(program.directory.c_str()) != 0) ::_exit(127);
        ::execvpe(argv[0], argv.data(), envp.data());
        ::_exit(127);
    }
    in_ = std::move(in.write);
    out_ = std::move(out.read);
    err_ = std::move(err.read);
    for (const int fd : {in_.get(), out_.get(), err_.get()}) ::fcntl(fd, F_SETFL, O_NONBLOCK);
    if (input_.empty()) in_.reset();
}

Process::~Process() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
}

void Process::signal(int number) const {
    if (pid_ > 0) ::kill(pid_, number);
}

bool Process::pump() {
    const auto left = std::chrono::ceil<Millis>(end_ - BootClock::now()).count();
    if (left <= 0 || (!out_.valid() && !err_.valid())) return false;
    std::array<pollfd, 3> fds{pollfd{in_.get(), POLLOUT, 0}, pollfd{out_.get(), POLLIN, 0},
                              pollfd{err_.get(), POLLIN, 0}};
    if (::poll(fds.data(), fds.size(), static_cast<int>(left)) <= 0) return errno == EINTR;
    if (fds[0].revents != 0) {
        const ssize_t written = ::write(in_.get(), input_.data(), input_.size());
        if (written > 0) input_.erase(0, static_cast<std::size_t>(written));
        if (input_.empty() || (written < 0 && errno != EAGAIN)) in_.reset();
    }
    const auto take = [](const pollfd& ready, UniqueFd& from, std::string& into) {
        if (ready.revents == 0) return;
        std::array<char, 65'536> chunk{};
        const ssize_t got = ::read(from.get(), chunk.data(), chunk.size());
        if (got > 0) into.append(chunk.data(), static_cast<std::size_t>(got));
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) from.reset();
    };
    take(fds[1], out_, ended_.out);
    take(fds[2], err_, ended_.err);
    return true;
}

bool Process::saw(const std::string& text) {
    while (ended_.out.find(text) == std::string::npos)
        if (!pump()) return ended_.out.find(text) != std::string::npos;
    return true;
}

bool Process::saw_error(const std::string& text) {
    while (ended_.err.find(text) == std::string::npos)
        if (!pump()) return ended_.err.find(text) != std::string::npos;
    return true;
}

bool Process::until(const std::function<bool()>& happened) {
    while (!happened())
        if (!pump()) return happened();
    return true;
}

Ended Process::wait() {
    while (pump()) continue;
    ended_.timed_out = out_.valid() || err_.valid();
    if (ended_.timed_out) ::kill(pid_, SIGKILL);
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    if (WIFEXITED(status)) ended_.exit_code = WEXITSTATUS(status);
    if (WIFSIGNALED(status)) ended_.signal = WTERMSIG(status);
    for (const char* const report : {"Sanitizer: ", "Sanitizer has encountered", "runtime error: "})
        if (ended_.err.find(report) != std::string::npos)
            throw std::runtime_error("a sanitizer has something to say:\n" + ended_.err);
    return ended_;
}

Ended run(Program program) {
    ::signal(SIGPIPE, SIG_IGN);  // a program may end without having read its input
    return Process(std::move(program)).wait();
}

Program cli_program(std::vector<std::string> arguments, std::map<std::string, std::string> environment,
                    std::string input) {
    arguments.insert(arguments.begin(), dormouse_binary);
    environment.try_emplace("SUDO_USER", "root");  // whoever runs the tests is nobody in particular
    return {std::move(arguments), std::move(input), std::move(environment), {}};
}

}  // namespace dormouse::testing
