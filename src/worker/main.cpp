#include "worker/main.h"

#include <cstdio>

#include "base/log.h"
#include "loop/loop.h"
#include "worker/identity.h"
#include "worker/pool.h"

namespace dormouse::worker {

PoolEnd run_pool(config::Sources sources, bool verbose, const Errand& errand) {
    log::start(verbose ? log::Level::debug : log::Level::info);
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

Status check_pool(const config::Sources& sources) {
    auto loaded = config::load(sources);
    if (!loaded) return tl::unexpected(loaded.error());
    const config::Config& config = loaded->config;
    for (const std::string& warning : loaded->warnings) std::fprintf(stderr, "dormouse: %s\n", warning.c_str());
    std::printf("configuration  ok: %s\n", config.file.empty() ? "no file" : config.file.c_str());

    loop::Loop loop;
    Status outcome;
    {
        store::Database::Events events;
        events.on_open = [&] { loop.stop(); };
        events.on_refused = [&](const Error& error) {
            outcome = tl::unexpected(error);
            loop.stop();
        };
        events.on_lost = events.on_refused;
        events.on_queue = events.on_taken_away = [] {};
        store::Database database(loop, {config.database.url, config.database.passfile, config.database.connect_timeout},
                                 make_identity(config.pool, config.worker.queues), {}, std::move(events));
        database.open();
        loop.run();
        if (outcome) std::printf("database       ok: %s, schema and LISTEN\n", database.where().c_str());
    }
    if (!outcome) return outcome;

    const handlers::Handlers handlers(loop, config.tasks, config.limits);
    const std::string problem = handlers.check();
    if (!problem.empty()) return fail(ErrorKind::invalid, problem);
    const std::size_t tasks = config.tasks.size();
    std::printf("handlers       ok: %zu %s; here, %s\n", tasks, tasks == 1 ? "task" : "tasks",
                handlers.isolation().c_str());
    if (!handlers.limits_without_effect().empty())
        std::fprintf(stderr, "dormouse: %s\n", handlers.limits_without_effect().c_str());
    return {};
}

}  // namespace dormouse::worker
