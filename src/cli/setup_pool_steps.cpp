#include <grp.h>
#include <pwd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "cli/setup_files.h"
#include "cli/setup_steps.h"
#include "cli/text.h"
#include "cli/worker_command.h"
#include "config/load.h"
#include "config/redact.h"
#include "systemd/switch.h"
#include "systemd/units.h"

namespace dormouse::cli {
namespace {

using Lines = std::vector<std::string>;

constexpr Millis systemd_patience{60'000};

std::string file_text(const Setup& setup) {
    return "[database]\nurl = \"" + url_for_pool(setup) +
           "\"\n\n# The payload is on stdin, what is printed is the result. `dormouse config --reference` has all "
           "options.\n[task.count]\ncommand = [\"/usr/bin/wc\", \"-c\"]\n";
}
std::string about_file(const Setup& setup) {
    return setup.pool_file;
}
Try<bool> file_there(const Setup& setup) {
    const std::string directory = config::directory(setup.environment);
    if (::access(setup.pool_file.c_str(), F_OK) != 0) {
        if (::access(directory.c_str(), W_OK) == 0) return false;
        return give_up(Exit::denied, from_errno(errno, directory).message +
                                         "; the pool's file is written there: sudo dormouse setup …");
    }
    config::Sources sources;
    sources.pool = setup.options.pool;
    sources.environment = setup.environment;
    const auto loaded = config::load(sources);
    if (!loaded) return give_up(Exit::config, loaded.error().message);
    const std::string& url = loaded->config.database.url;
    if (same_database(url, setup_account, url_for_pool(setup))) return true;
    return give_up(Exit::config, setup.pool_file + " is there and names another database or login (" +
                                     config::redacted(url) + " and not " + url_for_pool(setup) +
                                     "); it is not written over: change it by hand, or name another pool with --pool");
}
Lines file_commands(const Setup& setup) {
    const std::string path = shell_word(setup.pool_file);
    const std::string group = gives_to_account() ? std::string(" -g ") + setup_account : "";
    return {"install -m 640" + group + " /dev/stdin " + path + " <<'END'\n" + file_text(setup) + "END"};
}
Try<void> make_file(Setup& setup) {
    return write_new_file(setup.pool_file, file_text(setup), 0640, false);
}

std::string about_check(const Setup&) {
    return "a try of configuration, database, schema and handlers; nothing is run";
}
Try<bool> never_there(const Setup&) {
    return false;
}
Lines check_commands(const Setup& setup) {
    // the administrator's password would win over the passfile
    const std::string who = gives_to_account()   ? std::string("sudo -u ") + setup_account + " "
                            : setup.server.local ? ""
                                                 : "env -u PGPASSWORD ";
    return {who + "dormouse worker " + setup.options.pool + " --check"};
}
/// In the child: as the account of the worker, and as its unit has it, without the variables of this caller.
[[noreturn]] void check_and_exit(const Setup& setup) {
    if (gives_to_account()) {
        const passwd* const user = ::getpwnam(setup_account);
        if (::initgroups(setup_account, user->pw_gid) != 0 || ::setgid(user->pw_gid) != 0 ||
            ::setuid(user->pw_uid) != 0)
            ::_exit(static_cast<int>(Exit::denied));
        if (::chdir("/") != 0) ::_exit(static_cast<int>(Exit::internal));
    }
    for (const char* const name :
         {"DATABASE_URL", "DORMOUSE_DATABASE_URL", "PGUSER", "PGPASSWORD", "PGPASSFILE", "PGHOST", "PGPORT"})
        ::unsetenv(name);
    if (setup.options.json && std::freopen("/dev/null", "w", stdout) == nullptr) ::_exit(1);
    WorkerOptions options;
    options.pool = setup.options.pool;
    const auto outcome = check_worker(options);
    if (!outcome) complain(outcome.error().message);
    std::fflush(nullptr);
    ::_exit(static_cast<int>(outcome ? Exit::ok : outcome.error().exit));
}
Try<void> check(Setup& setup) {
    setup.connection.reset();  // it is this process's alone
    flush_stdout();
    const pid_t child = ::fork();
    if (child < 0) return give_up(from_errno(errno, "fork"));
    if (child == 0) check_and_exit(setup);
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
    const Exit exit = WIFEXITED(status) ? static_cast<Exit>(WEXITSTATUS(status)) : Exit::internal;
    return give_up(exit, "the pool cannot work yet, see above; mend that, then dormouse setup again");
}

std::string about_switch(const Setup& setup) {
    return setup.options.no_systemd ? "" : "pool " + setup.options.pool + " is switched on, also at boot";
}
Try<bool> switched_on(const Setup& setup) {
    const auto units = systemd::units_of({setup.options.pool}, systemd_patience);
    if (!units) {
        Failure failure = from(units.error());
        failure.message += "; without systemd: dormouse setup --no-systemd, then dormouse worker " + setup.options.pool;
        return tl::unexpected(std::move(failure));
    }
    const systemd::PoolUnits& pool = units->at(setup.options.pool);
    if (pool.on() && pool.at_boot) return true;
    if (::geteuid() == 0) return false;
    return give_up(Exit::denied, "only root may switch a pool on: sudo dormouse setup …, or --no-systemd");
}
Lines switch_commands(const Setup& setup) {
    return {"systemctl enable --now dormouse@" + setup.options.pool + ".target"};
}
Try<void> switch_on(Setup& setup) {
    if (const Status done = systemd::switch_on(setup.options.pool, systemd_patience); !done)
        return give_up(done.error());
    return {};
}

}  // namespace

std::span<const SetupStep> pool_steps() {
    static constexpr std::array steps{
        SetupStep{"file", about_file, file_there, file_commands, make_file},
        SetupStep{"check", about_check, never_there, check_commands, check},
        SetupStep{"switch", about_switch, switched_on, switch_commands, switch_on},
    };
    return steps;
}

}  // namespace dormouse::cli
