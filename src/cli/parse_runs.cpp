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
    command.add_option("RUN", options->runs, "Ids, or the first 8 or more characters of each");
    command.add_option("--status", options->filter.status, statuses)->type_name("STATUS");
    command.add_option("--task", options->filter.task, "Instead of ids: all of this task")->type_name("TASK");
    command.add_option("--queue", options->filter.queue, "Instead of ids: all of this queue")->type_name("QUEUE");
    command.add_option("--key", options->filter.key, "Instead of ids: the one with this key, of each task")
        ->type_name("KEY");
    command
        .add_option("--error", options->filter.error,
                    "Instead of ids: all whose error has this in its class or message, in upper and lower case as here")
        ->type_name("TEXT");
    command.add_option("--worker", options->filter.worker, "Instead of ids: all that this worker has, or had last")
        ->type_name("ID");
    command
        .add_option("--older", options->filter.older, "Instead of ids: all created longer ago than that, such as 2h")
        ->type_name("DURATION");
    command.add_option("--limit", options->limit, "At most that many, the oldest first")
        ->check(number(1, 1'000'000'000))
        ->type_name("N");
    command.add_flag("--dry-run", options->dry_run, "Show what would be done, change nothing");
    command.add_flag("--yes", options->yes, "Do not ask; needed with a filter where no terminal is");
    add_database(command, options->database);
    add_json(command, options->json);
    return options;
}

void add_reason(CLI::App& command, OperateOptions& options) {
    command.add_option("--reason", options.reason, "Why, for the error of a run that is canceled")->type_name("TEXT");
}

}  // namespace

void add_enqueue(CLI::App& app, Chosen& chosen) {
    auto options = std::make_shared<EnqueueOptions>();
    CLI::App& command =
        *app.add_subcommand("enqueue", "Enqueue a run, print its id and wake the pools that serve its queue");
    CLI::Option* const task =
        command.add_option("TASK", options->task, "The task: a [task.NAME] of the pool that serves the queue");
    CLI::Option* const from = command.add_option(
        "--from", options->from, "Instead of one run: a file of them (- for stdin), one JSON object a line");
    from->type_name("FILE")->excludes(task);
    command.add_option("PAYLOAD", options->payload, "JSON, @FILE, or - for stdin (default {})");
    command.add_option("--queue", options->queue, "The lane it waits in (default \"default\")")->type_name("QUEUE");
    CLI::Option* const in =
        command.add_option("--in", options->in, "Not before that long from now, such as 90s or 1h30min");
    in->type_name("DURATION");
    command
        .add_option("--at", options->at, "Not before this time: \"2026-03-01 08:00\" (local) or 2026-03-01T08:00:00Z")
        ->type_name("TIME")
        ->excludes(in);
    command.add_option("--priority", options->priority, "From -100 to 100, smaller is sooner (default 0)")
        ->check(number(-100, 100))
        ->type_name("N");
    command
        .add_option("--key", options->key, "If this task has a run with that key already, print its id and add none")
        ->type_name("KEY");
    command.add_option("--max-attempts", options->max_attempts, "Instead of the task's own")
        ->check(number(1, 1'000))
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
        ->excludes(wait_flag)
        ->excludes(from);
    wait_flag->excludes(from);
    for (const char* const of_one : {"--in", "--at", "--priority", "--key", "--max-attempts", "--timeout"})
        from->excludes(command.get_option(of_one));
    add_json(command, options->json);
    command.footer(
        "The id goes to stdout, with --wait the result after it; everything else to stderr.\n\n"
        "Examples:\n"
        "  dormouse enqueue thumbnail '{\"file\": \"a.jpg\"}'\n"
        "  dormouse enqueue report @report.json --queue slow --at '2026-03-01 08:00'\n"
        "  generate | dormouse enqueue import - --key 2026-03-01 --wait=10min\n"
        "  dormouse enqueue report --spool      # the database may be down\n\n"
        "A line of --from has task and, if wanted, payload, queue (else --queue), priority, run_at or at or in, key, "
        "max_attempts, timeout\nand traceparent. All lines are one transaction: of one that is wrong, FILE:LINE is "
        "told and nothing enqueued. A line whose key is\ntaken adds no run. The number of lines goes to stdout.\n\n"
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
    command.add_option("--task", options->filter.task, "Of this task")->type_name("TASK");
    command.add_option("--queue", options->filter.queue, "Of this queue")->type_name("QUEUE");
    command.add_option("--key", options->filter.key, "With this key")->type_name("KEY");
    command
        .add_option("--error", options->filter.error,
                    "Whose error has this in its class or message, in upper and lower case as here")
        ->type_name("TEXT");
    command.add_option("--worker", options->filter.worker, "That this worker has, or had last")->type_name("ID");
    command.add_option("--older", options->filter.older, "Created longer ago than that, such as 2h")
        ->type_name("DURATION");
    command.add_option("--since", options->since, "Created in the last DURATION (2h), or since a time")
        ->type_name("SINCE");
    command.add_flag("--archived", options->archived, "Those that were archived as well");
    command.add_option("--limit", options->limit, "At most that many (default 20)")
        ->check(number(1, 1'000'000))
        ->type_name("N");
    add_database(command, options->database);
    add_json(command, options->json, "One JSON document on each line, for programs");
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
    command
        .add_option("RUN", options->run, "Its id, or the first 8 or more characters of it if no other begins like that")
        ->required();
    add_database(command, options->database);
    add_json(command, options->json);
    command.footer("Example:\n  dormouse show 019ad1f2-3c4d");
    choose(command, chosen, options, show);
}

void add_cancel(CLI::App& app, Chosen& chosen) {
    CLI::App& command =
        *app.add_subcommand("cancel", "Cancel runs; the handler of one that runs is ended, on whatever host");
    const auto options = add_operation(
        command, "Instead of ids: all that are in it, or in one of several (a,b): queued, running, retry or blocked");
    add_reason(command, *options);
    command.footer(
        "A run that has finished stays as it is. A handler gets SIGTERM, 10 s later SIGKILL; what it still says is "
        "refused.\n\n"
        "Examples:\n"
        "  dormouse cancel 019ad1f2-3c4d --reason 'wrong file'\n"
        "  dormouse cancel --task thumbnail --older 2h --dry-run");
    choose(command, chosen, options, cancel);
}

void add_retry(CLI::App& app, Chosen& chosen) {
    CLI::App& command =
        *app.add_subcommand("retry", "Start finished runs again; those that wait for their next attempt at once");
    const auto options = add_operation(command,
                                       "Instead of ids: all that are in it, or in one of several (a,b): failed, retry, "
                                       "canceled or completed (without it: "
                                       "failed and retry)");
    command
        .add_option("--per-minute", options->per_minute,
                    "With a filter: so many of them are due each minute, not all at once")
        ->check(number(1, 1'000'000))
        ->type_name("N");
    command.footer(
        "A finished run has all of its attempts again. A running one is refused: cancel it first. The pools of this "
        "machine\nthat serve the queue are woken.\n\n"
        "Examples:\n"
        "  dormouse retry 019ad1f2-3c4d\n"
        "  dormouse retry --status failed --task thumbnail --yes\n"
        "  dormouse retry --error ECONNREFUSED --per-minute 60 --dry-run");
    choose(command, chosen, options, retry);
}

void add_archive(CLI::App& app, Chosen& chosen) {
    CLI::App& command =
        *app.add_subcommand("archive", "Put runs out of sight; one that has not finished is canceled first");
    const auto options = add_operation(
        command, "Instead of ids: all that are in it, or in one of several (a,b) (without it: all that have finished)");
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
    command.add_option("RUN", options->run,
                       "Only what was done to this run by its id (its first 8 or more characters do)");
    command.add_option("--limit", options->limit, "At most that many, the last first (default 20)")
        ->check(number(1, 10'000))
        ->type_name("N");
    add_database(command, options->database);
    add_json(command, options->json);
    command.footer(
        "It is kept for 90 days. Changes by plain UPDATE and DELETE are not in it; what the handlers did is in "
        "`dormouse show`.\n\n"
        "Examples:\n"
        "  dormouse history\n"
        "  dormouse history 019ad1f2-3c4d --json");
    choose(command, chosen, options, history);
}

}  // namespace dormouse::cli
