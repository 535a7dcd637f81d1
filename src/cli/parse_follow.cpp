#include <CLI/CLI.hpp>
#include <memory>

#include "cli/logs.h"
#include "cli/parse_parts.h"
#include "cli/watch.h"

namespace dormouse::cli {

void add_watch(CLI::App& app, Chosen& chosen) {
    auto options = std::make_shared<WatchOptions>();
    CLI::App& command =
        *app.add_subcommand("watch", "Follow one run live until it ends: status, progress, log lines, result");
    command.add_option("RUN", options->run, "Its id, or at least its first 8 characters")->required();
    add_database(command, options->database);
    add_json(command, options->json, "One JSON document per line, for programs");
    command.footer(
        "The exit codes are those of `dormouse enqueue --wait`. Nothing is polled: a watched run sends "
        "notifications, at most one\n"
        "a second. During an outage of the database, it keeps retrying.\n\n"
        "Examples:\n"
        "  dormouse watch 019ad1f2-3c4d\n"
        "  dormouse watch 019ad1f2-3c4d --json | jq -r 'select(.event == \"log\").text'");
    choose(command, chosen, options, watch);
}

void add_logs(CLI::App& app, Chosen& chosen) {
    auto options = std::make_shared<LogsOptions>();
    CLI::App& command = *app.add_subcommand("logs", "Print the log of one run");
    command.add_option("RUN", options->run, "Its id, or at least its first 8 characters")->required();
    command.add_option("--attempt", options->attempt, "Only this attempt, as numbered by `dormouse show`")
        ->check(number(1, 1'000'000))
        ->type_name("N");
    command.add_flag("--follow,-f", options->follow, "Continue until the run ends");
    add_database(command, options->database);
    add_json(command, options->json, "One JSON document per line, for programs");
    command.footer(
        "Lines are written together with whatever the worker writes next, within a second; if "
        "`database.close_after` is set, at\n"
        "the end of the attempt at the latest.\n\n"
        "Examples:\n"
        "  dormouse logs 019ad1f2-3c4d --attempt 2\n"
        "  dormouse logs 019ad1f2-3c4d --follow");
    choose(command, chosen, options, logs);
}

}  // namespace dormouse::cli
