#include "cli/worker_command.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <utility>

#include "cli/account.h"
#include "cli/parse_parts.h"
#include "cli/sandbox.h"
#include "cli/text.h"
#include "config/duration.h"
#include "config/load.h"
#include "config/text.h"
#include "worker/main.h"

namespace dormouse::cli {

namespace {

Try<worker::Errand> errand_of(const WorkerOptions& options, const config::Environment& environment) {
    worker::Errand errand;
    const auto filter = environment.find("RUN_FILTER_ID");
    const bool by_variable = options.run.empty() && filter != environment.end() && !filter->second.empty();
    const std::string run = by_variable ? filter->second : options.run;
    if (!run.empty()) {
        errand.run = Uuid::parse(run);
        if (!errand.run)
            return give_up(Exit::usage, std::string(by_variable ? "RUN_FILTER_ID" : "--run") + ": " +
                                            config::quote(run) +
                                            " is no run's id; it has 36 characters (`dormouse runs`)");
    }
    if (!options.timeout.empty()) {
        const auto timeout = config::parse_duration(options.timeout);
        if (!timeout) return give_up(Exit::usage, "--timeout: " + timeout.error().message);
        errand.timeout = *timeout;
    }
    errand.drain = options.drain;
    errand.max_runs = options.max_runs;
    return errand;
}

Exit exit_of(const worker::PoolEnd& end) {
    if (!end.had_room) return Exit::limit;
    switch (end.errand) {
        case worker::ErrandEnd::run_failed:
            return Exit::run_failed;
        case worker::ErrandEnd::run_canceled:
            return Exit::run_canceled;
        case worker::ErrandEnd::run_not_found:
            return Exit::not_found;
        case worker::ErrandEnd::timed_out:
            return Exit::timeout;
        case worker::ErrandEnd::no_configuration:
        case worker::ErrandEnd::unknown_task:
            return Exit::config;
        case worker::ErrandEnd::stopped:
            return end.graceful ? Exit::stopped : Exit::internal;
        case worker::ErrandEnd::none:
        case worker::ErrandEnd::done:
            break;
    }
    return end.graceful ? Exit::ok : Exit::internal;
}

void show(const worker::PoolCheck& check) {
    constexpr std::size_t column = 15;
    for (const std::string& warning : check.warnings) complain(warning);
    for (const auto& step : check.steps)
        if (step.ok)
            print(escaped(step.name) + std::string(column - std::min(column - 1, width(step.name)), ' ') +
                  "ok: " + escaped(step.text) + "\n");
}

std::string document_of(const worker::PoolCheck& check, const std::string& pool) {
    nlohmann::ordered_json document{{"pool", pool},
                                    {"ok", check.outcome.has_value()},
                                    {"checks", nlohmann::ordered_json::array()},
                                    {"warnings", check.warnings}};
    for (const auto& step : check.steps)
        document["checks"].push_back({{"check", step.name}, {"ok", step.ok}, {"text", step.text}});
    return safe_json(document.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

config::Sources sources_of(const WorkerOptions& options) {
    config::Sources sources;
    sources.pool = options.pool;
    sources.file = options.file;
    sources.sets = options.sets;
    // the same road as --set, so that a password in it is refused there
    if (!options.database_url.empty()) sources.sets.push_back("database.url=" + options.database_url);
    sources.environment = config::of_process();
    return sources;
}

/// No file and no database of the command line's own, which are somebody's and not the account's.
bool is_the_pools(const WorkerOptions& options) {
    return !options.file && options.database_url.empty() &&
           config::directory(config::of_process()) == config::directory({});
}

}  // namespace

int run_worker(const WorkerOptions& options) {
    config::Sources sources = sources_of(options);
    const auto errand = errand_of(options, sources.environment);
    if (!errand) {
        complain(errand.error().message);
        return static_cast<int>(errand.error().exit);
    }
    // A unit says it in its status, and waits to be restarted; a foreground worker is told by its exit code.
    if (const auto given = config::check_given(sources); !given && ::getenv("NOTIFY_SOCKET") == nullptr) {
        complain(given.error().message);
        return static_cast<int>(Exit::config);
    }
    const worker::PoolEnd end = worker::run_pool(std::move(sources), options.verbose, *errand);
    const int code = static_cast<int>(exit_of(end));
    if (!end.thread_left_behind) return code;
    std::fflush(nullptr);
    ::_exit(code);
}

Outcome check_worker(const WorkerOptions& options) {
    config::Sources sources = sources_of(options);
    worker::PoolCheck check = worker::check_pool(sources);
    sources.database_required = false;
    if (const auto loaded = config::load(sources))
        for (const Finding& one : look_at_sandbox(loaded->config))
            if (one.grade != Grade::ok) check.warnings.push_back(one.text + "; " + one.remedy);
    if (options.json) {
        print(document_of(check, options.pool) + "\n");
    } else {
        show(check);
    }
    if (check.outcome) return Exit::ok;
    Failure failure = from(check.outcome.error());
    if (failure.exit == Exit::usage) failure.exit = Exit::config;  // it is the pool's file that is invalid
    if (failure.exit == Exit::denied && is_the_pools(options) && ::geteuid() != 0)
        failure.message += ": " + command_as_root();
    return tl::unexpected(std::move(failure));
}

int check_as_pool(const WorkerOptions& options) {
    if (!acts_for_account() || !is_the_pools(options)) return finish(check_worker(options));
    const auto code = in_account(account_of_pool(options.pool), [&] { return finish(check_worker(options)); });
    return code ? *code : finish(tl::unexpected(code.error()));
}

}  // namespace dormouse::cli
