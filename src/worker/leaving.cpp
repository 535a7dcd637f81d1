#include "worker/leaving.h"

#include <algorithm>
#include <utility>

#include "base/crash_point.h"
#include "base/log.h"
#include "systemd/notify.h"

namespace dormouse::worker {
namespace {

constexpr Millis systemd_margin{20'000};
constexpr Millis longest_farewell{1'000};  ///< to be told what is due, for who has given up
constexpr Millis commit_takes{500};        ///< somebody has woken us and not committed yet: look again after so long

}  // namespace

Leaving::Leaving(loop::Loop& loop, const config::Config& config, Doorbell& doorbell, const Circumstances& circumstances,
                 Life& life, Participants& parts, Rest& rest, Events events)
    : config_(config),
      doorbell_(doorbell),
      circumstances_(circumstances),
      life_(life),
      parts_(parts),
      rest_(rest),
      events_(std::move(events)),
      times_{.grace = config.worker.shutdown_grace},
      timer_(loop, "worker.grace"),
      errand_timer_(loop, "worker.errand"),
      retention_timer_(loop, "worker.errand_retention") {}

void Leaving::start() {
    const Millis timeout = circumstances_.errand.timeout;
    if (timeout > Millis{0})
        errand_timer_.once(timeout, [this] { end_errand(ErrandEnd::timed_out, "its time is over"); });
}

void Leaving::take_standing(const std::string& standing) {
    if (standing.empty()) return end_errand(ErrandEnd::run_not_found, "there is no such run");
    if (standing == "completed") return end_errand(ErrandEnd::done, "its run is completed");
    if (standing == "failed") return end_errand(ErrandEnd::run_failed, "its run has failed");
    if (standing == "canceled") return end_errand(ErrandEnd::run_canceled, "its run is canceled");
}

void Leaving::end_errand_if_done() {
    const Errand& errand = circumstances_.errand;
    if (life_.state() != State::idle) return;
    if (errand.max_runs > 0 && parts_.claims.attempts_made() >= errand.max_runs)
        return end_errand(ErrandEnd::done, "it has made its attempts");
    if (!errand.drain || parts_.imports.at_work()) return;
    const Time now = BootClock::now();
    RetentionSteps& retention = parts_.retention;
    const bool too_long = retention.awaited() && retention.time_left(now) <= Millis{0};
    if (!too_long && parts_.database().is_open() && retention.before_sleep(now)) {
        retention_timer_.once(std::max(Millis{0}, retention.time_left(now)), [this] { events_.on_change(); });
        if (parts_.database().state() == store::Wire::State::open) events_.on_soon();
        return;
    }
    end_errand(ErrandEnd::done, "nothing is due");
}

void Leaving::end_errand(ErrandEnd end, const char* reason) {
    if (life_.leaves()) return;
    errand_end_ = end;
    leave(reason);
    if (end == ErrandEnd::timed_out) stop_handlers();
}

void Leaving::terminate() {
    ++signals_;
    log::event(log::Level::info, "worker_pool_signal_received",
               signals_ == 1 ? "leaving: running handlers may finish" : "leaving: the grace ends now");
    if (!life_.leaves()) return leave("signal");
    if (lost_session() || life_.state() == State::gone) return;
    signals_ == 1 && life_.handed_over() ? begin_grace() : stop_handlers();
}

void Leaving::within(Times times) {
    times_ = times;
    if (!life_.leaves()) return leave("asked to");
    if (life_.state() == State::leaving && signals_ == 0) timer_.once(times.grace, [this] { stop_handlers(); });
}

void Leaving::hand_over() {
    if (life_.leaves()) return;
    life_.hand_over();
    leave("a successor takes over");
}

void Leaving::leave(const char* reason) {
    const bool resting = parts_.database().state() == store::Wire::State::closed;
    if (!life_.handed_over() && doorbell_.answer_wake_file() && resting)
        parts_.claims.owe();  // else the last round asks what was meant by it
    life_.enter(State::leaving, reason);
    parts_.promises.promise().withdraw();
    parts_.reports.outbox().last_try();
    crash_point("exit.decided");
    for (Parcel& parcel : parts_.flights.give_up_waiting()) parts_.reports.outbox().add(std::move(parcel));
    parts_.claims.give_back_all();
    log::event(log::Level::info, "worker_pool_shutting_down",
               std::string(reason) + ", " + std::to_string(parts_.flights.count()) + " runs in flight");
    if (!life_.handed_over()) begin_grace();
    events_.on_soon();
}

void Leaving::begin_grace() {
    if (circumstances_.owns_process)
        systemd::extend_stop_timeout(times_.grace + times_.patience + times_.last_writes + systemd_margin);
    timer_.once(times_.grace, [this] { stop_handlers(); });
}

void Leaving::step() {
    using Wire = store::Wire::State;
    const Wire wire = parts_.database().state();
    if (!parts_.flights.empty() || parts_.rounds.awaits_answer() || !parts_.reports.outbox().settled()) return;
    if (wire == Wire::opening || parts_.imports.is_finishing()) return;
    const bool takes_words = wire != Wire::lost && parts_.rounds.trouble().empty();  // else nobody waits for that
    if (takes_words && parts_.reports.has_last_words(BootClock::now())) return;
    if (wire == Wire::waiting && parts_.sleepy()) return;  // it is not woken by another session
    if (wire == Wire::waiting) {  // a step of retention: it comes to its own end, nobody waits for it
        parts_.rounds.close();
        return rest_.open_session();
    }
    part(State::parting, "everything is written");
}

void Leaving::stop_handlers() {
    parts_.imports.abandon();
    const Millis patience = parts_.flights.empty() ? Millis{0} : times_.patience;
    for (Parcel& parcel : parts_.flights.stop_all(patience)) parts_.reports.outbox().add(std::move(parcel));
    crash_point("handlers.stopped");
    // Whoever asks again wants it sooner.
    const Time now = BootClock::now();
    gives_up_at_ = std::min(gives_up_at_, now + patience + times_.last_writes);
    timer_.once(std::max(Millis{0}, std::chrono::ceil<Millis>(gives_up_at_ - now)), [this] { give_up(); });
    events_.on_change();
}

/// Whoever comes next is told when the leases are over, if that can still be asked.
void Leaving::give_up() {
    log::event(log::Level::error, "worker_pool_shutting_down",
               "gave up on " + std::to_string(parts_.flights.count()) +
                   " handlers or on writing results; their leases will end");
    if (life_.state() != State::leaving || parts_.database().state() != store::Wire::State::open)
        return be_gone(Farewell{});
    timer_.once(longest_farewell, [this] { be_gone(Farewell{}); });
    part(State::abandoning, "what is left is left behind");
}

bool Leaving::lost_session() {
    if (!life_.in_last_round()) return false;
    be_gone(Farewell{life_.state() == State::parting, false, std::nullopt});
    return true;
}

void Leaving::part(State state, const char* reason) {
    if (parts_.database().state() == store::Wire::State::closed) return be_gone(last_word());
    if (!parts_.database().is_open()) return be_gone(Farewell{true, false, std::nullopt});
    life_.enter(state, reason);
    const bool whole = state == State::parting;
    parts_.rounds.close_second();
    store::Round round;
    round.leave = parts_.registry.registered() && whole;
    round.promise = parts_.promises.promise().last();
    const bool must_rest = round.promise.rest;
    round.ask_waking = !life_.handed_over() && doorbell_.may_have_wake_files();
    round.release_forgotten = parts_.claims.doubts() && parts_.rounds.held().empty() && whole;
    parts_.claims.fill_due(round);
    parts_.measures.ask(round);  // and no fences: what is left behind is for whoever looks when its lease is over
    parts_.claims.answered_by_another_round(
        BootClock::now());  // its answer knows of everything that we were told of until now
    parts_.rounds.send_last(round, [this, must_rest, whole](auto answer) {
        if (!answer) return be_gone(Farewell{whole, false, std::nullopt});
        parts_.measures.take_backlog(answer->backlog);
        // Who still relies on us commits later: nobody is told of that, so nobody knows what is due.
        Farewell farewell{whole, !must_rest || answer->rested, answer->due_in};
        if (parts_.claims.owed()) farewell.due = Millis{0};  // told of work after the decision
        if (answer->waking && (!farewell.due || *farewell.due > commit_takes)) farewell.due = commit_takes;
        bound_sleep(farewell);
        be_gone(farewell);
    });
}

/// Without asking anew: what was due when the session was closed.
Farewell Leaving::last_word() const {
    const auto& due = parts_.claims.due();
    Farewell farewell{true, due.known, std::nullopt};
    if (due.at) farewell.due = std::max(Millis{0}, std::chrono::ceil<Millis>(*due.at - BootClock::now()));
    if (parts_.claims.owed()) farewell.due = Millis{0};
    bound_sleep(farewell);
    return farewell;
}

void Leaving::bound_sleep(Farewell& farewell) const {
    const Millis max_sleep = config_.wake.max_sleep;
    if (max_sleep > Millis{0} && (!farewell.due || *farewell.due > max_sleep)) farewell.due = max_sleep;
}

void Leaving::be_gone(Farewell farewell) {
    if (life_.state() == State::gone) return;
    life_.enter(State::gone, "the end");
    farewell.errand = errand_end_;
    parts_.reports.tell_left_behind();
    parts_.imports.abandon();
    errand_timer_.stop();
    retention_timer_.stop();
    events_.on_gone();
    // On a turn of its own: this may run inside a callback of the session.
    timer_.once(Millis{0}, [this, farewell] {
        parts_.measure();
        parts_.rounds.close_second();
        parts_.rounds.wire().close();
        crash_point("session.closed");
        const auto call = circumstances_.on_gone;
        call(farewell);
    });
}

}  // namespace dormouse::worker
