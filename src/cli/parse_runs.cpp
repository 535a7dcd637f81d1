#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "cli/archive.h"
#include "cli/cancel.h"
#include "cli/enqueue.h"
#include "cli/history.h"
#include "cli/parse_parts.h"
#include "cli/retry.h"
#include "cli/runs.h"
#include "cli/show.h"

namespace dormouse::cli {

namespace {

/// What the three that operate on runs have in common.
std::shared_ptr<OperateOptions> add_operation(CLI::App& command, const char* statuses) {
    auto options = std::make_shared<OperateOptions>();
    command.add_option("RUN", options->runs, "Ids, or at least their first 8 characters");
    command.add_option("--status", options->filter.status, statuses)->type_name("STATUS");
    command.add_option("--task", options->filter.task, "Instead of ids: all runs of this task")->type_name("TASK");
    command.add_option("--queue", options->filter.queue, "Instead of ids: all runs in this queue")->type_name("QUEUE");
    command.add_option("--key", options->filter.key, "Instead of ids: the run with this key, of every task")
        ->type_name("KEY");
    command
        .add_option("--error", options->filter.error,
                    "Instead of ids: all runs whose error class or message contains TEXT (case-sensitive)")
        ->type_name("TEXT");
    command
        .add_option("--worker", options->filter.worker, "Instead of ids: all runs that this worker holds, or held last")
        ->type_name("ID");
    command
        .add_option("--older", options->filter.older,
                    "Instead of ids: all runs created longer ago than this, such as 2h")
        ->type_name("DURATION");
    command.add_option("--limit", options->limit, "At most this many, oldest first")
        ->check(number(1, 1'000'000'000))
        ->type_name("N");
    command.add_flag("--dry-run", options->dry_run, "Show what would be done; change nothing");
    command.add_flag("--yes", options->yes, "Do not ask; required for a filter without a terminal");
    add_database(command, options->database);
    add_json(command, options->json);
    return options;
}

void add_reason(CLI::App& command, OperateOptions& options) {
    command.add_option("--reason", options.reason, "The reason, stored as the error of a canceled run")
        ->type_name("TEXT");
}

}  // namespace

void add_enqueue(CLI::App& app, Chosen& chosen) {
    auto options = std::make_shared<EnqueueOptions>();
    CLI::App& command =
        *app.add_subcommand("enqueue", "Enqueue a run, print its id, and wake the pools that serve its queue");
    CLI::Option* const task =
        command.add_option("TASK", options->task, "The task: a [task.NAME] of the pool that serves the queue");
    CLI::Option* const from =
        command.add_option("--from", options->from, "A file of runs (- for stdin), one JSON object per line");
    from->type_name("FILE")->excludes(task);
    command.add_option("PAYLOAD", options->payload, "JSON, @FILE, or - for stdin (default {})");
    command.add_option("--queue", options->queue, "The queue (default \"default\")")->type_name("QUEUE");
    CLI::Option* const in =
        command.add_option("--in", options->in, "Not before this much time has passed, such as 90s or 1h30min");
    in->type_name("DURATION");
    command
        .add_option("--at", options->at, "Not before this time: \"2026-03-01 08:00\" (local) or 2026-03-01T08:00:00Z")
        ->type_name("TIME")
        ->excludes(in);
    command.add_option("--priority", options->priority, "From -100 to 100, smaller is sooner (default 0)")
        ->check(number(-100, 100))
        ->type_name("N");
    command
        .add_option("--key", options->key, "If the task already has a run with this key, print its id and enqueue none")
        ->type_name("KEY");
    command.add_option("--max-attempts", options->max_attempts, "Overrides the task's own")
        ->check(number(1, 1'000))
        ->type_name("N");
    command.add_option("--timeout", options->timeout, "Of each attempt; overrides the task's own")
        ->type_name("DURATION");
    // a flag, not an option: `--wait {}` is a payload after a flag, only `--wait=10min` gives a duration
    auto wait = std::make_shared<std::string>();
    CLI::Option* const wait_flag = command.add_flag(
        "--wait", *wait, "Wait until the run ends and print the result; --wait=DURATION: at most this long");
    add_database(command, options->database);
    command
        .add_flag("--spool", options->spool,
                  "Without a database: write to the spool of --pool, or of the local pool that serves the queue")
        ->excludes(wait_flag)
        ->excludes(from);
    wait_flag->excludes(from);
    for (const char* const of_one : {"--in", "--at", "--priority", "--key", "--max-attempts", "--timeout"})
        from->excludes(command.get_option(of_one));
    add_json(command, options->json);
    command.footer(
        "The id is printed to stdout, followed by the result with --wait; everything else to stderr.\n\n"
        "Examples:\n"
        "  dormouse enqueue thumbnail '{\"file\": \"a.jpg\"}'\n"
        "  dormouse enqueue report @report.json --queue slow --at '2026-03-01 08:00'\n"
        "  generate | dormouse enqueue import - --key 2026-03-01 --wait=10min\n"
        "  dormouse enqueue report --spool      # the database may be down\n\n"
        "A line of --from has task and, optionally, payload, queue (default --queue), priority, run_at or at "
        "or in, key,\n"
        "max_attempts, timeout and traceparent. All lines are one transaction: if one is invalid, the error "
        "names FILE:LINE and\n"
        "nothing is enqueued. A line whose key exists adds no run. The number of lines is printed to "
        "stdout.\n\n"
        "  dormouse enqueue --from runs.jsonl\n"
        "  generate | dormouse enqueue --from - --queue slow");
    on_chosen(command, chosen, [options, wait, wait_flag, task, from] {
        if (task->count() + from->count() == 0) return finish(give_up(Exit::usage, "TASK is required, or --from FILE"));
        if (wait_flag->count() > 0) options->wait = *wait == "true" ? "" : *wait;
        return finish(enqueue(*options));
    });
}

void add_runs(CLI::App& app, Chosen& chosen) {
    auto options = std::make_shared<RunsOptions>();
    CLI::App& command = *app.add_subcommand("runs", "List runs, newest first");
    command
        .add_option("--status", options->filter.status,
                    "queued, running, retry, blocked, completed, failed or canceled; or several (a,b)")
        ->type_name("STATUS");
    command.add_option("--task", options->filter.task, "Runs of this task")->type_name("TASK");
    command.add_option("--queue", options->filter.queue, "Runs in this queue")->type_name("QUEUE");
    command.add_option("--key", options->filter.key, "Runs with this key")->type_name("KEY");
    command
        .add_option("--error", options->filter.error,
                    "Runs whose error class or message contains TEXT (case-sensitive)")
        ->type_name("TEXT");
    command.add_option("--worker", options->filter.worker, "Runs that this worker holds, or held last")
        ->type_name("ID");
    command.add_option("--older", options->filter.older, "Runs created longer ago than this, such as 2h")
        ->type_name("DURATION");
    command.add_option("--since", options->since, "Runs created in the last DURATION (2h), or since a time")
        ->type_name("SINCE");
    command.add_flag("--archived", options->archived, "Include archived runs");
    command.add_option("--limit", options->limit, "At most this many (default 20)")
        ->check(number(1, 1'000'000))
        ->type_name("N");
    add_database(command, options->database);
    add_json(command, options->json, "One JSON document per line, for programs");
    command.footer(
        "Examples:\n"
        "  dormouse runs --status failed --since 1d\n"
        "  dormouse runs --status queued,running --older 2h\n"
        "  dormouse runs --task thumbnail --limit 100 --json | jq -r .id");
    choose(command, chosen, options, runs);
}

void add_show(CLI::App& app, Chosen& chosen) {
    auto options = std::make_shared<ShowOptions>();
    CLI::App& command = *app.add_subcommand("show", "Show everything about one run: payload, result, error, attempts");
    command.add_option("RUN", options->run, "Its id, or at least its first 8 characters if they are unique")
        ->required();
    add_database(command, options->database);
    add_json(command, options->json);
    command.footer("Example:\n  dormouse show 019ad1f2-3c4d");
    choose(command, chosen, options, show);
}

void add_cancel(CLI::App& app, Chosen& chosen) {
    CLI::App& command =
        *app.add_subcommand("cancel", "Cancel runs; the handler of a running one is stopped, on whatever host");
    const auto options =
        add_operation(command, "Instead of ids: all runs with this status (or a,b): queued, running, retry or blocked");
    add_reason(command, *options);
    command.footer(
        "Finished runs are not changed. A handler gets SIGTERM, 10 s later SIGKILL; its late result is "
        "refused.\n\n"
        "Examples:\n"
        "  dormouse cancel 019ad1f2-3c4d --reason 'wrong file'\n"
        "  dormouse cancel --task thumbnail --older 2h --dry-run");
    choose(command, chosen, options, cancel);
}

void add_retry(CLI::App& app, Chosen& chosen) {
    CLI::App& command =
        *app.add_subcommand("retry", "Start finished runs again, and runs that wait for their next attempt at once");
    const auto options = add_operation(
        command,
        "Instead of ids: all runs with this status (or a,b): failed, retry, canceled or completed (default: "
        "failed and retry)");
    command.add_option("--per-minute", options->per_minute, "With a filter: spread them out, this many per minute")
        ->check(number(1, 1'000'000))
        ->type_name("N");
    command.footer(
        "A finished run gets all of its attempts again. A running one is refused: cancel it first. The pools "
        "of this machine that\n"
        "serve the queue are woken.\n\n"
        "Examples:\n"
        "  dormouse retry 019ad1f2-3c4d\n"
        "  dormouse retry --status failed --task thumbnail --yes\n"
        "  dormouse retry --error ECONNREFUSED --per-minute 60 --dry-run");
    choose(command, chosen, options, retry);
}

void add_archive(CLI::App& app, Chosen& chosen) {
    CLI::App& command =
        *app.add_subcommand("archive", "Hide runs from `dormouse runs`; unfinished ones are canceled first");
    const auto options =
        add_operation(command, "Instead of ids: all runs with this status (or a,b) (default: all finished ones)");
    add_reason(command, *options);
    command.footer(
        "`dormouse runs --archived` still shows them, and `dormouse retry RUN` brings one back.\n\n"
        "Examples:\n"
        "  dormouse archive 019ad1f2-3c4d 019ad1f2-77aa\n"
        "  dormouse archive --status failed --older 7d --yes");
    choose(command, chosen, options, archive);
}

void add_history(CLI::App& app, Chosen& chosen) {
    auto options = std::make_shared<HistoryOptions>();
    CLI::App& command =
        *app.add_subcommand("history", "Show who canceled, retried and archived what, and scaled which pool");
    command.add_option("RUN", options->run, "Only operations on this run (its id, or at least its first 8 characters)");
    command.add_option("--limit", options->limit, "At most this many, newest first (default 20)")
        ->check(number(1, 10'000))
        ->type_name("N");
    add_database(command, options->database);
    add_json(command, options->json);
    command.footer(
        "The history is kept for 90 days. It does not include plain UPDATE and DELETE; for attempts see "
        "`dormouse show`.\n\n"
        "Examples:\n"
        "  dormouse history\n"
        "  dormouse history 019ad1f2-3c4d --json");
    choose(command, chosen, options, history);
}

}  // namespace dormouse::cli
