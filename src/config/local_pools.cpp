#include "config/local_pools.h"

#include <algorithm>

#include "config/options.h"

namespace dormouse::config {

std::string default_runtime_directory(const Environment& environment) {
    const Option* const option = find_option("paths.runtime_directory");
    const auto found = option == nullptr ? environment.end() : environment.find(environment_name(*option));
    return found == environment.end() || found->second.empty() ? Paths{}.runtime_directory : found->second;
}

LocalPool local_pool(const std::string& name, const Environment& environment) {
    Sources sources;
    sources.pool = name;
    sources.environment = environment;
    sources.database_required = false;
    const Config none = defaults();
    LocalPool pool;
    pool.name = name;
    pool.file = file_of(sources);
    pool.runtime_directory = default_runtime_directory(environment);
    pool.spool_directory = none.paths.spool_directory;
    pool.payload_bytes = none.limits.payload_bytes;
    if (auto loaded = load(sources)) {
        pool.queues = std::move(loaded->config.worker.queues);
        for (const auto& [task, settings] : loaded->config.tasks) pool.tasks.push_back(task);
        pool.runtime_directory = std::move(loaded->config.paths.runtime_directory);
        pool.spool_directory = std::move(loaded->config.paths.spool_directory);
        pool.payload_bytes = loaded->config.limits.payload_bytes;
        pool.metrics = std::move(loaded->config.metrics);
    } else {
        pool.problem = loaded.error().message;
    }
    return pool;
}

std::vector<LocalPool> local_pools(const Environment& environment) {
    std::vector<LocalPool> all;
    for (const std::string& name : pools(environment)) all.push_back(local_pool(name, environment));
    return all;
}

std::string doorbell_of(const LocalPool& pool) {
    return pool.runtime_directory + "/" + pool.name + ".sock";
}

bool may_serve(const LocalPool& pool, const std::string& queue) {
    return !pool.problem.empty() || std::find(pool.queues.begin(), pool.queues.end(), queue) != pool.queues.end();
}

}  // namespace dormouse::config
