// Every way to end that is not a crash: handlers finish or are stopped, endings are written, and the last round asks
// what is due.
#include "base/crash_point.h"
#include "base/log.h"
#include "systemd/notify.h"
#include "worker/worker.h"

namespace dormouse::worker {
namespace {

constexpr Millis systemd_margin{20'000};
constexpr Millis commit_takes{500};  ///< somebody has woken us and not committed yet: look again after so long

}  // namespace

void Worker::terminate() {
    ++terminations_;
    log::event(log::Level::info, "worker_pool_signal_received",
               terminations_ == 1 ? "leaving: running handlers may finish" : "leaving: the grace ends now");
    if (state_ < State::leaving) return leave("signal");
    if (state_ == State::parting) return be_gone(Farewell{true, false, std::nullopt});
    if (state_ == State::leaving) stop_handlers();
}

void Worker::leave_within(Millis grace, Millis patience, Millis last_writes) {
    leaving_times_ = {grace, patience, last_writes};
    if (state_ < State::leaving) return leave("asked to");
    if (state_ == State::leaving && terminations_ == 0) grace_timer_.once(grace, [this] { stop_handlers(); });
}

void Worker::leave(const char* reason) {
    if (doorbell_.answer_wake_file() && dozing_) looks_.owe();  // else the last round asks what was meant by it
    enter(State::leaving, reason);
    promise_.withdraw();
    crash_point("exit.decided");
    for (Parcel& parcel : flights_.give_up_waiting()) outbox_.add(std::move(parcel));
    give_back(shelf_.take_all());
    log::event(log::Level::info, "worker_pool_shutting_down",
               std::string(reason) + ", " + std::to_string(flights_.count()) + " runs in flight");
    const LeavingTimes& times = leaving_times_;
    if (circumstances_.owns_process)
        systemd::extend_stop_timeout(times.grace + times.patience + times.last_writes + systemd_margin);
    grace_timer_.once(times.grace, [this] { stop_handlers(); });
    step();
}

void Worker::step_leaving() {
    const bool awaited = on_wire_ && !on_wire_->retain;  // nobody waits for a step of retention
    if (!flights_.empty() || awaited || endings_with_ != Carrier::nobody) return;
    if (!outbox_.empty()) return;
    if (step_is_too_long_) leave_step_behind();
    if (database_.is_opening()) return;
    part();
}

void Worker::stop_handlers() {
    for (Parcel& parcel : flights_.stop_all(leaving_times_.patience)) outbox_.add(std::move(parcel));
    crash_point("handlers.stopped");
    grace_timer_.once(leaving_times_.patience + leaving_times_.last_writes, [this] {
        log::event(log::Level::error, "worker_pool_shutting_down",
                   "gave up on " + std::to_string(flights_.count()) +
                       " handlers or on writing results; their leases will end");
        be_gone(Farewell{});
    });
    step();
}

void Worker::part() {
    if (dozing_) return be_gone(last_word());
    if (!database_.is_open()) return be_gone(Farewell{true, false, std::nullopt});
    enter(State::parting, "everything is written");
    second_.close();
    store::Round round;
    round.leave = registered_;
    round.promise = promise_.last();
    const bool must_rest = round.promise.rest;
    round.ask_waking = doorbell_.may_have_wake_files();
    round.release_forgotten = forgotten_wanted_;  // nothing is held any more
    round.ask_due = true;
    looks_.sent(BootClock::now());  // its answer knows of everything that we were told of until now
    await_answer();
    database_.exchange(std::move(round), [this, must_rest](const Result<store::Answer>& answer) {
        if (!answer) return be_gone(Farewell{true, false, std::nullopt});
        // Who still relies on us commits later: nobody is told of that, so nobody knows what is due.
        Farewell farewell{true, !must_rest || answer->rested, answer->due_in};
        if (looks_.owed()) farewell.due = Millis{0};  // told of work after the decision
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
    for (loop::Timer* timer :
         {&soon_timer_, &step_timer_, &exit_timer_, &answer_timer_, &retry_timer_, &errand_timer_, &doze_timer_})
        timer->stop();
    // On a turn of its own: this may run inside a callback of the session.
    grace_timer_.once(Millis{0}, [this, farewell] {
        second_.close();
        database_.close();
        crash_point("session.closed");
        const auto call = circumstances_.on_gone;
        call(farewell);
    });
}

}  // namespace dormouse::worker
