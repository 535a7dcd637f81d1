#include "systemd/local_rings.h"

#include <systemd/sd-daemon.h>

#include <algorithm>

#include "systemd/ring.h"

namespace dormouse::systemd {

std::vector<PoolRing> ring_pools(const std::vector<config::LocalPool>& pools, const std::set<std::string>& queues) {
    std::vector<PoolRing> rings;
    for (const config::LocalPool& pool : pools) {
        const bool meant = std::any_of(queues.begin(), queues.end(), [&](const std::string& queue) {
            return queue.empty() || config::may_serve(pool, queue);
        });
        if (meant) rings.push_back({pool.name, ring(config::doorbell_of(pool))});
    }
    return rings;
}

std::string not_rung(const PoolRing& ring) {
    return "could not ring pool " + ring.pool + " (" + ring.done.error().message +
           (sd_booted() > 0 ? "); if it is to be rung: " : "); ") + doorbell_remedy(ring.pool);
}

std::string doorbell_remedy(const std::string& pool) {
    return sd_booted() > 0 ? start_command(pool)
                           : std::string(fine_in_foreground) + "; if none runs: " + start_command(pool);
}

std::string start_command(const std::string& pool) {
    if (sd_booted() <= 0) return "dormouse worker " + pool;
    const std::string target = "dormouse@" + pool + ".target";
    return "systemctl enable --now " + target + ", or where that is active already: systemctl restart " + target;
}

}  // namespace dormouse::systemd
