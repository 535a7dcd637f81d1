// Ringing the pools of this machine that may serve a queue, once a commit has put a run there. Used by the worker for
// its neighbours and by the commands; the relay, which rings one pool for ever, and wake take their remedy from here.
// Never blocks and tells nobody.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "config/local_pools.h"

namespace dormouse::systemd {

/// What came of ringing one pool.
struct PoolRing {
    std::string pool;
    Status done;
};

/// Rings those of `pools` that serve one of `queues`, or whose file cannot be read, so that they may; each once. An
/// empty queue is one that is not known: all pools.
std::vector<PoolRing> ring_pools(const std::vector<config::LocalPool>& pools, const std::set<std::string>& queues);

/// For a ring that failed: which pool, why, and what to do if it was to be rung.
std::string not_rung(const PoolRing& ring);

/// Of a doorbell where nobody listens, and systemd does not run.
inline constexpr const char* fine_in_foreground = "fine for a worker in the foreground, which looks by itself";

/// What an administrator does about a doorbell where nobody answers. A restart also puts up a socket whose file was
/// removed. Where systemd does not run, a worker may be in the foreground already.
std::string doorbell_remedy(const std::string& pool);

/// What has a worker of the pool.
std::string start_command(const std::string& pool);

}  // namespace dormouse::systemd
