// The pools that this machine has: one for each file in the configuration directory. Used by enqueue, wake
// and status. A pool with a broken file is a pool all the same: it can be rung.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "config/load.h"

namespace dormouse::config {

struct LocalPool {
    std::string name;
    std::string file;
    std::vector<std::string> queues;  ///< empty when the file is broken
    std::string runtime_directory;
    std::string spool_directory;
    std::int64_t payload_bytes = 0;    ///< limits.payload_bytes
    std::string problem;               ///< why the file cannot be used; empty: it can
    std::vector<std::string> tasks{};  ///< that the file has
    Metrics metrics{};
};

/// Where sockets lie when no file says otherwise.
std::string default_runtime_directory(const Environment& environment);

LocalPool local_pool(const std::string& name, const Environment& environment);

/// All of them, by name.
std::vector<LocalPool> local_pools(const Environment& environment);

/// RUNTIME/POOL.sock.
std::string doorbell_of(const LocalPool& pool);

/// True if its configuration names the queue, or cannot be read, so that it may.
bool may_serve(const LocalPool& pool, const std::string& queue);

}  // namespace dormouse::config
