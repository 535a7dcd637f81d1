// database.close_after: a database that suspends when nobody talks to it is let sleep, and not woken for anything that
// can wait. The session of a worker that needs none is closed; a ring, a due run, an ending or a lease opens the next
// one. A session that the server closes meanwhile is its sleep, and no trouble. What comes by plain SQL while nobody
// listens is found by the next look, as while asleep; a wake file is answered at once.
#include <algorithm>

#include "base/log.h"
#include "worker/worker.h"

namespace dormouse::worker {

/// Nothing here needs the database, and nobody waits for its answer. Handlers may be at work.
bool Worker::may_doze() {
    return state_ < State::leaving && !on_wire_ && shelf_.empty() && outbox_.empty() && !retry_timer_.armed() &&
           !(look_owed() && wanted() > 0) && promise_.may_be_silent() && !imports_.busy() &&
           !flights_.extension_wanted(BootClock::now());
}

bool Worker::needs_session(BootClock::time_point now) const {
    const bool import = state_ < State::leaving && imports_.wait(now).value_or(Millis{1}) <= Millis{0};
    const bool look = state_ < State::leaving && looks_.owed() && wanted() > 0;
    return look || import || !outbox_.empty() || flights_.extension_wanted(now);
}

void Worker::arm_doze() {
    const bool wanted =
        config_.database.close_after > Millis{0} && database_.is_open() && !falling_asleep_ && may_doze();
    if (!wanted) return doze_timer_.stop();
    const Millis wait = just_retained_ ? Millis{0} : config_.database.close_after;
    if (!doze_timer_.armed()) doze_timer_.once(wait, [this] { fall_asleep(); });
}

/// The last round before it: the registry hears of it, and what is due is asked for once more, since the exit will not
/// ask. As does the last round of all it asks who is between a wake and its commit: nobody will hear of that commit.
void Worker::fall_asleep() {
    if (retains_first()) return;  // its answer leads back here
    falling_asleep_ = true;
    doorbell_.watch_wake_file(true);
    doorbell_.answer_wake_file();  // by this round
    store::Round round;
    round.leave = registered_ && flights_.empty();
    round.ask_waking = doorbell_.may_have_wake_files();
    round.ask_due = !due_known_ || round.ask_waking;
    if (round.ask_due) fill_fences(round);
    if (round.empty()) return doze();
    news_.fill(round, BootClock::now(), true);
    looks_.sent(BootClock::now());  // what is heard of from here on makes a look owed
    store::Round asked = round;
    await_answer();
    endings_with_ = Carrier::first;
    database_.exchange(std::move(round), [this, asked](const Result<store::Answer>& answer) {
        answer_timer_.stop();
        falling_asleep_ = false;
        looks_.answered(true);
        if (!answer) {
            doorbell_.watch_wake_file(false);
            return on_round_failed(answer.error());
        }
        endings_with_ = Carrier::nobody;
        news_.answered();
        if (asked.leave) registered_ = false;
        if (asked.ask_due) take_due(asked, *answer);
        if (answer->waking) looks_.owe();
        if (may_doze()) return doze();
        doorbell_.watch_wake_file(false);
        step();
    });
}

/// Before us. Who woke us a moment ago and commits in the next one is heard of by nobody, so what is due is not known.
void Worker::database_fell_asleep() {
    doorbell_.watch_wake_file(true);
    if (doorbell_.answer_wake_file()) looks_.owe();
    if (doorbell_.may_have_wake_files()) due_known_ = false;
    doze();
}

void Worker::doze() {
    falling_asleep_ = false;
    database_.close();
    dozing_ = true;
    held_in_doubt_ = !flights_.empty();  // nobody tells us meanwhile
    log::event(log::Level::debug, "dozing", "the session is closed: nothing here needs it");
    tell_status(flights_.empty() ? "idle: the session is closed, a ring opens the next one (database.close_after)"
                                 : "running, without a session (database.close_after)");
    step();
}

void Worker::wake_up() {
    dozing_ = false;
    open_database();
}

/// Without asking anew: what was due when the session was closed.
Farewell Worker::last_word() const {
    Farewell farewell{true, due_known_, std::nullopt};
    if (due_at_) farewell.due = std::max(Millis{0}, std::chrono::ceil<Millis>(*due_at_ - BootClock::now()));
    if (looks_.owed()) farewell.due = Millis{0};
    bound_sleep(farewell);
    return farewell;
}

}  // namespace dormouse::worker
