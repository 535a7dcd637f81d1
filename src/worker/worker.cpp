#include "worker/worker.h"

#include <algorithm>

#include "base/log.h"
#include "systemd/notify.h"

namespace dormouse::worker {
namespace {

Outbox::Events outbox_events(News& news, std::function<void(Millis)> put_back_until) {
    const auto fields_of = [](const Parcel& parcel, log::Level level, const char* event, const std::string& text) {
        log::event(level, event, text,
                   {{"run_id", parcel.ending.held.id.to_string()},
                    {"task", parcel.task},
                    {"attempt", std::to_string(parcel.attempt)}});
    };
    Outbox::Events events;
    events.on_written = [&news, fields_of, put_back_until = std::move(put_back_until)](const Parcel& parcel) {
        news.forget(parcel.ending.held);
        const store::Ending& ending = parcel.ending;
        if (ending.delay) put_back_until(*ending.delay);
        if (ending.fate == store::Fate::completed)
            return fields_of(parcel, log::Level::info, "run_completed", parcel.task);
        const std::string why = parcel.task + (ending.error_message.empty() ? "" : ": " + ending.error_message);
        if (ending.fate == store::Fate::failed) return fields_of(parcel, log::Level::warning, "run_failed", why);
        fields_of(parcel, log::Level::info, "run_retry",
                  why + " (" + store::to_string(ending.fate) + ", due " +
                      (ending.delay ? "in " + std::to_string(ending.delay->count()) + " ms" : "at once") + ")");
    };
    events.on_refused = [&news, fields_of](const Parcel& parcel) {
        news.forget(parcel.ending.held);
        fields_of(parcel, log::Level::warning, "result_refused", parcel.task + ": the run is no longer this worker's");
    };
    return events;
}

}  // namespace

Worker::Worker(loop::Loop& loop, const config::Config& config, Doorbell& doorbell, handlers::Handlers& handlers,
               Circumstances circumstances)
    : config_(config),
      doorbell_(doorbell),
      circumstances_(std::move(circumstances)),
      news_(config.limits.log_bytes,
            [this] {
                if (news_may_ask()) arm_timers();
            }),
      flights_(config, handlers, news_, circumstances_.identity.id.to_string(),
               [this](std::optional<Parcel> parcel) {
                   if (parcel) outbox_.add(std::move(*parcel));
                   if (flights_.take_room_made()) looks_.owe();
                   if (!soon_timer_.armed()) soon_timer_.once(Millis{0}, [this] { step(); });
               }),
      outbox_(outbox_events(news_, [this](Millis delay) { put_back_until(delay); })),
      imports_(loop, config, circumstances_.owns_spool, !circumstances_.errand.run, [this] { step(); }),
      neighbours_(config.pool, circumstances_.environment),
      retention_(BootClock::now()),
      promise_(circumstances_.promise),
      database_(loop, place(), circumstances_.identity, config.worker.lease,
                store::Database::Events{.on_open = [this] { on_open(); },
                                        .on_refused = [this](const Error& error) { on_unavailable(error); },
                                        .on_lost = [this](const Error& error) { on_lost(error); },
                                        .on_queue = [this] { looks_.owe(), step(); },
                                        .on_arrival = [this] { on_arrival(); },
                                        .on_taken_away = [this] { held_in_doubt_ = true, step(); }}),
      second_(loop, place(), circumstances_.identity, config.worker.lease,
              config.database.close_after > Millis{0} ? 0 : circumstances_.second_session_at,
              SecondSession::Events{.on_open = [this] { step(); },
                                    .on_answer = [this](const store::Answer& answer) { take_endings(answer), step(); },
                                    .on_given_up =
                                        [this](const Error& error) {
                                            log::event(log::Level::info, "second_session", error.message);
                                            drop_second_session();
                                            step();
                                        }}),
      soon_timer_(loop, "worker.landed"),
      step_timer_(loop, "worker.next"),
      exit_timer_(loop, "worker.exit"),
      answer_timer_(loop, "worker.answer"),
      retry_timer_(loop, "worker.retry"),
      grace_timer_(loop, "worker.grace"),
      errand_timer_(loop, "worker.errand"),
      doze_timer_(loop, "worker.doze") {}

void Worker::start() {
    leaving_times_.grace = config_.worker.shutdown_grace;
    start_errand();
    tell_status("connecting to the database");
    if (circumstances_.first_connect_delay > Millis{0})
        tell_status("waits " + std::to_string(circumstances_.first_connect_delay.count() / 1'000) +
                    " s before it connects, because workers of this pool have failed in a row");
    retry_timer_.once(circumstances_.first_connect_delay, [this] { open_database(); });
}

void Worker::rung() {
    constexpr Millis least_between_tries{5'000};
    looks_.owe();
    if (!database_.is_open() && tries_ > 0 && retry_timer_.armed() && since(last_try_) >= least_between_tries)
        open_database();
    step();
}

bool Worker::is_waiting_for_database() const {
    return state_ < State::leaving && !database_.is_open() && flights_.empty() && shelf_.empty() && outbox_.empty();
}

/// How many more runs may be at work.
int Worker::free_slots() const {
    if (flights_.exclusive()) return 0;
    return std::max(0, config_.worker.concurrency - static_cast<int>(flights_.count() + flights_.given_up()));
}

/// How many more runs may be claimed.
int Worker::wanted() const {
    if (flights_.exclusive()) return 0;
    const int slots = config_.worker.concurrency - static_cast<int>(flights_.count() + flights_.given_up());
    const bool for_all = !circumstances_.errand.run && circumstances_.errand.max_runs == 0;
    const int ahead = for_all ? shelf_.ahead(config_.worker.concurrency) : 0;
    const int most = one_at_a_time_ ? std::min(1, slots) : slots + ahead;
    // Runs are not claimed faster than they are completed: what waits to be written needs its lease, and room here.
    const int behind = static_cast<int>(outbox_.waiting()) - Shelf::most_in_hand;
    return slots_of_errand(std::max(0, most - shelf_.count() - std::max(0, behind)));
}

std::vector<store::Room> Worker::rooms() const {
    auto rooms = flights_.rooms();
    for (store::Room& room : rooms) room.slots -= shelf_.count(room.task);
    return rooms;
}

void Worker::fill_slots(int most) {
    if (state_ >= State::leaving) return;
    for (int i = 0; i < most && free_slots() > 0 && !shelf_.empty(); ++i) {
        auto next = shelf_.take();
        if (auto parcel = flights_.start(std::move(next->run), next->claimed_at)) outbox_.add(std::move(*parcel));
    }
    // What only waited beside a run that has to be alone is not lost with it: it goes back before that one starts.
    if (flights_.exclusive()) give_back(shelf_.take_all());
    if (outbox_.empty() && !on_wire_) flights_.start_alone();
}

void Worker::give_back(std::vector<store::ClaimedRun> runs) {
    for (const store::ClaimedRun& run : runs) {
        store::Ending ending;
        ending.held = run.held;
        ending.fate = store::Fate::handed_back;
        ending.counts = false;
        outbox_.add(Parcel{std::move(ending), run.task, run.attempts + 1});
    }
}

bool Worker::may_look(BootClock::time_point now) const {
    const bool owed = looks_.owed() || fronts_.wait(now) == Millis{0};
    return state_ < State::leaving && owed && wanted() > 0 && looks_.wait(now) <= Millis{0};
}

// Everything that happens ends here.
void Worker::step() {
    if (state_ == State::parting || state_ == State::gone) return;
    if (dozing_ && needs_session(BootClock::now())) wake_up();
    // The first few at once, for whoever waits for them; the others while the next round is on its way.
    constexpr int first_few = 16;
    fill_slots(first_few);
    send_endings();
    keep_promise(BootClock::now());
    send_round();
    if (!shelf_.empty()) {
        fill_slots(shelf_.count());
        send_round();
    }
    if (state_ == State::leaving) {
        step_leaving();
    } else {
        choose_state();
        end_errand_if_done();
    }
    arm_timers();
}

void Worker::choose_state() {
    const bool at_work = !flights_.empty() || !shelf_.empty() || !outbox_.empty();
    const bool look_on_wire = on_wire_ && on_wire_->claim > 0;
    if (at_work) quiet_since_.reset();
    if (!looks_.ever_answered()) {
        enter(State::starting, "no look has been answered yet");
    } else if (look_on_wire || (look_owed() && wanted() > 0)) {
        enter(State::claiming, "a look is owed");
    } else if (at_work || on_wire_ || endings_with_ != Carrier::nobody) {
        enter(State::running, at_work ? "handlers are at work" : "a round is on the wire");
    } else if (database_.is_open() && !promise_.may_be_silent()) {
        enter(State::running, "somebody may rely on another look");
    } else {
        if (!quiet_since_) quiet_since_ = BootClock::now();
        enter(State::idle, "nothing to do");
        second_.quiet();
    }
}

/// The one place that assigns the state.
void Worker::enter(State state, const char* reason) {
    if (state == state_) return;
    log::event(log::Level::debug, "state", std::string(to_string(state_)) + " -> " + to_string(state) + ": " + reason);
    state_ = state;
    switch (state) {
        case State::idle:
            tell_status(imports_.trouble().empty() ? "idle: listening, nothing to do" : imports_.trouble());
            break;
        case State::running:
            tell_status("running");
            break;
        case State::leaving:
            doorbell_.stop();
            exit_timer_.stop();
            if (circumstances_.owns_process) systemd::notify_stopping(std::string("leaving: ") + reason);
            break;
        case State::starting:
        case State::claiming:
        case State::parting:
        case State::gone:
            break;
    }
}

std::optional<Millis> Worker::exit_in() const {
    const bool asked = database_.is_open() || dozing_;  // else nobody knows what is due
    if (state_ != State::idle || on_wire_ || !asked || !circumstances_.leaves_when_idle) return std::nullopt;
    if (config_.worker.idle_exit == Millis{0} || !quiet_since_ || imports_.busy()) return std::nullopt;
    const Millis delay =
        ran_anything_ ? config_.worker.idle_exit : std::min(config_.worker.look_exit, config_.worker.idle_exit);
    return std::max(Millis{0}, delay - since(*quiet_since_));
}

void Worker::arm_timers() {
    if (state_ == State::gone) return;
    const auto now = BootClock::now();
    std::optional<Millis> next;
    const auto consider = [&](std::optional<Millis> wait) {
        if (wait && (!next || *wait < *next)) next = std::max(Millis{0}, *wait);
    };
    consider(flights_.next_lease_event(now));
    consider(shelf_.wait(now));
    if (dozing_ && due_at_) consider(std::chrono::ceil<Millis>(*due_at_ - now));
    if (dozing_) consider(imports_.wait(now));
    if (second_.is_ready()) {
        consider(outbox_.wait(now));
        consider(news_.wait(now));
    }
    if (database_.is_open() && !on_wire_ && !retry_timer_.armed()) {
        consider(outbox_.wait(now));
        if (news_may_ask()) consider(news_.wait(now));
        consider(retention_wait(now));
        if (state_ < State::leaving) consider(imports_.wait(now));
        if (state_ < State::leaving && looks_.ever_answered()) consider(promise_.wait(now));
        if (state_ < State::leaving && wanted() > 0) {
            if (looks_.owed()) consider(looks_.wait(now));
            if (const auto whole = fronts_.wait(now)) consider(std::max(*whole, looks_.wait(now)));
            if (!looks_.owed() && due_at_) consider(std::chrono::ceil<Millis>(*due_at_ - now));
        }
    }
    next ? step_timer_.once(*next, [this] { on_step_time(); }) : step_timer_.stop();
    if (const auto wait = exit_in()) {
        exit_timer_.once(*wait, [this] { on_exit_time(); });
    } else {
        exit_timer_.stop();
    }
    arm_doze();
}

void Worker::on_step_time() {
    const auto now = BootClock::now();
    for (Parcel& parcel : flights_.stop_before_lease_ends(now)) outbox_.add(std::move(parcel));
    give_back(shelf_.overdue(now));
    if (due_at_ && now >= *due_at_) {
        due_at_.reset();
        rescue_wanted_ = true;
        looks_.owe();
    }
    step();
}

// W4: whoever rang until now is answered by this worker; from the decision on nobody is.
void Worker::on_exit_time() {
    if (imports_.anything_new()) return step();
    if (doorbell_.empty_now()) {
        rung();
        return;
    }
    if (!doorbell_.wake_trouble().empty()) {  // tried again after another quiet time
        log::event(log::Level::warning, "wake_file", doorbell_.wake_trouble());
        tell_status(doorbell_.wake_trouble());
        quiet_since_ = BootClock::now();
        return arm_timers();
    }
    if (retains_first()) return;  // its answer leads back here
    log::event(log::Level::info, "idle_exit", ran_anything_ ? "quiet for worker.idle_exit" : "found nothing to run");
    leave("quiet");
}

void Worker::tell_status(const std::string& text) {
    if (circumstances_.owns_process) systemd::notify_status(text);
}

}  // namespace dormouse::worker
