// database.close_after: a database that suspends when nobody talks to it may do so, and is not woken for anything that
// can wait. The session of a worker that needs none is closed; a ring, a due run, an ending or a lease opens the next
// one. A session that the server closes meanwhile is its sleep, and no trouble. What comes by plain SQL while nobody
// listens is found by the next look, as while asleep; a wake file is answered at once.
#include <algorithm>

#include "base/log.h"
#include "worker/worker.h"

namespace dormouse::worker {

void Worker::open_database() {
    if (!handed_over_) doorbell_.watch_wake_file(false);
    rounds_.wire().open();
}

void Worker::arm_doze() {
    const bool wanted = sleepy() && state_ < State::leaving && database().is_open() && rounds_.may_close(moment());
    if (!wanted) return doze_timer_.stop();
    const Millis wait = retention_.goes_on() ? Millis{0} : config_.database.close_after;
    if (!doze_timer_.armed() || wait == Millis{0}) doze_timer_.once(wait, [this] { doze(); });
}

/// The last round of the session: the registry hears of it, and what is due is asked for once more, since the exit will
/// not ask. As does the last round of all it asks who is between a wake and its commit: nobody will hear of that
/// commit.
void Worker::doze() {
    if (database().state() != store::Wire::State::open) return arm_timers();
    if (retention_.before_sleep(BootClock::now())) {
        return step();  // its answer leads back here
    }
    doorbell_.watch_wake_file(true);
    doorbell_.answer_wake_file();  // by this round
    store::Round round;
    if (registry_.registered()) round.rest = longest_silence();
    round.ask_waking = doorbell_.may_have_wake_files();
    if (!claims_.due().known || round.ask_waking) claims_.fill_due(round);
    finish_round(round);
    if (store::parts_of(round).none()) return rest();
    claims_.answered_by_another_round(BootClock::now());  // what is heard of from here on makes a look owed
    rounds_.send_last(round, [this, rests = round.rest.has_value(), asked = round.due.has_value()](auto answer) {
        if (!answer) {
            claims_.owe();
            rounds_.tell_outage(answer.error());
            return step();
        }
        if (asked) claims_.take_due(answer->due_in);
        if (answer->waking) claims_.owe();
        const bool closes = rounds_.may_close(moment());
        if (rests) registry_.rested();
        closes ? rest() : step();
    });
}

/// Without a session from here on. Who woke us a moment ago and commits in the next one is heard of by nobody.
void Worker::rest() {
    const bool closed_by_us = database().is_open();
    doorbell_.watch_wake_file(true);
    if (!closed_by_us) {
        if (doorbell_.answer_wake_file()) claims_.owe();
        if (doorbell_.may_have_wake_files()) claims_.forget_due();
    }
    rounds_.close();
    log::event(log::Level::debug, "dozing", "the session is closed: nothing here needs it");
    tell_status(flights_.empty() ? "idle: the session is closed, a ring opens the next one (database.close_after)"
                                 : "running, without a session (database.close_after)");
    step();
}

/// Until when the registry may take a worker without a session for one that lives: the next time that it opens one by
/// itself, or is gone. A database that has to be started takes its time. Leases speak for whoever holds runs.
Millis Worker::longest_silence() const {
    constexpr Millis start_takes{60'000};
    constexpr Millis longest{86'400'000};
    Millis silence = exit_in().value_or(longest);
    if (!rounds_.held().empty()) silence = std::min(silence, config_.worker.lease);
    if (claims_.due().known && claims_.due().at)
        silence = std::min(silence, std::chrono::ceil<Millis>(*claims_.due().at - BootClock::now()));
    return std::max(Millis{0}, silence) + start_takes;
}

/// Without asking anew: what was due when the session was closed.
Farewell Worker::last_word() const {
    Farewell farewell{true, claims_.due().known, std::nullopt};
    if (const auto at = claims_.due().at)
        farewell.due = std::max(Millis{0}, std::chrono::ceil<Millis>(*at - BootClock::now()));
    if (claims_.owed()) farewell.due = Millis{0};
    bound_sleep(farewell);
    return farewell;
}

}  // namespace dormouse::worker
