#include "cli/rings.h"

#include <algorithm>

#include "cli/listeners.h"
#include "cli/text.h"
#include "config/text.h"
#include "systemd/local_rings.h"

namespace dormouse::cli {

Rings ring_pools(const std::string& queue, const config::Environment& environment) {
    return ring_pools(std::set<std::string>{queue}, environment);
}

Rings ring_pools(const std::set<std::string>& queues, const config::Environment& environment) {
    Rings rings;
    for (const systemd::PoolRing& ring : systemd::ring_pools(config::local_pools(environment), queues)) {
        if (ring.done) {
            rings.rung.push_back(ring.pool);
        } else {
            rings.missed.push_back(ring);
        }
    }
    return rings;
}

void tell_rings(const Rings& rings, const std::string& queue, postgres::BlockingConnection& connection) {
    std::string names;
    for (const std::string& name : rings.rung) names += (names.empty() ? "" : ", ") + name;
    if (!names.empty()) complain("rang pool " + names);
    const bool served = queue.empty() || !rings.rung.empty() || !rings.missed.empty();
    if (rings.missed.empty() && served) return;
    const auto awake = listeners(connection, queue).value_or(std::vector<WorkerRow>{});
    if (!queue.empty() && !awake.empty()) return;
    for (const systemd::PoolRing& ring : rings.missed)
        if (std::none_of(awake.begin(), awake.end(), [&](const WorkerRow& one) { return one.pool == ring.pool; }))
            complain(systemd::not_rung(ring));
    if (!served)
        complain("hint: no pool on this machine serves queue " + config::quote(queue) +
                 "; the run waits for one that does, here or elsewhere (`dormouse status`)");
}

}  // namespace dormouse::cli
