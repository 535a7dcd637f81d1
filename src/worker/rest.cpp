#include "worker/rest.h"

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace dormouse::worker {

Rest::Rest(loop::Loop& loop, const config::Config& config, Doorbell& doorbell, const Life& life, Participants& parts,
           Events events)
    : config_(config),
      doorbell_(doorbell),
      life_(life),
      parts_(parts),
      events_(std::move(events)),
      timer_(loop, "worker.rest") {}

void Rest::open_session() {
    if (!life_.handed_over()) doorbell_.watch_wake_file(false);
    parts_.rounds.wire().open();
}

void Rest::arm() {
    const bool wanted = parts_.sleepy() && (!life_.leaves() || life_.handed_over()) && !life_.in_last_round() &&
                        parts_.database().is_open() && parts_.rounds.may_close(parts_.moment());
    if (!wanted) return timer_.stop();
    const Millis wait = parts_.retention.goes_on() ? Millis{0} : config_.database.close_after;
    if (!timer_.armed() || wait == Millis{0}) timer_.once(wait, [this] { close_session(); });
}

/// By a last round: the registry hears of it, and what is due is asked for once more, since the exit will not ask. As
/// does the last round of all it asks who is between a wake and its commit: nobody will hear of that commit.
void Rest::close_session() {
    if (parts_.database().state() != store::Wire::State::open) return arm();
    const bool claims = !life_.handed_over();  // else doorbell and due time are the successor's
    if (claims && parts_.retention.before_sleep(BootClock::now()))
        return events_.on_change();  // its answer leads back here
    if (claims) doorbell_.watch_wake_file(true);
    if (claims) doorbell_.answer_wake_file();  // by this round
    store::Round round;
    if (parts_.registry.registered()) round.rest = longest_silence();
    round.ask_waking = claims && doorbell_.may_have_wake_files();
    if (claims && (!parts_.claims.due().known || round.ask_waking)) parts_.claims.fill_due(round);
    parts_.add_fences(round);
    if (store::parts_of(round).none()) return begin();
    parts_.claims.answered_by_another_round(BootClock::now());  // what is heard of from here on makes a look owed
    parts_.rounds.send_last(round, [this, rests = round.rest.has_value(), asked = round.due.has_value()](auto answer) {
        if (!answer) {
            parts_.claims.owe();
            parts_.rounds.tell_outage(answer.error());
            return events_.on_change();
        }
        if (asked) parts_.claims.take_due(answer->due_in);
        if (answer->waking) parts_.claims.owe();
        const bool closes = parts_.rounds.may_close(parts_.moment());
        if (rests) parts_.registry.rested();
        closes ? begin() : events_.on_change();
    });
}

/// Who woke us a moment ago and commits in the next one is heard of by nobody.
void Rest::begin() {
    const bool closed_by_us = parts_.database().is_open();
    if (!life_.handed_over()) doorbell_.watch_wake_file(true);
    if (!closed_by_us && !life_.handed_over()) {
        if (doorbell_.answer_wake_file()) parts_.claims.owe();
        if (doorbell_.may_have_wake_files()) parts_.claims.forget_due();
    }
    parts_.rounds.close();
    log::event(log::Level::debug, "dozing", "the session is closed: nothing here needs it");
    if (!life_.leaves())
        life_.tell(parts_.flights.empty()
                       ? "idle: the session is closed, a ring opens the next one (database.close_after)"
                       : "running, without a session (database.close_after)");
    events_.on_change();
}

/// Until when the registry may take a worker without a session for one that lives: the next time that it opens one by
/// itself, or is gone. A database that has to be started takes its time. Leases speak for whoever holds runs.
Millis Rest::longest_silence() const {
    constexpr Millis start_takes{60'000};
    constexpr Millis longest{86'400'000};
    const auto& due = parts_.claims.due();
    Millis silence = events_.exits_in().value_or(longest);
    if (!parts_.rounds.held().empty()) silence = std::min(silence, config_.worker.lease);
    if (due.known && due.at) silence = std::min(silence, std::chrono::ceil<Millis>(*due.at - BootClock::now()));
    return std::max(Millis{0}, silence) + start_takes;
}

}  // namespace dormouse::worker
