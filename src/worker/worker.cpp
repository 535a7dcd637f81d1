#include "worker/worker.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "base/log.h"
#include "systemd/notify.h"

namespace dormouse::worker {
namespace {

/// Slots are the pool's; what a task bounds by itself stays, and is said where more were wanted.
void tell_bounds(const config::Config& config, int runs) {
    if (runs <= config.worker.concurrency) return;
    std::string bounds;
    for (const auto& [name, task] : config.tasks) {
        const auto add = [&, &task_name = name](const char* key, int most) {
            if (most > 0 && most < runs)
                bounds += (bounds.empty() ? "" : ", ") + task_name + " (" + key + " = " + std::to_string(most) + ")";
        };
        add("concurrency", task.concurrency);
        add("processes", task.processes);
    }
    if (!bounds.empty())
        log::event(log::Level::info, "scaled", "tasks with a bound of their own keep it: " + bounds,
                   {{"pool", config.pool}});
}

}  // namespace

Worker::Worker(loop::Loop& loop, const config::Config& config, Doorbell& doorbell, handlers::Handlers& handlers,
               Circumstances circumstances)
    : config_(config),
      doorbell_(doorbell),
      circumstances_(std::move(circumstances)),
      measures_(circumstances_.tally, config),
      scale_({.pool = config.pool,
              .configured = config.worker.concurrency,
              .most = circumstances_.identity.concurrency_max,
              .asks = !circumstances_.errand.run.has_value(),
              .on_change =
                  [this, &handlers](int runs) {
                      handlers.make_room_for(runs);
                      tell_bounds(config_, runs);
                      if (!handed_over_) measures_.scaled(runs);
                  }}),
      reports_({.log_bytes = config.limits.log_bytes, .news_make_rounds = !sleepy()},
               {.on_settled =
                    [this](const Parcel& parcel) {
                        if (parcel.ending.delay) claims_.put_back_in(*parcel.ending.delay);
                        measures_.ended(parcel);
                        if (handed_over_) circumstances_.on_room();
                    },
                .on_refused = [this](const Parcel& parcel) { measures_.refused(parcel); },
                .on_enqueued = [this](const std::vector<std::string>& queues) { neighbours_.ring(queues); },
                .on_news = [this] { arm_timers(); },
                .on_stuck = [this](const std::string& why) { tell_status(why); }}),
      flights_(config, handlers, reports_.news(), circumstances_.identity.id.to_string(), circumstances_.elsewhere,
               circumstances_.tracer,
               [this](std::optional<Parcel> parcel) {
                   if (!parcel && handed_over_) circumstances_.on_room();
                   if (parcel) reports_.outbox().add(std::move(*parcel));
                   if (flights_.take_room_made()) claims_.owe();
                   if (!soon_timer_.armed()) soon_timer_.once(Millis{0}, [this] { step(); });
               }),
      promises_(circumstances_.promise),
      claims_(config, circumstances_.errand, scale_, flights_, reports_,
              {.on_claimed =
                   [this](const std::vector<store::ClaimedRun>& runs) {
                       promises_.promise().looked(!runs.empty(), BootClock::now());
                       rounds_.second().claimed(static_cast<int>(runs.size()));
                       measures_.looked(runs);
                   },
               .on_due = [this] { rescue_.want(); },
               .on_standing = [this](const std::string& standing) { take_standing(standing); }}),
      leases_(config.worker.lease, flights_, claims_.shelf(), reports_.outbox(),
              [this](std::vector<Parcel> parcels) {
                  for (Parcel& parcel : parcels) reports_.outbox().add(std::move(parcel));
              }),
      rescue_(circumstances_.predecessors, !circumstances_.errand.run.has_value(),
              {.on_rescued =
                   [this](std::int64_t runs) {
                       measures_.runs_lost(runs);
                       claims_.owe();
                   },
               .on_dead_settled = [this] { neighbours_.ring_all(); }}),
      imports_(loop, config, circumstances_.owns_spool, !circumstances_.errand.run,
               {.on_change = [this] { step(); }, .on_trouble = [this] { tell_idle(); }}),
      retention_({.keep = config.retention.finished,
                  .beside_work = !sleepy(),
                  .at_work = [this] { return !flights_.empty() && registry_.registered(); },
                  .lease_presses = [this] { return leases_.extension_wanted(BootClock::now()); }},
                 BootClock::now()),
      rounds_(loop,
              {.place = {config.database.url, config.database.passfile, config.database.connect_timeout,
                         circumstances_.errand.run.has_value()},
               .identity = circumstances_.identity,
               .lease = config.worker.lease,
               .retry_max = config.database.retry_max,
               .suspends = sleepy(),
               .in_haste = [this] { return !rounds_.held().empty(); }},
              {.on_queue = [this] { claims_.owe(), step(); },
               .on_taken_away = [this] { leases_.doubt(), step(); },
               .on_scaled = [this] { scale_.ask(), step(); }},
              sleepy() ? 0 : circumstances_.second_session_at,
              {.on_open =
                   [this] {
                       log::event(log::Level::info, "listening", "connected to " + database().where());
                       if (const std::string warning = database().untested_server(); warning != untested_) {
                           untested_ = warning;
                           if (!warning.empty()) log::event(log::Level::warning, "configuration", warning);
                       }
                       step();
                   },
               .on_lost = [this](const Error& error) { on_lost(error); },
               .on_trouble = [this] { tell_trouble(); },
               .on_change = [this] { step(); },
               .on_compose = [this](store::Round& round) { finish_round(round); }}),
      neighbours_(config.pool, circumstances_.environment),
      soon_timer_(loop, "worker.landed"),
      step_timer_(loop, "worker.next"),
      exit_timer_(loop, "worker.exit"),
      start_timer_(loop, "worker.start"),
      grace_timer_(loop, "worker.grace"),
      errand_timer_(loop, "worker.errand"),
      doze_timer_(loop, "worker.doze") {
    // The order in which they fill a round. Promises come before claims, which see what they ask for; claims know of
    // the scale by the answer that brings them their first runs.
    rounds_.add(scale_);
    rounds_.add(reports_, true);
    rounds_.add(leases_);
    rounds_.add(promises_);
    rounds_.add(registry_);
    rounds_.add(rescue_);
    rounds_.add(imports_);
    rounds_.add(claims_);
    rounds_.add(retention_);
    rounds_.add(measures_);
}

void Worker::start() {
    leaving_times_.grace = config_.worker.shutdown_grace;
    const Errand& errand = circumstances_.errand;
    if (errand.timeout > Millis{0})
        errand_timer_.once(errand.timeout, [this] { end_errand(ErrandEnd::timed_out, "its time is over"); });
    tell_status("connecting to the database");
    if (circumstances_.first_connect_delay > Millis{0})
        tell_status("waits " + std::to_string(circumstances_.first_connect_delay.count() / 1'000) +
                    " s before it connects, because workers of this pool have failed in a row");
    start_timer_.once(circumstances_.first_connect_delay, [this] { open_database(); });
}

void Worker::rung() {
    measures_.rung();
    look();
}

void Worker::look() {
    claims_.owe();
    rounds_.wire().hurry();
    step();
}

bool Worker::is_waiting_for_database() const {
    return state_ < State::leaving && !database().is_open() && rounds_.held().empty();
}

/// Not while runs of a predecessor in this process take all slots: everything else is done meanwhile.
bool Worker::awaits_first_look() const {
    return state_ == State::starting && !claims_.ever_answered() && claims_.wanted() > 0;
}

/// With what predecessors in this process execute.
bool Worker::has_something() const {
    return !flights_.empty() || !claims_.shelf().empty() || !reports_.outbox().empty() || flights_.elsewhere() > 0;
}

Moment Worker::moment() const {
    return {BootClock::now(), database().is_open(), state_ >= State::leaving, awaits_first_look()};
}

// Everything that happens ends here.
void Worker::step() {
    if (state_ > State::leaving) return;
    measure();
    rounds_.tick(BootClock::now());
    if (state_ == State::leaving) claims_.give_back_all();
    // The first few at once, for whoever waits for them; the others while the next round is on its way.
    constexpr int first_few = 16;
    if (state_ < State::leaving) claims_.fill_slots(first_few);
    promises_.promise().room(claims_.wanted() > 0, BootClock::now());
    if (promises_.promise().given() && state_ < State::leaving) claims_.owe();  // it looks again and again
    if (rounds_.wire().state() == store::Wire::State::closed && next_round().value_or(Millis{1}) <= Millis{0})
        open_database();
    rounds_.send(moment());
    if (state_ < State::leaving && !claims_.shelf().empty()) {
        claims_.fill_slots(claims_.shelf().count());
        rounds_.send(moment());
    }
    if (reports_.outbox().empty() && !rounds_.awaits_answer()) flights_.start_alone();
    if (state_ == State::leaving) {
        step_leaving();
    } else {
        choose_state();
        end_errand_if_done();
    }
    check_invariants();
    arm_timers();
}

void Worker::measure() {
    measures_.sampled(BootClock::now(),
                      handed_over_ ? std::nullopt : std::optional(flights_.count() + flights_.taken()), rounds_.wire(),
                      rounds_.second().wire());
}

void Worker::choose_state() {
    const bool at_work = has_something();
    if (at_work) quiet_since_.reset();
    if (awaits_first_look()) {
        enter(State::starting, "no look has been answered yet");
    } else if (claims_.looking()) {
        enter(State::claiming, "a look is owed");
    } else if (at_work || !rounds_.quiet()) {
        enter(State::running, at_work                      ? "handlers are at work"
                              : !promises_.may_be_silent() ? "somebody may rely on another look"
                                                           : "a round is on the wire");
    } else {
        if (!quiet_since_) quiet_since_ = BootClock::now();
        enter(State::idle, "nothing to do");
        rounds_.second().quiet();
    }
}

/// The one place that assigns the state.
void Worker::enter(State state, const char* reason) {
    if (state == state_) return;
    demand_edge(state_, state, reason);
    log::event(log::Level::debug, "state", std::string(to_string(state_)) + " -> " + to_string(state) + ": " + reason);
    state_ = state;
    if (state == State::idle) tell_idle();
    if (state == State::running) tell_status("running");
    if (state != State::leaving) return;
    exit_timer_.stop();
    if (!handed_over_) doorbell_.stop();
    if (speaks()) systemd::notify_stopping(std::string("leaving: ") + reason);
}

/// What the states say has to be so.
void Worker::check_invariants() const {
    const bool something = has_something();
    const bool idle_at_work = state_ == State::idle && something;
    const bool runs_nothing = state_ == State::running && !something && rounds_.quiet();
    if (!idle_at_work && !runs_nothing && rounds_.consistent()) return;
    log::event(
        log::Level::error, "state",
        std::string("in state ") + to_string(state_) + " with " + (something ? "something" : "nothing") + " at work");
    std::abort();
}

std::optional<Millis> Worker::exit_in() const {
    if (state_ != State::idle || !circumstances_.leaves_when_idle || !quiet_since_) return std::nullopt;
    const bool asked = database().is_open() || database().state() == store::Wire::State::closed;  // else nobody knows
    if (!asked || config_.worker.idle_exit == Millis{0} || imports_.busy()) return std::nullopt;
    if (retention_.awaited()) {  // a database that is to sleep is not woken by another session
        return sleepy() ? std::nullopt : std::optional(retention_.time_left(BootClock::now()));
    }
    if (database().state() == store::Wire::State::waiting) return std::nullopt;
    const Millis delay = claims_.ran_anything() ? config_.worker.idle_exit
                                                : std::min(config_.worker.look_exit, config_.worker.idle_exit);
    return std::max(Millis{0}, delay - since(*quiet_since_));
}

/// None before the first session may be opened, whatever is wanted: the start's timer comes first.
std::optional<Millis> Worker::next_round() const {
    return start_timer_.armed() ? std::nullopt : rounds_.wait(moment());
}

void Worker::arm_timers() {
    if (state_ > State::leaving) return;
    auto next = rounds_.next_tick(BootClock::now());
    if (const auto round = next_round(); round && (!next || *round < *next)) next = round;
    next ? step_timer_.once(std::max(Millis{0}, *next), [this] { step(); }) : step_timer_.stop();
    if (const auto wait = exit_in()) {
        exit_timer_.once(*wait, [this] { on_exit_time(); });
    } else {
        exit_timer_.stop();
    }
    arm_doze();
}

// The last look at the spool takes as long as its disk does; what comes after it is a level of the path unit.
void Worker::on_exit_time() {
    imports_.look([this] { decide_exit(); });
}

// W4: whoever rang until now is answered by this worker; from the decision on nobody is.
void Worker::decide_exit() {
    if (exit_in().value_or(Millis{1}) > Millis{0}) return step();  // something has come meanwhile
    if (doorbell_.empty_now()) return rung();
    const bool too_long = retention_.awaited() && retention_.time_left(BootClock::now()) <= Millis{0};
    if (!too_long && database().is_open() && retention_.before_sleep(BootClock::now()))
        return step();  // leads back here
    const char* const reason = claims_.ran_anything() ? "quiet for worker.idle_exit" : "found nothing to run";
    if (claims_.in_vain()) {
        log::event(log::Level::warning, "idle_exit",
                   std::string(reason) +
                       "; a due run cannot be claimed: its row is locked, or a trigger or rule of your own skips it; "
                       "dormouse doctor names them");
    } else {
        log::event(log::Level::info, "idle_exit", reason);
    }
    leave("quiet");
}

void Worker::on_lost(const Error& error) {
    if (in_last_round()) return be_gone(Farewell{state_ == State::parting, false, std::nullopt});
    if (sleepy() && state_ < State::leaving && rounds_.may_close(moment())) return rest();  // before us
    claims_.owe();
    rounds_.tell_outage(error);
    step();
}

void Worker::finish_round(store::Round& round) const {
    if (!round.due && !round.release_forgotten) return;
    // The lease of a run that is ours in the database and not here, however that came about, is everybody's business.
    for (const store::Held& run : rounds_.held()) round.fences.push_back(run.fence);
}

void Worker::tell_status(const std::string& text) {
    if (speaks()) systemd::notify_status(text);
}

void Worker::tell_idle() {
    if (state_ != State::idle) return;
    tell_status(imports_.trouble().empty() ? "idle: listening, nothing to do" : imports_.trouble());
}

void Worker::tell_trouble() {
    if (rounds_.trouble().empty()) return tell_status("running");
    tell_status((database().is_open() ? "the database refuses (tries again by itself): "
                                      : "no database (tries again by itself): ") +
                rounds_.trouble());
}

}  // namespace dormouse::worker
