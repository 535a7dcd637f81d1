#include "cli/account.h"

#include <grp.h>
#include <pwd.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string_view>

#include "cli/text.h"
#include "systemd/units.h"

namespace dormouse::cli {
namespace {

constexpr Millis longest_account_answer{2'000};

std::string remembered;  // NOLINT: set once, before anything else is done
std::string caller;      // NOLINT: likewise

/// As it goes into a database: a name of another kind is none.
std::string who_calls() {
    const char* const by_sudo = std::getenv("SUDO_USER");
    const passwd* const user = by_sudo == nullptr ? ::getpwuid(::getuid()) : nullptr;
    const std::string name = by_sudo != nullptr ? by_sudo : user != nullptr ? user->pw_name : "";
    const auto is_odd = [](unsigned char letter) { return letter <= ' ' || letter > '~'; };
    return name == "root" || std::any_of(name.begin(), name.end(), is_odd) ? "" : name;
}

/// Pools that are somebody's and not the system's.
bool has_own_pools() {
    const char* const own = std::getenv("DORMOUSE_CONFIG_DIR");
    return own != nullptr && *own != '\0';
}

/// libpq looks for certificates and passwords in HOME, and complains where it may not look.
bool turn_into(const std::string& account) {
    const passwd* const user = ::getpwnam(account.c_str());
    return user != nullptr && ::initgroups(user->pw_name, user->pw_gid) == 0 && ::setgid(user->pw_gid) == 0 &&
           ::setuid(user->pw_uid) == 0 && ::chdir("/") == 0 && ::setenv("HOME", user->pw_dir, 1) == 0;
}

}  // namespace

AsAccount::AsAccount(const std::string& account) {
    const passwd* const user = account.empty() || ::geteuid() != 0 ? nullptr : ::getpwnam(account.c_str());
    if (user == nullptr) return;
    group_ = ::getegid();
    groups_.resize(static_cast<std::size_t>(std::max(::getgroups(0, nullptr), 0)));
    groups_.resize(
        static_cast<std::size_t>(std::max(::getgroups(static_cast<int>(groups_.size()), groups_.data()), 0)));
    changed_ = true;
    if (const char* const home = std::getenv("HOME")) home_ = home;
    ::setenv("HOME", user->pw_dir, 1);
    if (::initgroups(user->pw_name, user->pw_gid) != 0 || ::setegid(user->pw_gid) != 0 || ::seteuid(user->pw_uid) != 0)
        std::terminate();  // root may
}

AsAccount::~AsAccount() {
    if (!changed_) return;
    home_ ? ::setenv("HOME", home_->c_str(), 1) : ::unsetenv("HOME");
    if (::seteuid(0) != 0 || ::setegid(group_) != 0 || ::setgroups(groups_.size(), groups_.data()) != 0)
        std::terminate();
}

std::string account_of_pool(const std::string& pool) {
    if (pool.empty() || has_own_pools() || sd_booted() <= 0) return worker_account;
    const auto account = systemd::account_of_service(pool, longest_account_answer);
    return account && !account->empty() ? *account : worker_account;
}

bool acts_for_account() {
    return ::geteuid() == 0 && !has_own_pools() && ::getpwnam(worker_account) != nullptr;
}

std::string sudo_words(const std::string& account) {
    return acts_for_account() ? "sudo -u " + shell_word(account) + " " : "";
}

Try<int> in_account(const std::string& account, const std::function<int()>& work) {
    flush_stdout();
    const pid_t child = ::fork();
    if (child < 0) return give_up(from_errno(errno, "fork"));
    if (child == 0) {
        if (acts_for_account() && !turn_into(account)) {
            complain("cannot act as the user " + account);
            ::_exit(static_cast<int>(Exit::denied));
        }
        const int code = work();
        std::fflush(nullptr);
        ::_exit(code);
    }
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

std::string shell_word(const std::string& text) {
    const bool plain = !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               std::string_view("-_./:@=+,%").find(c) != std::string_view::npos;
    });
    if (plain) return text;
    if (text.find('\'') != std::string::npos && text.find_first_of("\"$`\\!") == std::string::npos)
        return "\"" + text + "\"";
    std::string word = "'";
    for (const char c : text) {
        if (c == '\'') {
            word += "'\\''";
        } else {
            word += c;
        }
    }
    return word + "'";
}

void remember_command(int argc, char** argv) {
    caller = who_calls();
    remembered = "dormouse";
    for (int i = 1; i < argc; ++i) remembered += " " + shell_word(argv[i]);
}

const std::string& person() {
    return caller;
}

std::string command_as(const std::string& account, const std::string& variable) {
    const std::string keeps = variable.empty() ? "" : "--preserve-env=" + variable + " ";
    return "sudo -u " + shell_word(account) + " " + keeps + remembered;
}

std::string command_as_root() {
    return "sudo " + remembered;
}

tl::unexpected<Failure> no_config(const Error& error) {
    return give_up(Exit::config,
                   error.message + (error.kind == ErrorKind::denied ? ": " + command_as_root() : std::string()));
}

}  // namespace dormouse::cli
