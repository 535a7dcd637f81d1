// Every way to end that is not a crash: an errand is done, or somebody says so. Handlers finish or are stopped, endings
// are written, and the last round asks what is due.
#include "base/crash_point.h"
#include "base/log.h"
#include "systemd/notify.h"
#include "worker/worker.h"

namespace dormouse::worker {
namespace {

constexpr Millis systemd_margin{20'000};
constexpr Millis longest_farewell{1'000};  ///< to be told what is due, for who has given up
constexpr Millis commit_takes{500};        ///< somebody has woken us and not committed yet: look again after so long

}  // namespace

void Worker::take_standing(const std::string& standing) {
    if (standing.empty()) return end_errand(ErrandEnd::run_not_found, "there is no such run");
    if (standing == "completed") return end_errand(ErrandEnd::done, "its run is completed");
    if (standing == "failed") return end_errand(ErrandEnd::run_failed, "its run has failed");
    if (standing == "canceled") return end_errand(ErrandEnd::run_canceled, "its run is canceled");
}

void Worker::end_errand_if_done() {
    const Errand& errand = circumstances_.errand;
    if (state_ != State::idle) return;
    if (errand.max_runs > 0 && claims_.attempts_made() >= errand.max_runs)
        return end_errand(ErrandEnd::done, "it has made its attempts");
    if (!errand.drain || imports_.at_work()) return;
    const Time now = BootClock::now();
    const bool too_long = retention_.awaited() && retention_.time_left(now) <= Millis{0};
    if (!too_long && database().is_open() && retention_.before_sleep(now)) {
        exit_timer_.once(retention_.time_left(now), [this] { step(); });
        if (database().state() == store::Wire::State::open) soon_timer_.once(Millis{0}, [this] { step(); });
        return;
    }
    end_errand(ErrandEnd::done, "nothing is due");
}

void Worker::end_errand(ErrandEnd end, const char* reason) {
    if (state_ >= State::leaving) return;
    errand_end_ = end;
    leave(reason);
    if (end == ErrandEnd::timed_out) stop_handlers();
}

void Worker::terminate() {
    ++terminations_;
    log::event(log::Level::info, "worker_pool_signal_received",
               terminations_ == 1 ? "leaving: running handlers may finish" : "leaving: the grace ends now");
    if (state_ < State::leaving) return leave("signal");
    if (state_ == State::leaving && handed_over_ && terminations_ == 1) return begin_grace();
    if (in_last_round()) return be_gone(Farewell{state_ == State::parting, false, std::nullopt});
    if (state_ == State::leaving) stop_handlers();
}

void Worker::leave_within(Millis grace, Millis patience, Millis last_writes) {
    leaving_times_ = {grace, patience, last_writes};
    if (state_ < State::leaving) return leave("asked to");
    if (state_ == State::leaving && terminations_ == 0) grace_timer_.once(grace, [this] { stop_handlers(); });
}

void Worker::hand_over() {
    if (state_ >= State::leaving) return;
    handed_over_ = true;
    leave("a successor takes over");
}

void Worker::leave(const char* reason) {
    const bool resting = database().state() == store::Wire::State::closed;
    if (!handed_over_ && doorbell_.answer_wake_file() && resting)
        claims_.owe();  // else the last round asks what was meant by it
    enter(State::leaving, reason);
    promises_.promise().withdraw();
    reports_.outbox().last_try();
    crash_point("exit.decided");
    for (Parcel& parcel : flights_.give_up_waiting()) reports_.outbox().add(std::move(parcel));
    claims_.give_back_all();
    log::event(log::Level::info, "worker_pool_shutting_down",
               std::string(reason) + ", " + std::to_string(flights_.count()) + " runs in flight");
    if (!handed_over_) begin_grace();
    soon_timer_.once(Millis{0}, [this] { step(); });
}

void Worker::begin_grace() {
    const LeavingTimes& times = leaving_times_;
    if (circumstances_.owns_process)
        systemd::extend_stop_timeout(times.grace + times.patience + times.last_writes + systemd_margin);
    grace_timer_.once(times.grace, [this] { stop_handlers(); });
}

void Worker::step_leaving() {
    using Wire = store::Wire::State;
    if (!flights_.empty() || rounds_.awaits_answer() || !reports_.outbox().settled()) return;
    if (database().state() == Wire::opening || imports_.is_finishing()) return;
    if (database().state() == Wire::waiting && sleepy()) return;  // it is not woken by another session
    if (database().state() == Wire::waiting) {  // a step of retention: it comes to its own end, nobody waits for it
        rounds_.close();
        return open_database();
    }
    part(State::parting, "everything is written");
}

void Worker::stop_handlers() {
    imports_.abandon();
    const Millis patience = flights_.empty() ? Millis{0} : leaving_times_.patience;
    for (Parcel& parcel : flights_.stop_all(patience)) reports_.outbox().add(std::move(parcel));
    crash_point("handlers.stopped");
    grace_timer_.once(patience + leaving_times_.last_writes, [this] { give_up(); });
    step();
}

/// Whoever comes next is told when the leases are over, if that can still be asked.
void Worker::give_up() {
    log::event(
        log::Level::error, "worker_pool_shutting_down",
        "gave up on " + std::to_string(flights_.count()) + " handlers or on writing results; their leases will end");
    if (state_ != State::leaving || database().state() != store::Wire::State::open) return be_gone(Farewell{});
    grace_timer_.once(longest_farewell, [this] { be_gone(Farewell{}); });
    part(State::abandoning, "what is left is left behind");
}

void Worker::part(State state, const char* reason) {
    if (database().state() == store::Wire::State::closed) return be_gone(last_word());
    if (!database().is_open()) return be_gone(Farewell{true, false, std::nullopt});
    enter(state, reason);
    const bool whole = state == State::parting;
    rounds_.second().close();
    store::Round round;
    round.leave = registry_.registered() && whole;
    round.promise = promises_.promise().last();
    const bool must_rest = round.promise.rest;
    round.ask_waking = !handed_over_ && doorbell_.may_have_wake_files();
    round.release_forgotten = claims_.doubts() && rounds_.held().empty() && whole;
    claims_.fill_due(round);
    measures_.ask(round);  // and no fences: what is left behind is for whoever looks when its lease is over
    claims_.answered_by_another_round(
        BootClock::now());  // its answer knows of everything that we were told of until now
    rounds_.send_last(round, [this, must_rest, whole](auto answer) {
        if (!answer) return be_gone(Farewell{whole, false, std::nullopt});
        measures_.take_backlog(answer->backlog);
        // Who still relies on us commits later: nobody is told of that, so nobody knows what is due.
        Farewell farewell{whole, !must_rest || answer->rested, answer->due_in};
        if (claims_.owed()) farewell.due = Millis{0};  // told of work after the decision
        if (answer->waking && (!farewell.due || *farewell.due > commit_takes)) farewell.due = commit_takes;
        bound_sleep(farewell);
        be_gone(farewell);
    });
}

void Worker::bound_sleep(Farewell& farewell) const {
    const Millis max_sleep = config_.wake.max_sleep;
    if (max_sleep > Millis{0} && (!farewell.due || *farewell.due > max_sleep)) farewell.due = max_sleep;
}

void Worker::be_gone(Farewell farewell) {
    if (state_ == State::gone) return;
    enter(State::gone, "the end");
    farewell.errand = errand_end_;
    reports_.tell_left_behind();
    imports_.abandon();
    for (loop::Timer* timer : {&soon_timer_, &step_timer_, &exit_timer_, &start_timer_, &errand_timer_, &doze_timer_})
        timer->stop();
    // On a turn of its own: this may run inside a callback of the session.
    grace_timer_.once(Millis{0}, [this, farewell] {
        measure();
        rounds_.second().close();
        rounds_.wire().close();
        crash_point("session.closed");
        const auto call = circumstances_.on_gone;
        call(farewell);
    });
}

}  // namespace dormouse::worker
