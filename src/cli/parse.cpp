#include "cli/parse.h"

#include <CLI/CLI.hpp>
#include <exception>
#include <functional>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "cli/account.h"
#include "cli/alert.h"
#include "cli/config_command.h"
#include "cli/dev.h"
#include "cli/migrate.h"
#include "cli/parse_parts.h"
#include "cli/prove.h"
#include "cli/setup.h"
#include "cli/text.h"
#include "cli/unexpected.h"
#include "cli/version.h"
#include "config/text.h"

namespace dormouse::cli {

int finish(const Outcome& outcome) {
    if (!outcome) complain(outcome.error().message);
    const Exit exit = outcome ? *outcome : outcome.error().exit;
    const std::string trouble = stdout_trouble();
    if (trouble.empty() || exit == Exit::output) return static_cast<int>(exit);  // the latter has said so itself
    complain(trouble + ": not all of the output is there");
    return static_cast<int>(exit == Exit::ok ? Exit::output : exit);
}

void on_chosen(CLI::App& command, Chosen& chosen, std::function<int()> run_it) {
    command.callback([&chosen, run_it = std::move(run_it)] { chosen = run_it; });
}

CLI::Validator number(int low, int high) {
    return CLI::Range(low, high).description("");
}

void add_database(CLI::App& command, DatabaseOptions& options) {
    command.add_option("--database-url", options.url, "Database, without a password: postgresql://USER@HOST/DATABASE")
        ->type_name("URL");
    command.add_option("--pool", options.pool, "The database of this pool (/etc/dormouse/POOL.toml)")
        ->type_name("POOL");
}

void add_json(CLI::App& command, bool& json, const char* form) {
    command.add_flag("--json", json, form);
}

namespace {

void add_migrate(CLI::App& app, Chosen& chosen) {
    auto options = std::make_shared<MigrateOptions>();
    CLI::App& command = *app.add_subcommand("migrate", "Create or update the schema dormouse in the database");
    CLI::Option* const roles =
        command.add_flag("--roles", options->roles, "Only create the four roles and their grants, after a migrate");
    CLI::Option* const local_wake =
        command
            .add_flag("--local-wake", options->local_wake,
                      "Only enable local wake: Postgres wakes the pools on its own host (docs/local-wake.md)")
            ->excludes(roles);
    CLI::Option* const no_local_wake =
        command
            .add_flag("--no-local-wake", options->no_local_wake, "Only disable local wake; with --pool for one pool")
            ->excludes(roles)
            ->excludes(local_wake);
    command
        .add_flag("--adopt", options->adopt,
                  "As superuser, use a schema that another role has created, and act as that trusted owner")
        ->excludes(roles)
        ->excludes(local_wake)
        ->excludes(no_local_wake);
    command.add_flag("--check", options->check, "Change nothing; exit 8 unless the schema fits this release")
        ->excludes(roles)
        ->excludes(local_wake)
        ->excludes(no_local_wake);
    command.add_option("--wait", options->wait, "Wait at most this long for locks that others hold (default 60s)")
        ->type_name("DURATION");
    add_database(command, options->database);
    add_json(command, options->json);
    command.footer(
        "It is safe to migrate again, and to run several migrations at once.\n\n"
        "Examples:\n"
        "  dormouse migrate --database-url postgresql://postgres@localhost/app\n"
        "  dormouse migrate --roles      # needs CREATEROLE; then: GRANT dormouse_producer TO app\n"
        "  dormouse migrate --local-wake --database-url postgresql://postgres@/app      # as superuser");
    choose(command, chosen, options, migrate);
}

void add_setup(CLI::App& app, Chosen& chosen) {
    auto options = std::make_shared<SetupOptions>();
    CLI::App& command =
        *app.add_subcommand("setup", "Set up a working pool: database, schema, roles, config file, systemd target");
    command.add_option("URL", options->url,
                       "The database, as an administrator, without a password (default: DATABASE_URL, else the "
                       "Postgres of this machine)");
    command.add_option("--create-database", options->create_database, "Create this database first")->type_name("NAME");
    command.add_option("--pool", options->pool, "The pool (default \"default\")")->type_name("POOL");
    command.add_option("--login", options->login, "The login with which the pool connects (default \"dormouse\")")
        ->type_name("LOGIN");
    command
        .add_option("--application", options->application,
                    "Let your program's login connect and enqueue; it is created if it does not exist")
        ->type_name("LOGIN");
    command.add_flag("--dry-run", options->dry_run, "Only print the commands, as a shell script");
    command.add_flag("--no-systemd", options->no_systemd, "Skip the last step, which enables the pool");
    add_json(command, options->json);
    command.footer(
        "Checks everything first, then prints each step as a command that you could type, and executes it. "
        "Completed steps are\n"
        "skipped, so you can run it again. An administrator is a superuser, or has CREATEROLE and CREATE on "
        "the database.\n\n"
        "Examples:\n"
        "  sudo dormouse setup --create-database app\n"
        "  sudo dormouse setup postgresql:///app --application web\n"
        "  sudo dormouse setup postgresql:///app --dry-run\n"
        "  sudo --preserve-env=PGPASSWORD dormouse setup \\\n"
        "      'postgresql://admin@db.example/app?sslmode=verify-full&sslrootcert=/etc/ssl/certs/ca-certificates.crt'");
    choose(command, chosen, options, setup);
}

void add_config(CLI::App& app, Chosen& chosen) {
    auto options = std::make_shared<ConfigOptions>();
    CLI::App& command = *app.add_subcommand("config", "Show every option of a pool and where its value comes from");
    command.add_option("POOL", options->pool, "The pool (default: the only one of this machine)");
    command.add_option("--config", options->file, "Use this file instead of the pool's own")->type_name("FILE");
    command.add_option("--set", options->sets, "As with `dormouse worker`")
        ->type_name("SECTION.KEY=VALUE")
        ->take_all()
        ->allow_extra_args(false);
    command.add_flag("--reference", options->reference, "List all options, with the values they take");
    add_json(command, options->json);
    command.footer("Passwords are shown as ***.\n\nExample:\n  dormouse config default");
    choose(command, chosen, options, show_config);
}

void add_alert(CLI::App& app, Chosen& chosen) {
    auto options = std::make_shared<AlertOptions>();
    CLI::App& command = *app.add_subcommand("alert", "Test the alert channels of a pool ([alerts])");
    command.add_option("POOL", options->pool, "The pool (default: the only one of this machine)");
    command.add_option("--config", options->file, "Use this file instead of the pool's own")->type_name("FILE");
    command.add_flag("--test", options->test, "Send one message through every channel, and print each outcome");
    add_json(command, options->json);
    command.footer(
        "Secrets that only the pool's unit has (LoadCredential=) are not available to this command.\n\n"
        "Example:\n"
        "  sudo -u dormouse dormouse alert --test default");
    choose(command, chosen, options, alert);
}

void add_dev(CLI::App& app, Chosen& chosen) {
    auto options = std::make_shared<DevOptions>();
    CLI::App& command = *app.add_subcommand(
        "dev", "Run a pool for local development, with a real doorbell and idle exit, until Ctrl-C");
    command.add_option("--config", options->config, "A pool's file (default: a pool with one task, hello)")
        ->type_name("FILE")
        ->check(CLI::ExistingFile.description(""));
    command
        .add_option(
            "--database-url", options->database_url,
            "Database, without a password (default: the file's, else a private Postgres that is removed at the end)")
        ->type_name("URL");
    command.add_option("--idle-exit", options->idle_exit, "Exit after being idle this long (default 10s)")
        ->type_name("DURATION");
    command.add_flag("--foreground", options->foreground, "Without systemd: the worker stays and never sleeps");
    command.footer(
        "Uses your own systemd, or the system's as root. Without systemd it says so and stays in the "
        "foreground.\n\n"
        "Examples:\n"
        "  dormouse dev\n"
        "  dormouse dev --config ./pool.toml --database-url postgresql:///app");
    choose(command, chosen, options, dev);
}

void add_prove(CLI::App& app, Chosen& chosen) {
    auto options = std::make_shared<ProveOptions>();
    CLI::App& command = *app.add_subcommand(
        "prove", "Inject faults into a temporary pool on this host and server, and account for every run");
    command
        .add_option("--database-url", options->database_url,
                    "The server, as a login that may create databases, without a password (default: DATABASE_URL, else "
                    "the Postgres of this machine, else a private one)")
        ->type_name("URL");
    command.add_option("--duration", options->duration, "Run for at least this long (default 45s)")
        ->type_name("DURATION");
    command.add_option("--seed", options->seed, "Repeat the steps of this seed (default: random, and printed)")
        ->check(number(0, 32767))
        ->type_name("N");
    command.add_flag("--dry-run", options->dry_run, "Only print what would be created and done");
    add_json(command, options->json);
    command.footer(
        "Uses a database, a directory and units of its own, which are removed at the end and on Ctrl-C; "
        "nothing of yours is\n"
        "touched. If the login may not create a database, a private Postgres is used instead. Needs psql. "
        "Each fault is\n"
        "injected at least once, however long that takes. Exit code: 0 proven; 1 not, with what and where; "
        "any other: it could\n"
        "not be tested.\n\n"
        "Examples:\n"
        "  sudo dormouse prove\n"
        "  dormouse prove --database-url postgresql://app@db.example/app --duration 5min\n"
        "  dormouse prove --dry-run");
    choose(command, chosen, options, prove);
}

void add_version(CLI::App& app, Chosen& chosen) {
    auto options = std::make_shared<VersionOptions>();
    CLI::App& command = *app.add_subcommand("version", "Show the version of dormouse and of its schema");
    add_json(command, options->json);
    choose(command, chosen, options, version);
}

std::string footer() {
    std::string text =
        "See `dormouse COMMAND --help` for details and examples.\n\n"
        "The database is that of --database-url, --pool, DORMOUSE_DATABASE_URL, DATABASE_URL or "
        "POSTGRES_URL, else that of the pools in\n"
        "/etc/dormouse (DORMOUSE_CONFIG_DIR).\n\n"
        "Exit codes:\n";
    for (const ExitRow& row : exit_table) {
        const std::string number = std::to_string(static_cast<int>(row.exit));
        text += std::string(4 - number.size(), ' ') + number + "  " + std::string(row.meaning) + "\n";
    }
    text.pop_back();
    return text;
}

std::string no_such_command(const CLI::App& app, const std::string& name) {
    std::vector<std::string> names;
    for (const CLI::App* const command : app.get_subcommands(nullptr)) names.push_back(command->get_name());
    const std::string near = config::nearest(name, names);
    return config::quote(name) + " is no command" + (near.empty() ? "" : "; did you mean " + near + "?") +
           " (see `dormouse --help`)";
}

int parse_and_run(int argc, char** argv) {
    CLI::App app("A background worker for Postgres that costs nothing while idle.", "dormouse");
    Chosen chosen;
    app.require_subcommand(1);
    app.set_version_flag("--version", "dormouse " + std::string(release()));
    app.footer(footer);
    app.get_formatter()->column_width(32);
    for (const auto add : {add_setup,   add_migrate, add_worker,  add_new,    add_try,     add_enqueue, add_wake,
                           add_relay,   add_runs,    add_show,    add_watch,  add_logs,    add_cancel,  add_retry,
                           add_archive, add_history, add_status,  add_doctor, add_workers, add_scale,   add_reap,
                           add_forget,  add_config,  add_sandbox, add_alert,  add_dev,     add_prove,   add_version})
        add(app, chosen);
    try {
        app.parse(argc, argv);
    } catch (const CLI::Success& help) {
        std::ostringstream text;
        app.exit(help, text, text);
        print(text.str());  // by the way that notices what is not written
        return finish(Exit::ok);
    } catch (const CLI::ExtrasError& error) {
        const auto given = app.get_subcommands();
        const std::vector<std::string> extra = app.remaining(true);
        if (given.empty() || extra.empty()) return finish(give_up(Exit::usage, no_such_command(app, argv[1])));
        return finish(give_up(Exit::usage, say_unexpected(*given.front(), extra) + " (see `dormouse " +
                                               given.front()->get_name() + " --help`)"));
    } catch (const CLI::ParseError& error) {
        const auto given = app.get_subcommands();
        if (given.empty() && argc > 1 && argv[1][0] != '-')
            return finish(give_up(Exit::usage, no_such_command(app, argv[1])));
        if (argc < 2) return finish(give_up(Exit::usage, "which command? See `dormouse --help`"));
        const std::string command = given.empty() ? "" : " " + given.front()->get_name();
        return finish(give_up(Exit::usage, std::string(error.what()) + " (see `dormouse" + command + " --help`)"));
    }
    return chosen ? chosen() : static_cast<int>(Exit::internal);
}

}  // namespace

int run(int argc, char** argv) {
    try {
        remember_command(argc, argv);
        return parse_and_run(argc, argv);
    } catch (const std::exception& error) {
        complain(std::string("internal error: ") + error.what());
        return static_cast<int>(Exit::internal);
    }
}

}  // namespace dormouse::cli
