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
    CLI::Option* const check = command.add_flag(
        "--check", options->check, "Try configuration, database, schema and handlers, say what is wrong, run nothing");
    command.add_flag("--json", options->json, "With --check: one JSON document, for programs")->needs(check);
    command.add_flag("-v,--verbose", options->verbose, "Log more, for debugging");
    command.footer(
        "In a terminal it stays until SIGINT or SIGTERM: what runs is finished, the rest goes back to the "
        "queue.\n\n"
        "Examples:\n"
        "  dormouse worker default --check\n"
        "  dormouse worker --config ./pool.toml --set worker.idle_exit=10s");
    on_chosen(command, chosen, [options] { return options->check ? check_as_pool(*options) : run_worker(*options); });
}

void add_try(CLI::App& app, Chosen& chosen) {
    auto options = std::make_shared<TryOptions>();
    CLI::App& command =
        *app.add_subcommand("try", "Execute a task's handler once, here, without a database; ends as the handler does");
    command.add_option("TASK", options->task, "A [task.NAME] of a pool")->required();
    command.add_option("PAYLOAD,--payload", options->payload, "JSON, @FILE, or - for stdin (default {})");
    command
        .add_option("--pool", options->pool, "The pool that has the task (default: the one of this machine that does)")
        ->type_name("POOL");
    command.add_option("--config", options->file, "This file instead of a pool's own")->type_name("FILE");
    command.add_option("--set", options->sets, "As with `dormouse worker`")
        ->type_name("SECTION.KEY=VALUE")
        ->take_all()
        ->allow_extra_args(false);
    command.add_option("--timeout", options->timeout, "Instead of the task's own")->type_name("DURATION");
    command.add_option("--attempt", options->attempt, "What the handler is told (default 1)")
        ->check(number(1, 32767))
        ->type_name("N");
    command.add_flag("--as-pool", options->as_pool,
                     "As the pool's unit would: its user, sandbox, limits and environment (as root)");
    add_json(command, options->json);
    command.footer(
        "Log lines and progress go to stderr, the result to stdout. Exit code: 0 completed; else the handler's own; 75 "
        "not\nnow; 128 and the number of its signal; 5 timed out; 9 could not be started; 3 any other failure.\n\n"
        "Examples:\n"
        "  dormouse try thumbnail '{\"file\": \"a.jpg\"}'\n"
        "  dormouse try report --config ./pool.toml --payload @report.json --timeout 10s\n"
        "  sudo dormouse try thumbnail --as-pool");
    on_chosen(command, chosen, [options] { return try_task(*options); });
}

void add_new(CLI::App& app, Chosen& chosen) {
    auto options = std::make_shared<NewOptions>();
    CLI::App& command =
        *app.add_subcommand("new", "Write a handler to begin with and its task into a pool's file, and try it");
    command.add_option("KIND", options->kind, "python, node, shell, or cpp: a program that is the worker itself")
        ->required();
    command.add_option("NAME", options->name, "Of the task: lower-case letters, digits and _")->required();
    command.add_option("--pool", options->pool, "The pool (default \"default\")")->type_name("POOL");
    command.add_option("--directory", options->directory, "Of the handler (default /srv/app; made if there is none)")
        ->type_name("DIRECTORY");
    add_json(command, options->json);
    command.footer(
        "What is there already is never written over. Ends as `dormouse try` does.\n\n"
        "Example:\n"
        "  sudo dormouse new python thumbnail");
    on_chosen(command, chosen, [options] { return new_handler(*options); });
}

void add_sandbox(CLI::App& app, Chosen& chosen) {
    auto options = std::make_shared<SandboxOptions>();
    CLI::App& command = *app.add_subcommand(
        "sandbox", "Print the drop-in that gives a pool's unit what its tasks need (sandbox = { … })");
    command.add_option("POOL", options->pool, "The pool")->required();
    command.add_flag("--install", options->install,
                     "Write it below /etc/systemd/system, and have systemd read it (as root)");
    add_json(command, options->json);
    command.footer(
        "What no task needs any more goes from it. In force at the worker's next start.\n\n"
        "Examples:\n"
        "  dormouse sandbox default\n"
        "  sudo dormouse sandbox default --install");
    choose(command, chosen, options, sandbox);
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
    on_chosen(command, chosen, [options] { return run_relay(*options); });
}

void add_status(CLI::App& app, Chosen& chosen) {
    auto options = std::make_shared<StatusOptions>();
    CLI::App& command = *app.add_subcommand("status", "Show pools, queues and what is wrong, on one screen");
    add_database(command, options->database);
    add_json(command, options->json);
    command.add_flag("--all", options->all,
                     "Each pool and queue, however many; else those that matter most, on one screen");
    CLI::Option* const check =
        command.add_flag("--check", options->check,
                         "One line and 0, 1, 2 or 3, as monitoring plugins do: well, warning, critical, unknown");
    command
        .add_flag("--at-rest", options->at_rest,
                  "What this machine knows without the database, which is not asked: who sleeps since when, how its "
                  "worker ended, what is due next, what was counted")
        ->excludes(check);
    command
        .add_flag("--watch", options->watch,
                  "The screen again every 2 s, until Ctrl-C, over one session; in a terminal only: it asks for as long "
                  "as somebody looks")
        ->excludes(check)
        ->excludes("--json")
        ->excludes("--at-rest");
    command.footer(
        "Ends with 13 if something needs attention; each such line ends with the command that mends it or says "
        "more. What has ended is counted exactly for the last hour, and for the last day to the hour.\n\n"
        "Examples:\n  dormouse status --pool default\n  dormouse status --check --pool default\n  "
        "dormouse status --watch");
    choose(command, chosen, options, status);
}

void add_doctor(CLI::App& app, Chosen& chosen) {
    auto options = std::make_shared<DoctorOptions>();
    CLI::App& command = *app.add_subcommand(
        "doctor", "Look at everything: pools, handlers, units, files, server, schema, who is in their way");
    add_database(command, options->database);
    add_json(command, options->json);
    command.footer(
        "One line a finding: ok, note, warning or failed, the thing, and the command that mends it. Ends with 13 if "
        "one is\na warning or failed. Runs nothing but what `dormouse worker --check` starts. With --pool only that "
        "pool.\n\n"
        "Examples:\n  sudo dormouse doctor\n  dormouse doctor --pool default --json");
    on_chosen(command, chosen, [options] { return doctor(*options); });
}

void add_workers(CLI::App& app, Chosen& chosen) {
    auto options = std::make_shared<WorkersOptions>();
    CLI::App& command =
        *app.add_subcommand("workers", "List workers: who lives, what each holds, and how that is known");
    command.add_flag("--all", options->all, "Those that have left as well");
    add_database(command, options->database);
    add_json(command, options->json, "One JSON document on each line, for programs");
    command.footer(
        "live: holds runs. idle: awake, holds none. dead: it has no session in the database and has not closed it on "
        "purpose,\nor let a lease end long ago, or its process is not there, which is seen on its own host only. Those "
        "that died more than\na day ago and hold nothing are shown with --all; `dormouse forget` removes them.\n\n"
        "Example:\n  dormouse workers --pool default");
    choose(command, chosen, options, workers);
}

void add_scale(CLI::App& app, Chosen& chosen) {
    auto options = std::make_shared<ScaleOptions>();
    CLI::App& command = *app.add_subcommand(
        "scale", "Have a pool execute more or fewer runs at once for a while, or show what is in force");
    command.add_option("POOL", options->pool, "The pool, on whatever host")->required();
    CLI::Option* const number =
        command.add_option("N", options->concurrency, "So many at once, 1 to 10,000, by each of its workers");
    command.add_option("--for", options->lasting, "For how long, 1s to 7d; then its file counts again")
        ->type_name("DURATION");
    command.add_option("--reason", options->reason, "Why, for `dormouse status` and `dormouse history`")
        ->type_name("TEXT");
    command.add_flag("--reset", options->reset, "Take it back: its file counts from now on")->excludes(number);
    add_database(command, options->database);
    add_json(command, options->json);
    command.footer(
        "A worker that is awake is told at once, one that starts asks; none is woken. With fewer, what runs goes on "
        "and nothing\nmore is begun until there is room. What a task bounds by itself stays: its concurrency, and the "
        "processes of a warm one.\n\n"
        "Examples:\n"
        "  dormouse scale default 16 --for 1h\n"
        "  dormouse scale default\n"
        "  dormouse scale default --reset");
    choose(command, chosen, options, scale);
}

void add_forget(CLI::App& app, Chosen& chosen) {
    auto options = std::make_shared<ForgetOptions>();
    CLI::App& command = *app.add_subcommand("forget", "Remove what is remembered of a pool or a worker that is gone");
    command.add_option("POOL|WORKER", options->what, "A pool's name, or a worker's id as `dormouse workers` shows it")
        ->required();
    add_database(command, options->database);
    add_json(command, options->json);
    command.footer(
        "Of a pool: its workers, and how long it wanted finished runs to be kept. Refused while one of them lives or "
        "holds runs,\nand while this machine has a file of the pool. Runs stay. Old workers go by themselves, 30 days "
        "after they left.\n\n"
        "Examples:\n"
        "  dormouse forget r2 --database-url postgresql:///app\n"
        "  dormouse forget 0b0f3a52-6c1e-4d55-9d0e-6a1f7b6f4c11");
    choose(command, chosen, options, forget);
}

void add_reap(CLI::App& app, Chosen& chosen) {
    auto options = std::make_shared<ReapOptions>();
    CLI::App& command =
        *app.add_subcommand("reap", "Show the workers of this host that are of no use any more; --force ends them");
    command.add_flag("--force", options->force, "End stale processes, release the runs they hold, mark them as left");
    add_database(command, options->database);
    add_json(command, options->json);
    command.footer(
        "production: belongs to a unit. active: at work, idle, or not provably useless. Both are left alone, as are "
        "other\nhosts. stale: the process is gone, or it has ended its work and its session is gone, or it executes "
        "one run alone\n(--run) and that is over; age proves nothing. elsewhere: such a one on another host.\n"
        "--force: SIGTERM, 10 s later SIGKILL; a run that is released has lost an attempt.\n\n"
        "Examples:\n"
        "  dormouse reap\n"
        "  dormouse reap --force --pool default");
    choose(command, chosen, options, reap);
}

}  // namespace dormouse::cli
