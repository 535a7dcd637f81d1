#include "worker/worker.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "base/log.h"

namespace dormouse::worker {

Worker::Worker(loop::Loop& loop, const config::Config& config, Doorbell& doorbell, handlers::Handlers& handlers,
               Circumstances circumstances)
    : config_(config),
      doorbell_(doorbell),
      circumstances_(std::move(circumstances)),
      life_(circumstances_.owns_process, [this] { on_entered(); }),
      parts_(loop, config, handlers, circumstances_, life_,
             {.on_change = [this] { step(); },
              .on_landed =
                  [this] {
                      if (!soon_timer_.armed()) step_soon();
                  },
              .on_wish = [this] { arm_timers(); },
              .on_trouble = [this] { on_trouble(); },
              .on_lost = [this](const Error& error) { on_lost(error); },
              .on_standing = [this](const std::string& standing) { leaving_.take_standing(standing); }}),
      rest_(loop, config, doorbell, life_, parts_,
            {.on_change = [this] { step(); }, .exits_in = [this] { return exit_in(); }}),
      leaving_(
          loop, config, doorbell, circumstances_, life_, parts_, rest_,
          {.on_change = [this] { step(); }, .on_soon = [this] { step_soon(); }, .on_gone = [this] { stop_timers(); }}),
      soon_timer_(loop, "worker.landed"),
      step_timer_(loop, "worker.next"),
      exit_timer_(loop, "worker.exit"),
      start_timer_(loop, "worker.start") {}

void Worker::start() {
    leaving_.start();
    const Millis delay = circumstances_.first_connect_delay;
    life_.tell(delay > Millis{0} ? "waits " + std::to_string(delay.count() / 1'000) +
                                       " s before it connects, because workers of this pool have failed in a row"
                                 : "connecting to the database");
    start_timer_.once(delay, [this] { rest_.open_session(); });
}

void Worker::rung() {
    parts_.measures.rung();
    look();
}

void Worker::look() {
    parts_.claims.owe();
    parts_.rounds.wire().hurry();
    step();
}

bool Worker::is_waiting_for_database() const {
    return !life_.leaves() && !database().is_open() && parts_.rounds.held().empty();
}

// Everything that happens ends here.
void Worker::step() {
    if (life_.state() > State::leaving) return;
    parts_.measure();
    parts_.rounds.tick(BootClock::now());
    Claims& claims = parts_.claims;
    promise::Promise& promise = parts_.promises.promise();
    if (life_.leaves()) claims.give_back_all();
    // The first few at once, for whoever waits for them; the others while the next round is on its way.
    constexpr int first_few = 16;
    if (!life_.leaves()) claims.fill_slots(first_few);
    promise.room(claims.wanted() > 0, BootClock::now());
    if (promise.given() && !life_.leaves()) claims.owe();  // it looks again and again
    if (database().state() == store::Wire::State::closed && next_round().value_or(Millis{1}) <= Millis{0})
        rest_.open_session();
    parts_.rounds.send(parts_.moment());
    if (!life_.leaves() && !claims.shelf().empty()) {
        claims.fill_slots(claims.shelf().count());
        parts_.rounds.send(parts_.moment());
    }
    if (parts_.reports.outbox().empty() && !parts_.rounds.awaits_answer()) parts_.flights.start_alone();
    if (parts_.errand_end() == ErrandEnd::unknown_task && !life_.leaves())
        leaving_.leave("its run's task is none of this pool's");
    if (life_.leaves()) {
        leaving_.step();
    } else {
        choose_state();
        leaving_.end_errand_if_done();
    }
    check_invariants();
    arm_timers();
}

void Worker::choose_state() {
    const bool at_work = parts_.has_something();
    if (at_work) quiet_since_.reset();
    if (parts_.awaits_first_look()) {
        life_.enter(State::starting, "no look has been answered yet");
    } else if (parts_.claims.looking()) {
        life_.enter(State::claiming, "a look is owed");
    } else if (at_work || !parts_.rounds.quiet()) {
        life_.enter(State::running, at_work                            ? "handlers are at work"
                                    : !parts_.promises.may_be_silent() ? "somebody may rely on another look"
                                                                       : "a round is on the wire");
    } else {
        if (!quiet_since_) quiet_since_ = BootClock::now();
        life_.enter(State::idle, "nothing to do");
        parts_.rounds.second().quiet();
    }
}

void Worker::on_entered() {
    const State state = life_.state();
    if (state == State::idle) tell_idle();
    if (state == State::running) life_.tell("running");
    if (state != State::leaving) return;
    exit_timer_.stop();
    if (!life_.handed_over()) doorbell_.stop();
}

/// What the states say has to be so.
void Worker::check_invariants() const {
    const State state = life_.state();
    const bool something = parts_.has_something();
    const bool idle_at_work = state == State::idle && something;
    const bool runs_nothing = state == State::running && !something && parts_.rounds.quiet();
    if (!idle_at_work && !runs_nothing && parts_.rounds.consistent()) return;
    log::event(
        log::Level::error, "state",
        std::string("in state ") + to_string(state) + " with " + (something ? "something" : "nothing") + " at work");
    std::abort();
}

/// None before the first session may be opened, whatever is wanted: the start's timer comes first.
std::optional<Millis> Worker::next_round() const {
    return start_timer_.armed() ? std::nullopt : parts_.rounds.wait(parts_.moment());
}

void Worker::arm_timers() {
    if (life_.state() > State::leaving) return;
    auto next = parts_.rounds.next_tick(BootClock::now());
    if (const auto round = next_round(); round && (!next || *round < *next)) next = round;
    next ? step_timer_.once(std::max(Millis{0}, *next), [this] { step(); }) : step_timer_.stop();
    const auto exit = exit_in();
    exit ? exit_timer_.once(*exit, [this] { on_exit_time(); }) : exit_timer_.stop();
    rest_.arm();
}

void Worker::step_soon() {
    soon_timer_.once(Millis{0}, [this] { step(); });
}

void Worker::stop_timers() {
    for (loop::Timer* timer : {&soon_timer_, &step_timer_, &exit_timer_, &start_timer_}) timer->stop();
    rest_.stop();
}

std::optional<Millis> Worker::exit_in() const {
    if (life_.state() != State::idle || !circumstances_.leaves_when_idle || !quiet_since_) return std::nullopt;
    using Wire = store::Wire::State;
    const bool asked = database().is_open() || database().state() == Wire::closed;  // else nobody knows
    if (!asked || config_.worker.idle_exit == Millis{0} || parts_.imports.busy()) return std::nullopt;
    if (parts_.retention.awaited()) {  // a database that is to sleep is not woken by another session
        return parts_.sleepy() ? std::nullopt : std::optional(parts_.retention.time_left(BootClock::now()));
    }
    if (database().state() == Wire::waiting) return std::nullopt;
    const Millis delay = parts_.claims.ran_anything() ? config_.worker.idle_exit
                                                      : std::min(config_.worker.look_exit, config_.worker.idle_exit);
    return std::max(Millis{0}, delay - since(*quiet_since_));
}

// The last look at the spool takes as long as its disk does; what comes after it is a level of the path unit.
void Worker::on_exit_time() {
    parts_.imports.look([this] { decide_exit(); });
}

// W4: whoever rang until now is answered by this worker; from the decision on nobody is.
void Worker::decide_exit() {
    if (exit_in().value_or(Millis{1}) > Millis{0}) return step();  // something has come meanwhile
    if (doorbell_.empty_now()) return rung();
    RetentionSteps& retention = parts_.retention;
    const bool too_long = retention.awaited() && retention.time_left(BootClock::now()) <= Millis{0};
    if (!too_long && database().is_open() && retention.before_sleep(BootClock::now()))
        return step();  // leads back here
    const char* const reason = parts_.claims.ran_anything() ? "quiet for worker.idle_exit" : "found nothing to run";
    if (parts_.claims.in_vain()) {
        log::event(log::Level::warning, "idle_exit",
                   std::string(reason) +
                       "; a due run cannot be claimed: its row is locked, or a trigger or rule of your own skips it; "
                       "dormouse doctor names them");
    } else {
        log::event(log::Level::info, "idle_exit", reason);
    }
    leaving_.leave("quiet");
}

void Worker::on_lost(const Error& error) {
    if (leaving_.lost_session()) return;
    if (parts_.sleepy() && (!life_.leaves() || life_.handed_over()) && parts_.rounds.may_close(parts_.moment()))
        return rest_.begin();  // before us
    parts_.claims.owe();
    parts_.rounds.tell_outage(error);
    step();
}

void Worker::on_trouble() {
    const std::string& trouble = parts_.rounds.trouble();
    if (trouble.empty() && life_.leaves()) return;
    if (trouble.empty()) return life_.state() == State::idle ? tell_idle() : life_.tell("running");
    life_.tell((database().is_open() ? "the database refuses (tries again by itself): "
                                     : "no database (tries again by itself): ") +
               trouble);
}

void Worker::tell_idle() const {
    const std::string& trouble = parts_.imports.trouble();
    life_.tell(trouble.empty() ? "idle: listening, nothing to do" : trouble);
}

}  // namespace dormouse::worker
