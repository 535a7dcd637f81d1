#include <CLI/CLI.hpp>
#include <memory>

#include "cli/logs.h"
#include "cli/parse_parts.h"
#include "cli/watch.h"

namespace dormouse::cli {

void add_watch(CLI::App& app, Chosen& chosen) {
    auto options = std::make_shared<WatchOptions>();
    CLI::App& command =
        *app.add_subcommand("watch", "Follow one run live, until it has ended: status, progress, log lines, result");
    command.add_option("RUN", options->run, "Its id, or the first 8 or more characters of it")->required();
    add_database(command, options->database);
    add_json(command, options->json, "A JSON document on each line, for programs");
    command.footer(
        "Its exit code is that of `dormouse enqueue --wait`. Nothing is polled: a run that is watched tells its news, "
        "once\na second at most. While the database is away it is tried again.\n\n"
        "Examples:\n"
        "  dormouse watch 019ad1f2-3c4d\n"
        "  dormouse watch 019ad1f2-3c4d --json | jq -r 'select(.event == \"log\").text'");
    choose(command, chosen, options, watch);
}

void add_logs(CLI::App& app, Chosen& chosen) {
    auto options = std::make_shared<LogsOptions>();
    CLI::App& command = *app.add_subcommand("logs", "Print what the handlers of one run have said");
    command.add_option("RUN", options->run, "Its id, or the first 8 or more characters of it")->required();
    command.add_option("--attempt", options->attempt, "Of this attempt alone, as `dormouse show` counts them")
        ->check(number(1, 1'000'000))
        ->type_name("N");
    command.add_flag("--follow,-f", options->follow, "Go on until the run has ended");
    add_database(command, options->database);
    add_json(command, options->json, "A JSON document on each line, for programs");
    command.footer(
        "Lines are written with whatever the worker writes next, a second later at most; where `database.close_after` "
        "is set,\nwith the end of the attempt or before.\n\n"
        "Examples:\n"
        "  dormouse logs 019ad1f2-3c4d --attempt 2\n"
        "  dormouse logs 019ad1f2-3c4d --follow");
    choose(command, chosen, options, logs);
}

}  // namespace dormouse::cli
