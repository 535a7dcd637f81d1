#include <CLI/CLI.hpp>
#include <memory>

#include "cli/doctor.h"
#include "cli/forget.h"
#include "cli/new_handler.h"
#include "cli/parse_parts.h"
#include "cli/reap.h"
#include "cli/relay_command.h"
#include "cli/sandbox.h"
#include "cli/scale.h"
#include "cli/status.h"
#include "cli/try_task.h"
#include "cli/wake.h"
#include "cli/worker_command.h"
#include "cli/workers.h"

namespace dormouse::cli {

void add_worker(CLI::App& app, Chosen& chosen) {
    auto options = std::make_shared<WorkerOptions>();
    CLI::App& command = *app.add_subcommand(
        "worker", "Execute the runs of a pool; started by systemd, in a terminal or in a container");
    command.add_option("POOL", options->pool, "The pool: /etc/dormouse/POOL.toml (default \"default\")");
    command.add_option("--config", options->file, "Use this file instead of the pool's own")->type_name("FILE");
    command.add_option("--set", options->sets, "Set any option, such as worker.concurrency=8; may be repeated")
        ->type_name("SECTION.KEY=VALUE")
        ->take_all()
        ->allow_extra_args(false);
    command
        .add_option("--database-url", options->database_url,
                    "Database, without a password: postgresql://USER@HOST/DATABASE")
        ->type_name("URL");
    CLI::Option* const run =
        command.add_option("--run", options->run, "Execute only this run, and exit when it has ended (RUN_FILTER_ID)");
    run->type_name("RUN");
    command.add_flag("--drain", options->drain, "Exit when nothing is due")->excludes(run);
    command.add_option("--max-runs", options->max_runs, "Exit after this many attempts")
        ->check(number(1, 1'000'000))
        ->type_name("N");
    command
        .add_option("--timeout", options->timeout, "Exit after this long; unfinished runs are requeued (exit code 5)")
        ->type_name("DURATION");
    CLI::Option* const check = command.add_flag("--check", options->check,
                                                "Check configuration, database, schema and handlers; execute no run");
    command.add_flag("--json", options->json, "With --check: one JSON document, for programs")->needs(check);
    command.add_flag("-v,--verbose", options->verbose, "Log more, for debugging");
    command.footer(
        "In a terminal it stays until SIGINT or SIGTERM. Then running handlers may finish, and the rest is "
        "requeued. It exits with 0, or with 16 if --run, --drain, --max-runs or --timeout is not done by then.\n\n"
        "Examples:\n"
        "  dormouse worker default --check\n"
        "  dormouse worker --config ./pool.toml --set worker.idle_exit=10s");
    on_chosen(command, chosen, [options] { return options->check ? check_as_pool(*options) : run_worker(*options); });
}

void add_try(CLI::App& app, Chosen& chosen) {
    auto options = std::make_shared<TryOptions>();
    CLI::App& command =
        *app.add_subcommand("try", "Execute a task's handler once, without a database, and exit with its exit code");
    command.add_option("TASK", options->task, "A [task.NAME] in a pool's file")->required();
    command.add_option("PAYLOAD,--payload", options->payload, "JSON, @FILE, or - for stdin (default {})");
    command.add_option("--pool", options->pool, "The pool that has the task (default: the local pool that has it)")
        ->type_name("POOL");
    command.add_option("--config", options->file, "Use this file instead of a pool's own")->type_name("FILE");
    command.add_option("--set", options->sets, "As with `dormouse worker`")
        ->type_name("SECTION.KEY=VALUE")
        ->take_all()
        ->allow_extra_args(false);
    command.add_option("--timeout", options->timeout, "Overrides the task's own")->type_name("DURATION");
    command.add_option("--attempt", options->attempt, "The attempt number passed to the handler (default 1)")
        ->check(number(1, 32767))
        ->type_name("N");
    command.add_flag("--as-pool", options->as_pool,
                     "Use the user, sandbox, limits and environment of the pool's unit (as root)");
    add_json(command, options->json);
    command.footer(
        "Log lines and progress go to stderr, the result to stdout. Exit code: 0 completed; else the "
        "handler's own; 75 retry\n"
        "later; 128 plus the number of its signal; 5 timed out; 9 could not be started; 3 any other "
        "failure.\n\n"
        "Examples:\n"
        "  dormouse try thumbnail '{\"file\": \"a.jpg\"}'\n"
        "  dormouse try report --config ./pool.toml --payload @report.json --timeout 10s\n"
        "  sudo dormouse try thumbnail --as-pool");
    on_chosen(command, chosen, [options] { return try_task(*options); });
}

void add_new(CLI::App& app, Chosen& chosen) {
    auto options = std::make_shared<NewOptions>();
    CLI::App& command =
        *app.add_subcommand("new", "Create a sample handler, add its task to a pool's file, and try it");
    command.add_option("KIND", options->kind, "python, node, shell, or cpp: a program that is the worker itself")
        ->required();
    command.add_option("NAME", options->name, "The task's name: lower-case letters, digits and _")->required();
    command.add_option("--pool", options->pool, "The pool (default \"default\")")->type_name("POOL");
    command
        .add_option("--directory", options->directory, "The handler's directory (default /srv/app; created if missing)")
        ->type_name("DIRECTORY");
    add_json(command, options->json);
    command.footer(
        "Existing files are never overwritten. The exit codes are those of `dormouse try`.\n\n"
        "Example:\n"
        "  sudo dormouse new python thumbnail");
    on_chosen(command, chosen, [options] { return new_handler(*options); });
}

void add_sandbox(CLI::App& app, Chosen& chosen) {
    auto options = std::make_shared<SandboxOptions>();
    CLI::App& command = *app.add_subcommand(
        "sandbox", "Print the drop-in that grants a pool's unit what its tasks need (sandbox = { … })");
    command.add_option("POOL", options->pool, "The pool")->required();
    command.add_flag("--install", options->install, "Write it to /etc/systemd/system and reload systemd (as root)");
    add_json(command, options->json);
    command.footer(
        "Settings that no task needs any more are removed. It takes effect at the worker's next start.\n\n"
        "Examples:\n"
        "  dormouse sandbox default\n"
        "  sudo dormouse sandbox default --install");
    choose(command, chosen, options, sandbox);
}

void add_wake(CLI::App& app, Chosen& chosen) {
    auto options = std::make_shared<WakeOptions>();
    CLI::App& command = *app.add_subcommand("wake", "Ring a pool's doorbell: its worker starts, or looks again");
    CLI::Option* const target = command.add_option("POOL", options->target, "A pool, or the path of its socket");
    CLI::Option* const to = command.add_option("--to", options->to, "A doorbell on another host; may be repeated");
    to->type_name("HOST:PORT")->take_all()->allow_extra_args(false);
    command.add_flag("--all", options->all, "Every pool of this machine")->excludes(target)->excludes(to);
    add_json(command, options->json);
    command.footer(
        "For producers that do not use `dormouse enqueue`: ring after the commit. Any connection to the "
        "socket is a ring.\n\n"
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

void add_relay(CLI::App& app, Chosen& chosen) {
    auto options = std::make_shared<RelayOptions>();
    CLI::App& command =
        *app.add_subcommand("relay", "Listen to the database and ring a pool's doorbell, for producers on other hosts");
    command.add_option("POOL", options->pool, "The pool: /etc/dormouse/POOL.toml (default \"default\")");
    command.add_option("--config", options->file, "Use this file instead of the pool's own")->type_name("FILE");
    command.add_option("--set", options->sets, "As with `dormouse worker`")
        ->type_name("SECTION.KEY=VALUE")
        ->take_all()
        ->allow_extra_args(false);
    command.add_option("--database-url", options->database_url, "Database, without a password")->type_name("URL");
    command.add_flag("-v,--verbose", options->verbose, "Log each ring, for debugging");
    command.footer(
        "Keeps one session, which sends nothing, until SIGINT or SIGTERM. Retries by itself after an error. "
        "As a service:\n"
        "  systemctl enable --now dormouse-relay@default.service\n\n"
        "Example:\n"
        "  dormouse relay default --verbose");
    on_chosen(command, chosen, [options] { return run_relay(*options); });
}

void add_status(CLI::App& app, Chosen& chosen) {
    auto options = std::make_shared<StatusOptions>();
    CLI::App& command = *app.add_subcommand("status", "Show pools, queues and what needs attention, on one screen");
    add_database(command, options->database);
    add_json(command, options->json);
    command.add_flag("--all", options->all,
                     "All pools and queues, instead of the most important ones that fit on a screen");
    CLI::Option* const check = command.add_flag(
        "--check", options->check,
        "One line, and exit code 0, 1, 2 or 3 like monitoring plugins: ok, warning, critical, unknown");
    command
        .add_flag("--at-rest", options->at_rest,
                  "Only what this machine knows without connecting to the database: asleep since when, how the last "
                  "worker exited, what is due next, counters")
        ->excludes(check);
    command
        .add_flag("--watch", options->watch,
                  "Refresh the screen every 2 s until Ctrl-C, over one session; only in a terminal")
        ->excludes(check)
        ->excludes("--json")
        ->excludes("--at-rest");
    command.footer(
        "Exits with 13 if something needs attention; each such line ends with the command that fixes it or "
        "says more. Ended runs\n"
        "are counted exactly for the last hour, and to the hour for the last day.\n\n"
        "Examples:\n"
        "  dormouse status --pool default\n"
        "  dormouse status --check --pool default\n"
        "  dormouse status --watch");
    choose(command, chosen, options, status);
}

void add_doctor(CLI::App& app, Chosen& chosen) {
    auto options = std::make_shared<DoctorOptions>();
    CLI::App& command =
        *app.add_subcommand("doctor", "Check everything: pools, handlers, units, files, server, schema, locks");
    add_database(command, options->database);
    add_json(command, options->json);
    command
        .add_option(
            "--idle", options->idle,
            "Watch for this long (60 is 60s) whether a sleeping pool costs nothing, and what else keeps the database awake")
        ->type_name("DURATION");
    command.footer(
        "Prints one line per finding: ok, note, warning or failed, the thing, and the command that fixes it. "
        "Exits with 13 if\n"
        "any is a warning or failed. Executes only what `dormouse worker --check` starts. With --pool, "
        "checks only that pool.\n\n"
        "--idle looks once a second at the pool's processes and, over one session, at all sessions: that session keeps "
        "a\ndatabase that suspends itself awake meanwhile.\n\n"
        "Examples:\n"
        "  sudo dormouse doctor\n"
        "  dormouse doctor --pool default --json\n"
        "  sudo dormouse doctor --idle 60s");
    on_chosen(command, chosen, [options] { return doctor(*options); });
}

void add_workers(CLI::App& app, Chosen& chosen) {
    auto options = std::make_shared<WorkersOptions>();
    CLI::App& command =
        *app.add_subcommand("workers", "List workers: which are alive, what each holds, and the evidence");
    command.add_flag("--all", options->all, "Include workers that have exited");
    add_database(command, options->database);
    add_json(command, options->json, "One JSON document per line, for programs");
    command.footer(
        "live: holds runs. idle: awake, holds none. dead: it lost its session in the database, or a lease "
        "expired long ago, or\n"
        "its process is gone (which only its own host can see). Workers that died more than a day ago and "
        "hold nothing are shown\n"
        "only with --all; `dormouse forget` removes them.\n\n"
        "Example:\n"
        "  dormouse workers --pool default");
    choose(command, chosen, options, workers);
}

void add_scale(CLI::App& app, Chosen& chosen) {
    auto options = std::make_shared<ScaleOptions>();
    CLI::App& command = *app.add_subcommand(
        "scale", "Change how many runs a pool executes at once for a while, or show the number in force");
    command.add_option("POOL", options->pool, "The pool, on whatever host")->required();
    CLI::Option* const number =
        command.add_option("N", options->concurrency, "How many at once, 1 to 10,000, for each of its workers");
    command.add_option("--for", options->lasting, "For how long, 1s to 7d; then the pool's file applies again")
        ->type_name("DURATION");
    command.add_option("--reason", options->reason, "The reason, shown by `dormouse status` and `dormouse history`")
        ->type_name("TEXT");
    command.add_flag("--reset", options->reset, "Reset: the pool's file applies again from now on")->excludes(number);
    add_database(command, options->database);
    add_json(command, options->json);
    command.footer(
        "Awake workers change at once; a sleeping pool is not woken. With a smaller number, running handlers "
        "continue, and no run\n"
        "starts until a slot is free. Limits of a task still apply: its concurrency, and the processes of a "
        "warm one.\n\n"
        "Examples:\n"
        "  dormouse scale default 16 --for 1h\n"
        "  dormouse scale default\n"
        "  dormouse scale default --reset");
    choose(command, chosen, options, scale);
}

void add_forget(CLI::App& app, Chosen& chosen) {
    auto options = std::make_shared<ForgetOptions>();
    CLI::App& command = *app.add_subcommand("forget", "Remove the records of a pool or a worker that is gone");
    command.add_option("POOL|WORKER", options->what, "A pool's name, or a worker's id from `dormouse workers`")
        ->required();
    add_database(command, options->database);
    add_json(command, options->json);
    command.footer(
        "For a pool: its workers and its retention setting. Refused while one of its workers is alive or "
        "holds runs, and while\n"
        "this machine has the pool's file. Runs are kept. Workers are forgotten automatically 30 days after "
        "they exited.\n\n"
        "Examples:\n"
        "  dormouse forget r2 --database-url postgresql:///app\n"
        "  dormouse forget 0b0f3a52-6c1e-4d55-9d0e-6a1f7b6f4c11");
    choose(command, chosen, options, forget);
}

void add_reap(CLI::App& app, Chosen& chosen) {
    auto options = std::make_shared<ReapOptions>();
    CLI::App& command = *app.add_subcommand("reap", "List stale workers of this host; --force kills them");
    command.add_flag("--force", options->force, "Kill stale processes, release their runs, and mark them as gone");
    add_database(command, options->database);
    add_json(command, options->json);
    command.footer(
        "production: belongs to a unit. active: busy, idle, or not provably stale. Both are left alone, as "
        "are workers of other\n"
        "hosts. stale: the process is gone, or its work and its session have ended, or it executes a single "
        "run (--run) that is\n"
        "over; age alone proves nothing. elsewhere: stale, on another host.\n"
        "--force: SIGTERM, 10 s later SIGKILL; a released run loses an attempt.\n\n"
        "Examples:\n"
        "  dormouse reap\n"
        "  dormouse reap --force --pool default");
    choose(command, chosen, options, reap);
}

}  // namespace dormouse::cli
