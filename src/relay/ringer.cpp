#include "relay/ringer.h"

#include "base/backoff.h"
#include "systemd/ring.h"

namespace dormouse::relay {
namespace {

constexpr Millis gap{100};
constexpr Millis longest_retry{10'000};

}  // namespace

Ringer::Ringer(loop::Loop& loop, OnTried on_tried) : on_tried_(std::move(on_tried)), gap_(loop, "relay.ring") {}

void Ringer::ring() {
    owed_ = true;
    if (!gap_.armed()) try_it();
}

void Ringer::try_it() {
    if (!owed_) return;
    const Status rung = systemd::ring(path_);
    owed_ = !rung;
    failures_ = rung ? 0 : failures_ + 1;
    if (rung) ++rings_;
    gap_.once(rung ? gap : half_jitter(2 * gap, longest_retry, failures_ - 1), [this] { try_it(); });
    on_tried_(rung);
}

}  // namespace dormouse::relay
