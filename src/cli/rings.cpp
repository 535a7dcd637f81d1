#include "cli/rings.h"

#include <algorithm>

#include "cli/text.h"
#include "config/local_pools.h"
#include "config/text.h"
#include "systemd/ring.h"

namespace dormouse::cli {

Rings ring_pools(const std::string& queue, const config::Environment& environment) {
    return ring_pools(std::set<std::string>{queue}, environment);
}

Rings ring_pools(const std::set<std::string>& queues, const config::Environment& environment) {
    Rings rings;
    for (const config::LocalPool& pool : config::local_pools(environment)) {
        const bool meant = std::any_of(queues.begin(), queues.end(), [&](const std::string& queue) {
            return queue.empty() || config::may_serve(pool, queue);
        });
        if (!meant) continue;
        if (const Status done = systemd::ring(config::doorbell_of(pool))) {
            rings.rung.push_back(pool.name);
        } else {
            rings.missed.emplace_back(pool.name, done.error().message);
        }
    }
    return rings;
}

void tell_rings(const Rings& rings, const std::string& queue) {
    std::string names;
    for (const std::string& name : rings.rung) names += (names.empty() ? "" : ", ") + name;
    if (!names.empty()) complain("rang pool " + names);
    for (const auto& [pool, why] : rings.missed)
        complain("could not ring pool " + pool + " (" + why +
                 "); if it is to be rung: systemctl enable --now dormouse@" + pool + ".target");
    if (!queue.empty() && rings.rung.empty() && rings.missed.empty())
        complain("hint: no pool on this machine serves queue " + config::quote(queue) +
                 "; the run waits for one that does, here or elsewhere (`dormouse status`)");
}

}  // namespace dormouse::cli
