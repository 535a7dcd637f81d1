#include "worker/neighbours.h"

#include <algorithm>

#include "base/log.h"
#include "systemd/ring.h"

namespace dormouse::worker {

Neighbours::Neighbours(std::string own, const config::Environment& environment) : own_(std::move(own)) {
    for (const auto& [name, value] : environment)
        if (name == "DORMOUSE_CONFIG_DIR" || name.starts_with("DORMOUSE_PATHS_")) environment_.emplace(name, value);
}

void Neighbours::look_around() {
    if (looked_at_ && since(*looked_at_) < known_for) return;
    looked_at_ = BootClock::now();
    pools_ = config::local_pools(environment_);
    std::erase_if(pools_, [this](const config::LocalPool& pool) { return pool.name == own_; });
}

void Neighbours::ring(const std::vector<std::string>& queues) {
    look_around();
    for (const config::LocalPool& pool : pools_) {
        if (std::any_of(queues.begin(), queues.end(),
                        [&](const std::string& queue) { return config::may_serve(pool, queue); }))
            ring(pool, true);
    }
}

void Neighbours::ring_all() {
    look_around();
    for (const config::LocalPool& pool : pools_) ring(pool, false);
}

void Neighbours::ring(const config::LocalPool& pool, bool wanted) {
    if (const Status done = systemd::ring(config::doorbell_of(pool)); !done) {
        if (wanted && unreachable_.insert(pool.name).second)
            log::event(log::Level::warning, "ring_failed",
                       "could not ring pool " + pool.name + " (" + done.error().message +
                           "); if it is to be rung: systemctl enable --now dormouse@" + pool.name + ".target");
        return;
    }
    unreachable_.erase(pool.name);
    log::event(log::Level::debug, "ring", "rang pool " + pool.name);
}

}  // namespace dormouse::worker
