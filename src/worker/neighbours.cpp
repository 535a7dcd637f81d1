#include "worker/neighbours.h"

#include "base/log.h"

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
    for (const auto& ring : systemd::ring_pools(pools_, {queues.begin(), queues.end()})) note(ring, true);
}

void Neighbours::ring_all() {
    look_around();
    for (const auto& ring : systemd::ring_pools(pools_, {""})) note(ring, false);
}

void Neighbours::note(const systemd::PoolRing& ring, bool wanted) {
    if (!ring.done) {
        if (wanted && unreachable_.insert(ring.pool).second)
            log::event(log::Level::warning, "ring_failed", systemd::not_rung(ring));
        return;
    }
    unreachable_.erase(ring.pool);
    log::event(log::Level::debug, "ring", "rang pool " + ring.pool);
}

}  // namespace dormouse::worker
