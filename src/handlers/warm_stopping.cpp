// How a run of a warm process is stopped: what it is told, what is ended of what it has started, and when.
#include <algorithm>
#include <memory>

#include "handlers/proc.h"
#include "handlers/warm_process.h"

namespace dormouse::handlers {

namespace {

/// For reading what it was told: who waits for a process it has started reads nothing.
constexpr Millis patience_with_the_deaf{500};

}  // namespace

void WarmProcess::Flight::ask(std::string_view reason, Millis patience) {
    process.child_->send(cancel_message(id, reason));
    if (patience <= Millis{0}) return;
    asked_at = ticks_now();
    const Millis half = patience / 2;
    const Millis first = std::min(half, patience_with_the_deaf);
    hurry = std::make_unique<loop::Timer>(process.loop_, "warm.hurry");
    hurry->once(first, [this, rest = half - first] {
        if (process.child_->has_unread()) return process.hasten(*this);
        hurry->once(rest, [this] { process.hasten(*this); });
    });
}

void WarmProcess::Flight::kill() {
    process.doom(
        {"process_died",
         "its process was killed because of another run, " + id.to_string() + ", which did not stop when requested",
         id});
}

void WarmProcess::hasten(Flight& flight) {
    if (flight.outcome || flights_.size() > 1 || leftovers_.at_work() || !child_->running()) return;
    flight.hastened = true;
    leftovers_.end_between(*child_, flight.given_at, flight.asked_at);
}

void WarmProcess::end_leftovers(Flight& flight, const std::vector<pid_t>& kept) {
    if (!at_work()) {
        if (flights_.size() > 1) return enter(State::leaving);  // the last of those that others have waited for
        return leftovers_.end(*child_, flight.given_at, kept, [this, id = flight.id] { land(id); });
    }
    if (!leftovers_.any_since(*child_, flight.given_at, kept)) return land(flight.id);
    retire();
}

bool WarmProcess::at_work() const {
    return std::any_of(flights_.begin(), flights_.end(), [](const auto& entry) { return !entry.second.outcome; });
}

}  // namespace dormouse::handlers
