#include "worker/new_program.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/limits.h"
#include "base/open_files.h"

namespace dormouse::worker {
namespace {

using nlohmann::json;

std::string text_of(const json& message) {
    return message.dump(-1, ' ', true, json::error_handler_t::replace);
}

constexpr Millis start_takes{30'000};
constexpr int first_passed = 3;  ///< SD_LISTEN_FDS_START

std::vector<std::string> own_arguments() {
    std::ifstream file("/proc/self/cmdline", std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    std::vector<std::string> arguments;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find('\0', at), text.size());
        arguments.push_back(text.substr(at, end - at));
        at = end + 1;
    }
    return arguments;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> list;
    for (auto& text : texts) list.push_back(text.data());
    list.push_back(nullptr);
    return list;
}

/// systemd says to whom these are meant, by a pid that is known only to the new process itself: it writes its own over
/// the room that is left here.
constexpr std::array for_itself{"LISTEN_PID=", "WATCHDOG_PID=", "SYSTEMD_EXEC_PID="};
constexpr std::size_t pid_digits = 10;

std::vector<std::string> environment_of(const config::Environment& environment, const std::string& names,
                                        std::size_t sockets) {
    std::vector<std::string> all;
    for (const char* name : for_itself) all.push_back(name + std::string(pid_digits, '\0'));
    all.push_back("LISTEN_FDS=" + std::to_string(sockets));
    all.push_back("LISTEN_FDNAMES=" + names);
    for (const auto& [name, value] : environment) {
        const bool is_ours =
            name.starts_with("LISTEN_") || std::any_of(for_itself.begin(), for_itself.end(),
                                                       [&](const std::string& one) { return one == name + "="; });
        if (!is_ours) all.push_back(name + "=" + value);
    }
    return all;
}

/// In the new process, which has the memory of this one and none of its threads: nothing that takes a lock.
[[noreturn]] void become(const char* path, char* const* arguments, const std::vector<char*>& environment,
                         std::vector<int>& passed, int failure) {
    std::array<char, pid_digits> pid{};
    std::to_chars(pid.data(), pid.data() + pid.size(), ::getpid());
    for (std::size_t i = 0; i < for_itself.size(); ++i)
        std::copy(pid.begin(), pid.end(), environment[i] + std::char_traits<char>::length(for_itself[i]));
    const int above = first_passed + static_cast<int>(passed.size());
    for (int& fd : passed) fd = ::fcntl(fd, F_DUPFD_CLOEXEC, above);  // out of each other's way
    failure = ::fcntl(failure, F_DUPFD_CLOEXEC, above);
    bool well = true;
    for (std::size_t i = 0; i < passed.size(); ++i)
        well = well && ::dup2(passed[i], first_passed + static_cast<int>(i)) >= 0;
    for (int number = 1; number < NSIG; ++number)
        if (number != SIGHUP && number != SIGPIPE) ::signal(number, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    if (const auto& limit = open_files_before()) ::setrlimit(RLIMIT_NOFILE, &*limit);
    if (well) ::execve(path, arguments, environment.data());
    const int reason = errno;
    static_cast<void>(::write(failure, &reason, sizeof reason));
    ::_exit(127);
}

}  // namespace

bool program_has_changed() {
    const auto arguments = own_arguments();
    struct stat own{};
    struct stat there{};
    return !arguments.empty() && arguments[0].starts_with("/") && ::stat("/proc/self/exe", &own) == 0 &&
           ::stat(arguments[0].c_str(), &there) == 0 && (own.st_dev != there.st_dev || own.st_ino != there.st_ino);
}

NewProgram::NewProgram(loop::Loop& loop, Listeners listeners)
    : loop_(loop), listeners_(std::move(listeners)), timer_(loop, "new_program") {}

NewProgram::~NewProgram() {
    if (!has_taken_over_ && pidfd_.valid()) ::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0);
}

Status NewProgram::start(const config::Environment& environment, const std::vector<int>& doorbell,
                         int state_directory) {
    std::array<int, 2> ends{-1, -1};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0)
        return tl::unexpected(from_errno(errno, "socketpair"));
    UniqueFd ours(ends[0]);
    const UniqueFd theirs(ends[1]);
    std::array<int, 2> failure{-1, -1};
    if (::pipe2(failure.data(), O_CLOEXEC) != 0) return tl::unexpected(from_errno(errno, "pipe"));
    const UniqueFd failed(failure[0]);
    UniqueFd fails(failure[1]);

    std::vector<int> passed = doorbell;
    std::string names;
    for (std::size_t i = 0; i < doorbell.size(); ++i) names += "doorbell:";
    passed.push_back(theirs.get());
    names += channel_name;
    if (state_directory >= 0) {
        passed.push_back(state_directory);
        names += std::string(":") + state_name;
    }
    auto arguments = own_arguments();
    const std::string path = arguments.at(0);
    auto variables = environment_of(environment, names, passed.size());
    const auto argument_list = pointers(arguments);
    const auto variable_list = pointers(variables);

    int pidfd = -1;
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);  // no handler of ours may run in the new process
    // As fork(2), but a child of our parent.
    const long pid = ::syscall(SYS_clone, CLONE_PARENT | CLONE_PIDFD | SIGCHLD, nullptr, &pidfd, nullptr, nullptr);
    if (pid == 0) become(path.c_str(), argument_list.data(), variable_list, passed, fails.get());
    const int problem = errno;
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (pid < 0) return tl::unexpected(no_process(problem, "cannot make a process"));
    pid_ = static_cast<pid_t>(pid);
    pidfd_.reset(pidfd);
    fails.reset();
    int reason = 0;
    if (::read(failed.get(), &reason, sizeof reason) == static_cast<ssize_t>(sizeof reason))
        return tl::unexpected(from_errno(reason, path));
    channel_.emplace(loop_, std::move(ours), [this](const auto& message) { on_message(message); });
    timer_.once(start_takes,
                [this] { give_up("it was not ready within " + std::to_string(start_takes.count() / 1'000) + " s"); });
    return {};
}

void NewProgram::on_message(const std::optional<std::string>& message) {
    const auto said = json::parse(message.value_or("{}"), nullptr, false);
    if (has_taken_over_) {
        if (!message || said.contains("terminate")) listeners_.on_terminate(!message);
        return;
    }
    if (!message) return give_up("it ended before it was ready");
    if (said.contains("ready")) return listeners_.on_ready();
    if (said.contains("refused")) give_up(said.value("refused", "it does not say why"));
}

void NewProgram::give_up(const std::string& why) {
    timer_.stop();
    const auto call = listeners_.on_failed;
    call(why);
}

void NewProgram::take_over(const std::vector<Uuid>& workers, const std::map<std::string, int>& at_work) {
    timer_.stop();
    has_taken_over_ = true;
    json names = json::array();
    for (const Uuid& worker : workers) names.push_back(worker.to_string());
    channel_->say(text_of({{"take", names}, {"pid", ::getpid()}, {"at_work", at_work}}));
}

void NewProgram::tell_at_work(const std::map<std::string, int>& at_work) const {
    channel_->say(text_of({{"at_work", at_work}}));
}

void NewProgram::tell_metrics(const std::string& text) const {
    channel_->say(text_of({{"metrics", text}}));
}

void NewProgram::tell_gone(bool clean, std::optional<Millis> due) const {
    channel_->say(text_of({{"gone", {{"clean", clean}, {"due", due ? json(due->count()) : json()}}}}));
}

}  // namespace dormouse::worker
