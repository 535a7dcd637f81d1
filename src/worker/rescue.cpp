#include "worker/rescue.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "handlers/survivors.h"

namespace dormouse::worker {
namespace {

/// The loop waits for it: what has been killed and is still there then is told and passed over.
constexpr Millis survivors_patience{300};
constexpr Millis pause_of_a_refused_run{300'000};
constexpr Millis pause_of_a_locked_run{30'000};

}  // namespace

store::Parts Rescue::parts() const {
    using store::Part;
    return store::parts({Part::rescue_own, Part::rescue, Part::list_lost, Part::rescue_ids});
}

Rescue::Sent Rescue::next(const Moment& moment) const {
    if (has_dead()) return Sent::dead;
    if (moment.leaving || moment.first_look || !for_everybody_) return Sent::nothing;
    if (search_.active()) return Sent::ids;
    if (listing_) return Sent::list;
    return wanted_ ? Sent::lost : Sent::nothing;
}

bool Rescue::fill(store::Round& round, const Moment& moment) {
    sent_ = next(moment);
    store::ExpiredLeases rescue;
    rescue.except = left_alone(moment.now);
    switch (sent_) {
        case Sent::nothing:
            return false;
        case Sent::dead:
            round.dead = asked_ = predecessors_->dead();
            end_leftovers();
            break;
        case Sent::lost:
            wanted_ = false;  // what is heard of from here on asks anew
            round.rescue = std::move(rescue);
            break;
        case Sent::list:
            round.list_lost = std::move(rescue);
            break;
        case Sent::ids:
            round.rescue_ids = search_.next();
            break;
    }
    return true;
}

void Rescue::end_leftovers() {
    std::vector<std::string> names;
    for (const Uuid& worker : asked_)
        if (std::find(swept_.begin(), swept_.end(), worker) == swept_.end()) names.push_back(worker.to_string());
    swept_ = asked_;
    const handlers::Survivors found = handlers::end_survivors(names, survivors_patience);
    if (found.ended > 0)
        log::event(
            log::Level::warning, "leftovers",
            std::to_string(found.ended) + " processes that handlers of dead workers had left behind were killed");
    if (found.left > 0)
        log::event(
            log::Level::error, "leftovers",
            std::to_string(found.left) +
                " processes that handlers of dead workers have left behind cannot be killed, and run next to the "
                "next attempt; see `ps`: DORMOUSE_FENCE in their environment ends with the worker's id");
}

void Rescue::answered(store::Answer& answer, Time) {
    const Sent sent = std::exchange(sent_, Sent::nothing);
    if (sent == Sent::dead) {
        predecessors_->settled(asked_);
        events_.on_dead_settled();
    }
    if (sent == Sent::list) {
        listing_ = false;
        if (!answer.lost.empty()) search_.suspect(std::move(answer.lost));
    }
    if (sent == Sent::ids) search_.passed();
    if (answer.rescued == 0) return;
    log::event(log::Level::warning, "runs_rescued",
               std::to_string(answer.rescued) + " runs of workers that are gone were taken back");
    events_.on_rescued(answer.rescued);
}

void Rescue::undone() {
    if (std::exchange(sent_, Sent::nothing) == Sent::lost) wanted_ = true;
}

Next Rescue::refused(const store::Refused& refused) {
    using Found = Bisection<Uuid>::Found;
    const Sent sent = sent_;
    undone();
    if (sent == Sent::lost) {
        wanted_ = false;
        listing_ = true;
        return Next::again;
    }
    if (sent != Sent::ids) return sent == Sent::list ? Next::everyone : Next::later;
    const Found found = search_.refused();
    if (found == Found::everyone) wanted_ = true;
    if (found == Found::one) {
        const bool passes = refused.kind == ErrorKind::conflict;  // a lock of somebody's
        const Millis pause = passes ? pause_of_a_locked_run : pause_of_a_refused_run;
        left_.push_back({search_.guilty(), BootClock::now() + pause});
        log::event(passes ? log::Level::warning : log::Level::error, "rescue_refused",
                   "a lost run cannot be taken back, tried again in " + std::to_string(pause.count() / 1'000) +
                       " s; see " + (passes ? "whose lock or trigger" : "the trigger or the rule that") +
                       " refuses it: " + refused.message,
                   {{"run_id", search_.guilty().to_string()}});
    }
    return found == Found::everyone ? Next::everyone : Next::again;
}

std::vector<Uuid> Rescue::left_alone(Time now) {
    std::erase_if(left_, [&](const Left& one) { return now >= one.until; });
    std::vector<Uuid> ids;
    for (const Left& one : left_) ids.push_back(one.id);
    return ids;
}

std::optional<Millis> Rescue::wait(const Moment& moment) const {
    return next(moment) == Sent::nothing ? std::nullopt : std::optional(Millis{0});
}

}  // namespace dormouse::worker
