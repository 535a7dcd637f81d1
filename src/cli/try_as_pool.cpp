#include "cli/try_as_pool.h"

#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <string_view>

#include "base/error.h"
#include "base/unique_fd.h"
#include "cli/account.h"
#include "systemd/units.h"

namespace dormouse::cli {
namespace {

constexpr Millis longest_settings_answer{5'000};

/// What a service is, and not what its processes are given.
constexpr std::array of_the_service{"Type",           "NotifyAccess", "BusName",          "PIDFile",
                                    "GuessMainPID",   "WatchdogSec",  "StandardInput",    "StandardError",
                                    "StandardOutput", "Sockets",      "SuccessExitStatus"};

bool is_taken(std::string_view setting) {
    const std::string_view key = setting.substr(0, setting.find('='));
    for (const char* const start :
         {"Exec", "Restart", "StartLimit", "FileDescriptorStore", "TimeoutStart", "RuntimeMax"})
        if (key.starts_with(start)) return false;
    return std::find(of_the_service.begin(), of_the_service.end(), key) == of_the_service.end();
}

volatile std::sig_atomic_t told_to_stop = 0;

void on_stop(int /*signal*/) {
    told_to_stop = 1;
}

/// Until the program has ended; 127 where it could not be started. A group of its own: Ctrl-C is for us alone, who have
/// the unit stopped.
Try<pid_t> start_program(std::vector<std::string> words, int input) {
    std::vector<char*> argv;
    argv.reserve(words.size() + 1);
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    if (input >= 0) posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    pid_t child = -1;
    const int reason = ::posix_spawnp(&child, argv.front(), &actions, &attributes, argv.data(), environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    if (reason != 0)
        return give_up(Exit::config, words.front() + " cannot be started: " + std::generic_category().message(reason));
    return child;
}

int wait_for_unit(pid_t child, const std::string& unit) {
    int status = 0;
    bool stopping = false;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
        if (told_to_stop == 0 || stopping) continue;
        stopping = true;
        if (const auto stop = start_program({"systemctl", "stop", "--no-block", unit}, -1))
            ::waitpid(*stop, nullptr, 0);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

Try<UniqueFd> file_with(const std::string& text) {
    UniqueFd file(::memfd_create("payload", MFD_CLOEXEC));
    if (!file.valid()) return give_up(from_errno(errno, "memfd_create"));
    for (std::size_t done = 0; done < text.size();) {
        const ssize_t count = ::write(file.get(), text.data() + done, text.size() - done);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return give_up(from_errno(errno, "write"));
        done += static_cast<std::size_t>(count);
    }
    ::lseek(file.get(), 0, SEEK_SET);
    return file;
}

}  // namespace

Try<int> run_as_pool(const std::string& pool, const std::vector<std::string>& arguments, const std::string& input) {
    if (sd_booted() <= 0)
        return give_up(Exit::config,
                       "--as-pool: systemd does not run here, so no unit bounds the handlers; leave it out");
    if (::geteuid() != 0)
        return give_up(Exit::denied, "--as-pool: only root may start a unit as another user: " + command_as_root());
    const auto settings = systemd::service_settings(pool, longest_settings_answer);
    if (!settings) return give_up(settings.error());
    const std::string unit = "dormouse-try-" + pool + "-" + std::to_string(::getpid()) + ".service";
    std::vector<std::string> words{"systemd-run",         "--quiet",       "--pipe", "--wait", "--collect",
                                   "--service-type=exec", "--unit=" + unit};
    for (const std::string& setting : *settings)
        if (is_taken(setting)) words.push_back("--property=" + setting);
    std::error_code ignored;
    words.emplace_back("--");
    words.push_back(std::filesystem::read_symlink("/proc/self/exe", ignored).string());
    words.insert(words.end(), arguments.begin(), arguments.end());
    const auto file = file_with(input);
    if (!file) return tl::unexpected(file.error());
    struct sigaction action{};
    action.sa_handler = on_stop;
    ::sigaction(SIGINT, &action, nullptr);
    ::sigaction(SIGTERM, &action, nullptr);
    const auto child = start_program(std::move(words), file->get());
    if (!child) return tl::unexpected(child.error());
    return wait_for_unit(*child, unit);
}

}  // namespace dormouse::cli
