#include "cli/spool.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <nlohmann/json.hpp>

#include "base/unique_fd.h"
#include "base/uuid.h"
#include "cli/payload.h"
#include "cli/text.h"
#include "cli/when.h"
#include "config/duration.h"
#include "config/local_pools.h"
#include "config/text.h"
#include "spool/entry.h"
#include "spool/file.h"
#include "systemd/local_rings.h"

namespace dormouse::cli {
namespace {

constexpr mode_t file_mode = 0660;  // for the group, to which the worker belongs

Try<config::LocalPool> choose_pool(const EnqueueOptions& options, const config::Environment& environment) {
    if (!options.database.url.empty())
        return give_up(Exit::usage, "--spool and --database-url exclude each other: the pool knows its database");
    if (!options.database.pool.empty()) {
        config::LocalPool pool = config::local_pool(options.database.pool, environment);
        if (!config::may_serve(pool, options.queue))
            return give_up(Exit::config, "pool " + pool.name + " does not serve queue " + config::quote(options.queue) +
                                             " (" + pool.file + "): name one that does with --pool");
        return pool;
    }
    const auto pools = config::local_pools(environment);
    const auto found = std::find_if(pools.begin(), pools.end(), [&](const config::LocalPool& pool) {
        return pool.problem.empty() && config::may_serve(pool, options.queue);
    });
    if (found != pools.end()) return *found;
    return give_up(Exit::config, "no pool in " + config::directory(environment) + " serves queue " +
                                     config::quote(options.queue) +
                                     ", or its file cannot be read: name one with --pool POOL");
}

Try<std::string> due(const EnqueueOptions& options) {
    if (!options.in.empty() && !options.at.empty())
        return give_up(Exit::usage, "--in and --at exclude each other: give the delay, or the time");
    if (!options.at.empty()) {
        const auto time = parse_time(options.at);
        if (!time) return give_up(Exit::usage, "--at: " + time.error().message);
        return iso(*time);
    }
    if (options.in.empty()) return std::string();
    const auto delay = config::parse_duration(options.in);
    if (!delay) return give_up(Exit::usage, "--in: " + delay.error().message);
    const std::chrono::duration<double> now = std::chrono::system_clock::now().time_since_epoch();
    return iso(now.count() + std::chrono::duration<double>(*delay).count());
}

/// The payload stays the text that it was: a number of any size is passed on as it is.
Try<std::string> text_of(const EnqueueOptions& options, std::int64_t payload_limit) {
    const auto run_at = due(options);
    if (!run_at) return run_at;
    nlohmann::ordered_json run{{"task", options.task}, {"queue", options.queue}};
    if (options.priority != 0) run["priority"] = options.priority;
    if (!run_at->empty()) run["run_at"] = *run_at;
    if (!options.key.empty()) run["key"] = options.key;
    if (options.max_attempts) run["max_attempts"] = *options.max_attempts;
    if (!options.timeout.empty()) {
        const auto timeout = config::parse_duration(options.timeout);
        if (!timeout) return give_up(Exit::usage, "--timeout: " + timeout.error().message);
        run["timeout"] = std::to_string(timeout->count()) + " ms";
    }
    const auto payload = read_payload(options.payload, payload_limit);
    if (!payload) return payload;
    try {
        std::string text = run.dump();
        text.pop_back();
        return text + ",\"payload\":" + *payload + "}\n";
    } catch (const nlohmann::json::exception&) {
        return give_up(Exit::usage, "task, queue and key have to be UTF-8");
    }
}

Failure why_not_open(int reason, const std::string& path, const config::LocalPool& pool) {
    if (reason == ENOENT)
        return {
            Exit::config,
            "there is no spool " + path +
                ": the pool's worker makes it when it starts, or logs why it cannot (spool_closed); if none has started: " +
                systemd::start_command(pool.name)};
    return from(from_errno(reason, path));
}

}  // namespace

Outcome enqueue_by_spool(const EnqueueOptions& options, const config::Environment& environment) {
    const auto pool = choose_pool(options, environment);
    if (!pool) return tl::unexpected(pool.error());
    const auto text = text_of(options, pool->payload_bytes);
    if (!text) return tl::unexpected(text.error());
    const std::string path = pool->spool_directory + "/" + pool->name;
    // As the worker: where the spools lie is its handlers' too, and whoever types this may be root.
    const UniqueFd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!directory.valid() && errno != EACCES) return tl::unexpected(why_not_open(errno, path, *pool));
    const std::string id = Uuid::time_ordered().to_string();
    const Status written = directory.valid() ? spool::write_file(directory.get(), id + ".json", *text, file_mode)
                                             : Status(tl::unexpected(from_errno(EACCES, path)));
    if (!written) {
        Failure failure = from(written.error());
        failure.message = "spool " + path + ": " + failure.message;
        if (failure.exit == Exit::denied)
            failure.message += "; who may spool is in the group of that directory (usermod -aG dormouse-spool USER)";
        return tl::unexpected(std::move(failure));
    }
    if (options.json) {
        print(safe_json(nlohmann::ordered_json{
                  {"id", id}, {"task", options.task}, {"queue", options.queue}, {"spooled", pool->name}}
                            .dump()) +
              "\n");
    } else {
        print(id + "\n");
        complain("spooled for pool " + pool->name + ", which imports it");
    }
    return if_told(Exit::ok, "run " + id + " is spooled");
}

std::string by_spool_instead(const EnqueueOptions& options, const config::Environment& environment) {
    const auto pool = choose_pool(options, environment);
    if (!pool || ::access((pool->spool_directory + "/" + pool->name).c_str(), W_OK | X_OK) != 0) return {};
    return "; the same command with --spool leaves the run with pool " + pool->name +
           ", which enqueues it when the database is back";
}

}  // namespace dormouse::cli
