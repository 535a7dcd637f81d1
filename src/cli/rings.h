// Ringing the pools of this machine that serve a queue, after a commit that put a run there. Used by enqueue, retry and
// reap.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "config/load.h"
#include "postgres/blocking.h"
#include "systemd/local_rings.h"

namespace dormouse::cli {

struct Rings {
    std::vector<std::string> rung;
    std::vector<systemd::PoolRing> missed;
};

/// Whoever sleeps is woken; whoever is awake has heard of the run by NOTIFY. An empty queue is one that is not known:
/// all pools.
Rings ring_pools(const std::string& queue, const config::Environment& environment);
/// The same for several queues: each pool that serves one of them, once.
Rings ring_pools(const std::set<std::string>& queues, const config::Environment& environment);

/// To stderr: who was rung, who could not be, or that nobody here serves the queue. Where a worker that is awake hears
/// of the run by itself, no ring is missed.
void tell_rings(const Rings& rings, const std::string& queue, postgres::BlockingConnection& connection);

}  // namespace dormouse::cli
