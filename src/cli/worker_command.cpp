#include "cli/worker_command.h"

#include <utility>

#include "cli/exit_code.h"
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
    switch (end.errand) {
        case worker::ErrandEnd::run_failed:
            return Exit::run_failed;
        case worker::ErrandEnd::run_canceled:
            return Exit::run_canceled;
        case worker::ErrandEnd::run_not_found:
            return Exit::not_found;
        case worker::ErrandEnd::timed_out:
            return Exit::timeout;
        case worker::ErrandEnd::none:
        case worker::ErrandEnd::done:
            break;
    }
    return end.graceful ? Exit::ok : Exit::internal;
}

}  // namespace

int run_worker(const WorkerOptions& options) {
    config::Sources sources;
    sources.pool = options.pool;
    sources.file = options.file;
    sources.sets = options.sets;
    // the same road as --set, so that a password in it is refused there
    if (!options.database_url.empty()) sources.sets.push_back("database.url=" + options.database_url);
    sources.environment = config::of_process();
    if (!options.check) {
        const auto errand = errand_of(options, sources.environment);
        if (!errand) {
            complain(errand.error().message);
            return static_cast<int>(errand.error().exit);
        }
        return static_cast<int>(exit_of(worker::run_pool(std::move(sources), options.verbose, *errand)));
    }
    const Status checked = worker::check_pool(sources);
    if (checked) return static_cast<int>(flush_stdout() ? Exit::ok : Exit::internal);
    complain(checked.error().message);
    // what is invalid here is what the pool's file says
    const Exit exit = from(checked.error()).exit;
    return static_cast<int>(exit == Exit::usage ? Exit::config : exit);
}

}  // namespace dormouse::cli
