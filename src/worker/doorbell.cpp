#include "worker/doorbell.h"

#include "systemd/listen.h"

namespace dormouse::worker {
namespace {

/// For each turn of the loop; with level-triggered polling the rest comes back at once, after everybody else had a
/// turn.
constexpr int most_rings_at_once = 512;

}  // namespace

Doorbell::Doorbell(loop::Loop& loop, std::vector<UniqueFd> listeners) : loop_(loop), listeners_(std::move(listeners)) {}

void Doorbell::answer(std::function<void()> on_ring) {
    on_ring_ = std::move(on_ring);
    polls_.clear();
    for (const UniqueFd& listener : listeners_) {
        auto& poll = polls_.emplace_back(std::make_unique<loop::Poll>(loop_, listener.get()));
        poll->watch(loop::Poll::readable, [this, fd = listener.get()](int) {
            if (systemd::empty_doorbell(fd, most_rings_at_once) > 0) on_ring_();
        });
    }
}

bool Doorbell::empty_now() {
    int rings = 0;
    for (const UniqueFd& listener : listeners_) rings += systemd::empty_doorbell(listener.get(), most_rings_at_once);
    return rings > 0;
}

void Doorbell::stop() {
    polls_.clear();
}

}  // namespace dormouse::worker
