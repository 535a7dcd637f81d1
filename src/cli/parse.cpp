#include "cli/parse.h"

#include <CLI/CLI.hpp>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cli/config_command.h"
#include "cli/dev.h"
#include "cli/enqueue.h"
#include "cli/exit_code.h"
#include "cli/migrate.h"
#include "cli/relay_command.h"
#include "cli/runs.h"
#include "cli/show.h"
#include "cli/status.h"
#include "cli/text.h"
#include "cli/version.h"
#include "cli/wake.h"
#include "cli/worker_command.h"
#include "config/text.h"

namespace dormouse::cli {

namespace {

/// Set by the command that was given, run after all of the line has been understood.
using Chosen = std::function<int()>;

int finish(const Outcome& outcome) {
    if (!outcome) complain(outcome.error().message);
    const Exit exit = outcome ? *outcome : outcome.error().exit;
    if (!flush_stdout()) {
        complain("stdout: not all could be written");
        return static_cast<int>(exit == Exit::ok ? Exit::internal : exit);
    }
    return static_cast<int>(exit);
}

/// Registers what a command does; `options` lives as long as the parser.
template <typename Options>
void choose(CLI::App& command, Chosen& chosen, const std::shared_ptr<Options>& options,
            Outcome (*run_it)(const Options&)) {
    command.callback([&chosen, options, run_it] { chosen = [options, run_it] { return finish(run_it(*options)); }; });
}

/// A range whose bounds do not crowd the help; an error names them.
CLI::Validator number(int low, int high) {
    return CLI::Range(low, high).description("");
}

void add_database(CLI::App& command, DatabaseOptions& options) {
    command.add_option("--database-url", options.url, "Database, without a password: postgresql://USER@HOST/DATABASE")
        ->type_name("URL");
    command.add_option("--pool", options.pool, "The database of this pool (/etc/dormouse/POOL.toml)")
        ->type_name("POOL");
}

void add_json(CLI::App& command, bool& json, const char* form = "One JSON document, for programs") {
    command.add_flag("--json", json, form);
}

void add_migrate(CLI::App& app, Chosen& chosen) {
    auto options = std::make_shared<MigrateOptions>();
    CLI::App& command = *app.add_subcommand("migrate", "Make or update the schema dormouse in the database");
    CLI::Option* const roles =
        command.add_flag("--roles", options->roles, "Only make the three roles and their grants, after a migrate");
    CLI::Option* const local_wake =
        command
            .add_flag("--local-wake", options->local_wake,
                      "Only let Postgres wake the pools of its own host by itself (docs/local-wake.md)")
            ->excludes(roles);
    CLI::Option* const no_local_wake =
        command.add_flag("--no-local-wake", options->no_local_wake, "Only remove that again, with --pool for one pool")
            ->excludes(roles)
            ->excludes(local_wake);
    command.add_flag("--check", options->check, "Change nothing; exit 8 unless the schema fits this release")
        ->excludes(roles)
        ->excludes(local_wake)
        ->excludes(no_local_wake);
    add_database(command, options->database);
    add_json(command, options->json);
    command.footer(
        "Migrating again does no harm, also by several at once.\n\n"
        "Examples:\n"
        "  dormouse migrate --database-url postgresql://postgres@localhost/app\n"
        "  dormouse migrate --roles      # needs CREATEROLE; then: GRANT dormouse_producer TO app\n"
        "  dormouse migrate --local-wake --database-url postgresql://postgres@/app      # as superuser");
    choose(command, chosen, options, migrate);
}

void add_enqueue(CLI::App& app, Chosen& chosen) {
    auto options = std::make_shared<EnqueueOptions>();
    CLI::App& command =
        *app.add_subcommand("enqueue", "Enqueue a run, print its id and wake the pools that serve its queue");
    command.add_option("TASK", options->task, "The task: a [task.NAME] of the pool that serves the queue")->required();
    command.add_option("PAYLOAD", options->payload, "JSON, @FILE, or - for stdin (default {})");
    command.add_option("--queue", options->queue, "The lane it waits in (default \"default\")")->type_name("QUEUE");
    CLI::Option* const in =
        command.add_option("--in", options->in, "Not before that long from now, such as 90s or 1h30min");
    in->type_name("DURATION");
    command
        .add_option("--at", options->at, "Not before this time: \"2026-03-01 08:00\" (local) or 2026-03-01T08:00:00Z")
        ->type_name("TIME")
        ->excludes(in);
    command.add_option("--priority", options->priority, "Smaller is sooner (default 0)")
        ->check(number(-32768, 32767))
        ->type_name("N");
    command
        .add_option("--key", options->key, "If this task has a run with that key already, print its id and add none")
        ->type_name("KEY");
    command.add_option("--max-attempts", options->max_attempts, "Instead of the task's own")
        ->check(number(1, 32767))
        ->type_name("N");
    command.add_option("--timeout", options->timeout, "For each attempt, instead of the task's own")
        ->type_name("DURATION");
    // a flag, not an option: `--wait {}` is a payload after a flag, only `--wait=10min` gives a duration
    auto wait = std::make_shared<std::string>();
    CLI::Option* const wait_flag =
        command.add_flag("--wait", *wait, "Wait for the end and print the result; --wait=DURATION: at most that long");
    add_database(command, options->database);
    command
        .add_flag("--spool", options->spool,
                  "Without a database: into the spool of --pool, or of the pool here that serves the queue")
        ->excludes(wait_flag);
    add_json(command, options->json);
    command.footer(
        "The id goes to stdout, with --wait the result after it; everything else to stderr.\n\n"
        "Examples:\n"
        "  dormouse enqueue thumbnail '{\"file\": \"a.jpg\"}'\n"
        "  dormouse enqueue report @report.json --queue slow --at '2026-03-01 08:00'\n"
        "  generate | dormouse enqueue import - --key 2026-03-01 --wait=10min\n"
        "  dormouse enqueue report --spool      # the database may be down");
    command.callback([&chosen, options, wait, wait_flag] {
        if (wait_flag->count() > 0) options->wait = *wait == "true" ? "" : *wait;
        chosen = [options] { return finish(enqueue(*options)); };
    });
}

void add_wake(CLI::App& app, Chosen& chosen) {
    auto options = std::make_shared<WakeOptions>();
    CLI::App& command = *app.add_subcommand("wake", "Ring a pool's doorbell: its worker starts, or looks again");
    CLI::Option* const target = command.add_option("POOL", options->target, "A pool, or the path of its socket");
    CLI::Option* const to = command.add_option("--to", options->to, "A doorbell on another host, as often as needed");
    to->type_name("HOST:PORT")->take_all()->allow_extra_args(false);
    command.add_flag("--all", options->all, "Every pool of this machine")->excludes(target)->excludes(to);
    add_json(command, options->json);
    command.footer(
        "For producers that cannot run `dormouse enqueue`: ring after the commit. Anything that connects to "
        "the socket rings.\n\n"
        "Examples:\n"
        "  dormouse wake default\n"
        "  dormouse wake /run/dormouse/default.sock\n"
        "  dormouse wake --to worker.example:7300");
    command.callback([&chosen, &command, options] {
        if (options->target.empty() && options->to.empty() && !options->all)
            throw CLI::RequiredError(command.get_name() + ": POOL, --to or --all");
        chosen = [options] { return finish(wake(*options)); };
    });
}

void add_runs(CLI::App& app, Chosen& chosen) {
    auto options = std::make_shared<RunsOptions>();
    CLI::App& command = *app.add_subcommand("runs", "List runs, newest first");
    command.add_option("--status", options->status, "queued, running, retry, blocked, completed, failed or canceled")
        ->type_name("STATUS");
    command.add_option("--task", options->task, "Of this task")->type_name("TASK");
    command.add_option("--queue", options->queue, "Of this queue")->type_name("QUEUE");
    command.add_option("--since", options->since, "Created in the last DURATION (2h), or since a time")
        ->type_name("SINCE");
    command.add_option("--limit", options->limit, "At most that many (default 20)")
        ->check(number(1, 1'000'000))
        ->type_name("N");
    add_database(command, options->database);
    add_json(command, options->json, "One JSON document on each line, for programs");
    command.footer(
        "Examples:\n"
        "  dormouse runs --status failed --since 1d\n"
        "  dormouse runs --task thumbnail --limit 100 --json | jq -r .id");
    choose(command, chosen, options, runs);
}

void add_show(CLI::App& app, Chosen& chosen) {
    auto options = std::make_shared<ShowOptions>();
    CLI::App& command = *app.add_subcommand("show", "Show everything about one run: payload, result, error, attempts");
    command
        .add_option("RUN", options->run, "Its id, or the first 8 or more characters of it if no other begins like that")
        ->required();
    add_database(command, options->database);
    add_json(command, options->json);
    command.footer("Example:\n  dormouse show 019ad1f2-3c4d");
    choose(command, chosen, options, show);
}

void add_status(CLI::App& app, Chosen& chosen) {
    auto options = std::make_shared<StatusOptions>();
    CLI::App& command = *app.add_subcommand("status", "Show pools, queues and what is wrong, on one screen");
    add_database(command, options->database);
    add_json(command, options->json);
    command.footer("Example:\n  dormouse status --pool default");
    choose(command, chosen, options, status);
}

void add_worker(CLI::App& app, Chosen& chosen) {
    auto options = std::make_shared<WorkerOptions>();
    CLI::App& command = *app.add_subcommand(
        "worker", "Execute the runs of a pool; systemd starts it, a terminal or container can as well");
    command.add_option("POOL", options->pool, "The pool: /etc/dormouse/POOL.toml (default \"default\")");
    command.add_option("--config", options->file, "This file instead of the pool's own")->type_name("FILE");
    command.add_option("--set", options->sets, "Set any option, as often as needed: worker.concurrency=8")
        ->type_name("SECTION.KEY=VALUE")
        ->take_all()
        ->allow_extra_args(false);
    command
        .add_option("--database-url", options->database_url,
                    "Database, without a password: postgresql://USER@HOST/DATABASE")
        ->type_name("URL");
    CLI::Option* const run = command.add_option(
        "--run", options->run, "Execute this run alone, and end when it has ended, however (RUN_FILTER_ID)");
    run->type_name("RUN");
    command.add_flag("--drain", options->drain, "End when nothing is due")->excludes(run);
    command.add_option("--max-runs", options->max_runs, "End after so many attempts")
        ->check(number(1, 1'000'000))
        ->type_name("N");
    command
        .add_option("--timeout", options->timeout,
                    "End after so long; what is not done goes back to its queue (exit 5)")
        ->type_name("DURATION");
    command.add_flag("--check", options->check,
                     "Try configuration, database, schema and handlers, say what is wrong, run nothing");
    command.add_flag("-v,--verbose", options->verbose, "Log more, for debugging");
    command.footer(
        "In a terminal it stays until SIGINT or SIGTERM: what runs is finished, the rest goes back to the "
        "queue.\n\n"
        "Examples:\n"
        "  dormouse worker default --check\n"
        "  dormouse worker --config ./pool.toml --set worker.idle_exit=10s");
    command.callback([&chosen, options] { chosen = [options] { return run_worker(*options); }; });
}

void add_relay(CLI::App& app, Chosen& chosen) {
    auto options = std::make_shared<RelayOptions>();
    CLI::App& command =
        *app.add_subcommand("relay", "Listen to the database and ring a pool's doorbell; for producers on other hosts");
    command.add_option("POOL", options->pool, "The pool: /etc/dormouse/POOL.toml (default \"default\")");
    command.add_option("--config", options->file, "This file instead of the pool's own")->type_name("FILE");
    command.add_option("--set", options->sets, "As with `dormouse worker`")
        ->type_name("SECTION.KEY=VALUE")
        ->take_all()
        ->allow_extra_args(false);
    command.add_option("--database-url", options->database_url, "Database, without a password")->type_name("URL");
    command.add_flag("-v,--verbose", options->verbose, "Log each ring, for debugging");
    command.footer(
        "One session that sends nothing. It stays until SIGINT or SIGTERM, and tries again by itself when something "
        "is\nwrong. As a service:\n"
        "  systemctl enable --now dormouse-relay@default.service\n\n"
        "Example:\n  dormouse relay default --verbose");
    command.callback([&chosen, options] { chosen = [options] { return run_relay(*options); }; });
}

void add_config(CLI::App& app, Chosen& chosen) {
    auto options = std::make_shared<ConfigOptions>();
    CLI::App& command = *app.add_subcommand("config", "Show each option of a pool and where its value comes from");
    command.add_option("POOL", options->pool, "The pool (default: the only one of this machine)");
    command.add_option("--config", options->file, "This file instead of the pool's own")->type_name("FILE");
    command.add_option("--set", options->sets, "As with `dormouse worker`")
        ->type_name("SECTION.KEY=VALUE")
        ->take_all()
        ->allow_extra_args(false);
    command.add_flag("--reference", options->reference, "Every option there is, with what it takes");
    add_json(command, options->json);
    command.footer("Passwords are shown as ***.\n\nExample:\n  dormouse config default");
    choose(command, chosen, options, show_config);
}

void add_dev(CLI::App& app, Chosen& chosen) {
    auto options = std::make_shared<DevOptions>();
    CLI::App& command =
        *app.add_subcommand("dev", "A pool for local development: a real doorbell, a real idle exit, gone with Ctrl-C");
    command.add_option("--config", options->config, "A pool's file (default: one task, hello)")
        ->type_name("FILE")
        ->check(CLI::ExistingFile.description(""));
    command
        .add_option(
            "--database-url", options->database_url,
            "Database, without a password (default: the file's, else a private Postgres that is removed at the end)")
        ->type_name("URL");
    command.add_option("--idle-exit", options->idle_exit, "Sleep after so long (default 10s)")->type_name("DURATION");
    command.add_flag("--foreground", options->foreground, "Without systemd: the worker stays and never sleeps");
    command.footer(
        "Goes through your own systemd, or the system's as root; where none runs it says so and stays in the "
        "foreground.\n\n"
        "Examples:\n"
        "  dormouse dev\n"
        "  dormouse dev --config ./pool.toml --database-url postgresql:///app");
    choose(command, chosen, options, dev);
}

void add_version(CLI::App& app, Chosen& chosen) {
    auto options = std::make_shared<VersionOptions>();
    CLI::App& command = *app.add_subcommand("version", "Show the version of dormouse and of the schema it brings");
    add_json(command, options->json);
    choose(command, chosen, options, version);
}

std::string footer() {
    std::string text =
        "`dormouse COMMAND --help` says more, with examples.\n\n"
        "Which database: --database-url, --pool, DORMOUSE_DATABASE_URL or DATABASE_URL, else the one that "
        "the pools in\n"
        "/etc/dormouse (DORMOUSE_CONFIG_DIR) name.\n\n"
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
    CLI::App app("The Postgres run worker that sleeps.", "dormouse");
    Chosen chosen;
    app.require_subcommand(1);
    app.set_version_flag("--version", "dormouse " + std::string(release()));
    app.footer(footer);
    app.get_formatter()->column_width(32);
    for (const auto add : {add_migrate, add_worker, add_enqueue, add_wake, add_relay, add_runs, add_show, add_status,
                           add_config, add_dev, add_version})
        add(app, chosen);
    try {
        app.parse(argc, argv);
    } catch (const CLI::Success& help) {
        app.exit(help);
        return finish(Exit::ok);
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
        return parse_and_run(argc, argv);
    } catch (const std::exception& error) {
        complain(std::string("internal error: ") + error.what());
        return static_cast<int>(Exit::internal);
    }
}

}  // namespace dormouse::cli
