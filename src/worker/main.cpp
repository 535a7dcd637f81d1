#include "worker/main.h"

#include <sys/prctl.h>

#include <csignal>

#include "base/limits.h"
#include "base/log.h"
#include "base/open_files.h"
#include "base/text.h"
#include "handlers/registry.h"
#include "loop/background.h"
#include "loop/loop.h"
#include "store/server_proof.h"
#include "store/wire.h"
#include "worker/identity.h"
#include "worker/pool.h"

namespace dormouse::worker {
namespace {

/// For its loop, its session, its spool and one handler, with some to spare.
constexpr int least_files = 32;

}  // namespace

PoolEnd run_pool(config::Sources sources, bool verbose, const Errand& errand) {
    ::signal(SIGPIPE, SIG_IGN);  // whoever reads our log may go before us
    ::signal(SIGXFSZ, SIG_IGN);  // a file that has become too long (LimitFSIZE=) is an error, not our end
    // Handlers have our account: none may read our environment and memory, in which the password is, or stop us by
    // ptrace(2). There are no core dumps of us, then, and gdb needs root.
    ::prctl(PR_SET_DUMPABLE, 0);
    sources.tasks_required = true;
    log::start(verbose ? log::Level::debug : log::Level::info);
    raise_open_files();
    if (const Status room = room_for_files(least_files, "a worker"); !room) {
        log::event(log::Level::error, "worker_pool_stopped", room.error().message,
                   {{"graceful", "false"}, {"pool", sources.pool}});
        return {.graceful = false, .had_room = false};
    }
    loop::Loop loop;
    PoolEnd end;
    {
        Pool pool(loop, std::move(sources), errand);
        pool.start();
        loop.run();
        end = PoolEnd{pool.exit_code() == 0, pool.errand_end()};
    }
    end.thread_left_behind = loop::AtWork::threads() > 0;
    return end;
}

namespace {

/// Where the database is that this pool could work with.
Result<std::string> try_database(loop::Loop& loop, const config::Config& config, std::vector<std::string>& warnings) {
    Status outcome;
    const store::Identity identity = make_identity(config.pool, config.worker.queues);
    const store::Place place{config.database.url, config.database.passfile, config.database.connect_timeout};
    store::Wire database(loop, {.place = place, .identity = identity, .opens_again = false},
                         {.on_open = [&] { loop.stop(); },
                          .on_lost =
                              [&](const Error& error) {
                                  outcome = tl::unexpected(error);
                                  loop.stop();
                              }});
    database.open();
    loop.run();
    if (!outcome) return tl::unexpected(outcome.error());
    if (std::string warning = database.untested_server(); !warning.empty()) warnings.push_back(std::move(warning));
    return database.where();
}

/// Whether the login may do there what a worker does.
Status try_login(const config::Loaded& loaded) {
    const config::Database& database = loaded.config.database;
    const auto login = store::look_at_login({database.url, database.passfile, database.connect_timeout});
    if (!login) return tl::unexpected(login.error());
    if (login->works) return {};
    const auto origin = loaded.origins.find("database.url");
    return fail(ErrorKind::denied, "login " + login->name + " (" +
                                       (origin == loaded.origins.end() ? "?" : origin->second) +
                                       ") may not do what a worker does: GRANT dormouse_worker TO " + login->name +
                                       ", or name another login in database.url");
}

std::map<std::string, handlers::Rehearsed> try_handlers(loop::Loop& loop, handlers::Handlers& handlers,
                                                        const config::Config& config) {
    constexpr Millis within{10'000};
    std::map<std::string, handlers::Rehearsed> seen;
    handlers.rehearse(config.tasks, config.limits, within, [&](const auto& tasks) {
        seen = tasks;
        loop.stop();
    });
    loop.run();
    return seen;
}

}  // namespace

PoolCheck check_pool(config::Sources sources) {
    sources.tasks_required = true;
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
    if (std::string warning = store::unproven_server(config.database.url); !warning.empty())
        check.warnings.push_back(std::move(warning));
    passed("configuration", config.file.empty() ? "no file" : config.file);

    loop::Loop loop;
    const auto place = try_database(loop, config, check.warnings);
    if (!place) return failed("database", place.error());
    if (const Status works = try_login(*loaded); !works) return failed("database", works.error());
    passed("database", *place + ", schema and LISTEN");

    handlers::Handlers handlers(loop, config.tasks, config.limits);
    std::string problems;
    std::size_t broken = 0;
    for (const auto& [task, seen] : try_handlers(loop, handlers, config)) {
        const bool can_start = seen.problem.empty();
        check.steps.push_back({"task " + task, can_start, can_start ? seen.text : seen.problem});
        if (seen.unfinished) check.warnings.push_back("task " + task + ": " + seen.text);
        if (can_start) continue;
        problems += (broken++ == 0 ? "" : "; ") + brief(seen.problem);
    }
    const std::size_t tasks = config.tasks.size();
    if (broken > 0) {
        const std::string share =
            std::to_string(broken) + " of " + std::to_string(tasks) + " tasks cannot be started: ";
        return failed("handlers", Error{ErrorKind::invalid, (broken > 1 ? share : "") + problems});
    }
    passed("handlers",
           std::to_string(tasks) + (tasks == 1 ? " task; here, " : " tasks; here, ") + handlers.isolation());
    if (!handlers.limits_without_effect().empty()) check.warnings.push_back(handlers.limits_without_effect());
    return check;
}

}  // namespace dormouse::worker
