#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "cli/account.h"
#include "cli/setup_files.h"
#include "cli/setup_steps.h"
#include "cli/text.h"
#include "cli/worker_command.h"
#include "config/load.h"
#include "config/options.h"
#include "config/redact.h"
#include "systemd/order.h"
#include "systemd/switch.h"
#include "systemd/units.h"

namespace dormouse::cli {
namespace {

using RunLines = std::vector<std::string>;

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
                                         "; the pool's file is written there: " + command_as_root());
    }
    config::Sources sources;
    sources.pool = setup.options.pool;
    sources.environment = setup.environment;
    const auto loaded = config::load(sources);
    if (!loaded) return give_up(Exit::config, loaded.error().message);
    const std::string& url = loaded->config.database.url;
    if (same_database(url, setup.account, url_for_pool(setup))) return true;
    return give_up(Exit::config, setup.pool_file + " is there and names another database or login (" +
                                     config::redacted(url) + " and not " + url_for_pool(setup) +
                                     "); it is not overwritten: change it by hand, or name another pool with --pool");
}
RunLines file_commands(const Setup& setup) {
    const std::string path = shell_word(setup.pool_file);
    const std::string group = acts_for_account() ? " -g " + shell_word(setup.account) : "";
    return {"install -m 640" + group + " /dev/stdin " + path + " <<'END'\n" + file_text(setup) + "END"};
}
Try<void> make_file(Setup& setup) {
    return write_new_file(setup.pool_file, file_text(setup), 0640, setup.account, false);
}

std::string about_check(const Setup&) {
    return "a try of configuration, database, schema and handlers; nothing is run";
}
Try<bool> never_there(const Setup&) {
    return false;
}
RunLines check_commands(const Setup& setup) {
    // the administrator's password would win over the passfile
    const std::string who = acts_for_account() || setup.server.local ? sudo_words(setup.account) : "env -u PGPASSWORD ";
    return {who + "dormouse worker " + setup.options.pool + " --check"};
}
/// As the pool's unit has it: without the variables of this caller.
int check_alone(const Setup& setup) {
    for (const std::string& name : config::database_variables()) ::unsetenv(name.c_str());
    for (const char* const name : {"PGUSER", "PGPASSWORD", "PGPASSFILE", "PGHOST", "PGPORT"}) ::unsetenv(name);
    if (setup.options.json && std::freopen("/dev/null", "w", stdout) == nullptr) return static_cast<int>(Exit::output);
    WorkerOptions options;
    options.pool = setup.options.pool;
    const auto outcome = check_worker(options);
    if (!outcome) complain(outcome.error().message);
    return static_cast<int>(outcome ? Exit::ok : outcome.error().exit);
}
Try<void> check(Setup& setup) {
    setup.connection.reset();  // it is this process's alone
    const auto code = in_account(setup.account, [&setup] { return check_alone(setup); });
    if (!code) return tl::unexpected(code.error());
    if (*code == 0) return {};
    return give_up(*code < 128 ? static_cast<Exit>(*code) : Exit::internal,
                   "the pool cannot work yet, see above; fix that, then run dormouse setup again");
}

std::string about_order(const Setup& setup) {
    return setup.server_unit.empty() ? ""
                                     : "at a shutdown the worker ends before " + setup.server_unit + ", its server";
}
Try<bool> ordered(const Setup& setup) {
    const auto before = systemd::ends_before(setup.options.pool, setup.server_unit, systemd_patience);
    if (!before) return give_up(before.error());
    if (*before || ::geteuid() == 0) return *before;
    return give_up(Exit::denied, "only root may write the units' files: " + command_as_root() + ", or --no-systemd");
}
RunLines order_commands(const Setup& setup) {
    return {"install -D -m 644 /dev/stdin " + systemd::order_path(setup.options.pool) + " <<'END'\n" +
                systemd::order_drop_in(setup.server_unit) + "END",
            "systemctl daemon-reload"};
}
Try<void> put_in_order(Setup& setup) {
    const std::string path = systemd::order_path(setup.options.pool);
    if (auto done = replace_unit_file(path, systemd::order_drop_in(setup.server_unit)); !done) return done;
    if (const Status read = systemd::reload_units(systemd_patience); !read) return give_up(read.error());
    return {};
}

std::string about_switch(const Setup& setup) {
    return setup.options.no_systemd ? "" : "pool " + setup.options.pool + " is switched on, also at boot";
}
Try<bool> switched_on(const Setup& setup) {
    if (const std::string directory = config::directory(setup.environment); directory != config::directory({}))
        return give_up(Exit::config, "the pool's unit reads " + config::directory({}) + " and not " + directory +
                                         " (DORMOUSE_CONFIG_DIR); unset that, or leave the switch out: --no-systemd");
    if (::geteuid() == 0 && !acts_for_account())
        return give_up(Exit::config, std::string("there is no user ") + worker_account +
                                         ", as whom the pool's worker runs: systemd-sysusers dormouse.conf, which the "
                                         "package does");
    const auto units = systemd::units_of({setup.options.pool}, systemd_patience);
    if (!units) {
        Failure failure = from(units.error());
        failure.message += "; without systemd: dormouse setup --no-systemd, then dormouse worker " + setup.options.pool;
        return tl::unexpected(std::move(failure));
    }
    const systemd::PoolUnits& pool = units->at(setup.options.pool);
    if (pool.on() && pool.at_boot) return true;
    if (::geteuid() == 0) return false;
    return give_up(Exit::denied, "only root may switch a pool on: " + command_as_root() + ", or --no-systemd");
}
RunLines switch_commands(const Setup& setup) {
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
        SetupStep{"order", about_order, ordered, order_commands, put_in_order},
        SetupStep{"switch", about_switch, switched_on, switch_commands, switch_on},
    };
    return steps;
}

}  // namespace dormouse::cli
