#include "worker/leases.h"

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace dormouse::worker {

bool Leases::fill(store::Round& round, const Moment& moment) {
    if (asks()) {
        add_held(asking_);
        round.ask_held.insert(round.ask_held.end(), asking_.begin(), asking_.end());
    }
    doubt_ = false;  // what is taken away from here on needs another question
    if (bisection_.active() || extension_wanted(moment.now)) extend(round, moment.now);
    return round.extend || !asking_.empty();
}

void Leases::extend(store::Round& round, Time now) {
    using Ids = std::vector<Uuid>;
    const Ids* const only = bisection_.active() ? &bisection_.next() : nullptr;
    flights_.add_held(extending_);
    outbox_.add_held(extending_);
    std::erase_if(extending_, [&](const store::Held& run) {
        return refused_.contains(run.fence) ||
               (only != nullptr && std::find(only->begin(), only->end(), run.id) == only->end());
    });
    round.extend = extending_;
    flights_.extension_sent(now);
    extended_at_ = now;
}

bool Leases::extension_wanted(Time now) const {
    return flights_.extension_wanted(now) || (!outbox_.empty() && now - extended_at_ >= lease_ / 3);
}

void Leases::answered(store::Answer& answer, Time sent_at) {
    if (bisection_.active()) bisection_.passed();
    if (!extending_.empty()) {
        flights_.extended(extending_, answer.extended, sent_at);
        if (answer.extended.size() < extending_.size()) doubt();
    }
    if (!asking_.empty()) {
        shelf_.keep_only(asking_, answer.still_held);
        flights_.keep_only(asking_, answer.still_held);
    }
    extending_.clear();
    asking_.clear();
}

void Leases::undone() {
    if (!asking_.empty()) doubt();
    extending_.clear();
    asking_.clear();
}

Next Leases::refused(const store::Refused& refused) {
    if (refused.part == store::Part::held) {
        undone();
        return Next::later;
    }
    const std::vector<store::Held> sent = extending_;
    undone();
    if (!bisection_.active()) {
        std::vector<Uuid> ids;
        for (const store::Held& run : sent) ids.push_back(run.id);
        bisection_.suspect(std::move(ids));
        return Next::again;
    }
    const auto found = bisection_.refused();
    if (found == Bisection<Uuid>::Found::everyone) return Next::everyone;
    if (found != Bisection<Uuid>::Found::one || sent.empty()) return Next::again;
    const bool passes =
        refused.kind == ErrorKind::conflict;  // a lock of somebody's: asked for again while time is left
    const bool first = (passes ? locked_ : refused_).insert(sent.front().fence).second;
    if (first)
        log::event(
            log::Level::warning, "extension_refused",
            passes ? "the lease of a run cannot be extended now, it is tried again: " + refused.message
                   : "the lease of a run cannot be extended, its handler is stopped before it ends: " + refused.message,
            {{"run_id", sent.front().id.to_string()}});
    return Next::again;
}

std::optional<Millis> Leases::wait(const Moment& moment) const {
    if ((asks() && moment.open) || bisection_.active() || extension_wanted(moment.now)) return Millis{0};
    return std::nullopt;
}

}  // namespace dormouse::worker
