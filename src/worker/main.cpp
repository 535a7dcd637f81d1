#include "worker/main.h"

#include <csignal>

#include "base/log.h"
#include "base/open_files.h"
#include "loop/loop.h"
#include "store/wire.h"
#include "worker/identity.h"
#include "worker/pool.h"

namespace dormouse::worker {

PoolEnd run_pool(config::Sources sources, bool verbose, const Errand& errand) {
    ::signal(SIGPIPE, SIG_IGN);  // whoever reads our log may go before us
    log::start(verbose ? log::Level::debug : log::Level::info);
    raise_open_files();
    loop::Loop loop;
    PoolEnd end;
    {
        Pool pool(loop, std::move(sources), errand);
        pool.start();
        loop.run();
        end = PoolEnd{pool.exit_code() == 0, pool.errand_end()};
    }
    return end;
}

namespace {

/// Where the database is that this pool could work with.
Result<std::string> try_database(loop::Loop& loop, const config::Config& config) {
    Status outcome;
    store::Wire database(
        loop,
        {.place = {config.database.url, config.database.passfile, config.database.connect_timeout},
         .identity = make_identity(config.pool, config.worker.queues),
         .opens_again = false},
        {.on_open = [&] { loop.stop(); },
         .on_lost =
             [&](const Error& error) {
                 outcome = tl::unexpected(error);
                 loop.stop();
             }});
    database.open();
    loop.run();
    if (!outcome) return tl::unexpected(outcome.error());
    return database.where();
}

}  // namespace

PoolCheck check_pool(const config::Sources& sources) {
    PoolCheck check;
    const auto passed = [&](const char* step, std::string text) {
        check.steps.push_back({step, true, std::move(text)});
    };
    const auto failed = [&](const char* step, const Error& error) {
        check.steps.push_back({step, false, error.message});
        check.outcome = tl::unexpected(error);
        return check;
    };
    auto loaded = config::load(sources);
    if (!loaded) return failed("configuration", loaded.error());
    const config::Config& config = loaded->config;
    check.warnings = loaded->warnings;
    passed("configuration", config.file.empty() ? "no file" : config.file);

    loop::Loop loop;
    const auto place = try_database(loop, config);
    if (!place) return failed("database", place.error());
    passed("database", *place + ", schema and LISTEN");

    const handlers::Handlers handlers(loop, config.tasks, config.limits);
    if (const std::string problem = handlers.check(); !problem.empty())
        return failed("handlers", Error{ErrorKind::invalid, problem});
    const std::size_t tasks = config.tasks.size();
    passed("handlers",
           std::to_string(tasks) + (tasks == 1 ? " task; here, " : " tasks; here, ") + handlers.isolation());
    if (!handlers.limits_without_effect().empty()) check.warnings.push_back(handlers.limits_without_effect());
    return check;
}

}  // namespace dormouse::worker
