#include "worker/retention_steps.h"

#include <chrono>
#include <utility>

#include "base/log.h"

namespace dormouse::worker {

bool RetentionSteps::before_sleep(Time now) {
    if (awaited()) return true;
    if (state_ == State::sent) return false;
    state_ = plan_.wanted_before_sleep(now) ? State::before_sleep : State::resting;
    return awaited();
}

std::optional<Millis> RetentionSteps::wait(const Moment& moment) const {
    if (moment.leaving || terms_.lease_presses()) return std::nullopt;
    if (state_ == State::before_sleep) return Millis{0};
    if ((state_ != State::resting && state_ != State::made) || !terms_.beside_work || !terms_.at_work())
        return std::nullopt;
    return plan_.wait(moment.now);
}

bool RetentionSteps::fill(store::Round& round, const Moment& moment) {
    if (wait(moment).value_or(Millis{1}) > Millis{0}) return false;
    store::Retain retain;
    if (terms_.keep > Millis{0}) retain.finished = terms_.keep;
    retain.now = std::chrono::duration_cast<Millis>(std::chrono::system_clock::now().time_since_epoch());
    round.retain = retain;
    state_ = state_ == State::before_sleep ? State::sent_before_sleep : State::sent;
    return true;
}

void RetentionSteps::answered(store::Answer& answer, Time) {
    made_at_ = BootClock::now();
    state_ = state_ == State::sent_before_sleep ? State::made : State::resting;
    const std::string& trouble = answer.retention_trouble;
    const std::string& done = answer.retained;
    if (!trouble.empty()) {
        const bool locked = trouble.starts_with("locked");  // by whoever reads all of it just then: soon over, mostly
        const bool known = trouble == std::exchange(trouble_, trouble) && !done.empty();
        log::event(locked  ? log::Level::info
                   : known ? log::Level::debug
                           : log::Level::warning,
                   "retention", locked ? "tries again later: " + trouble : trouble);
        if (done.empty()) return plan_.hindered(BootClock::now());  // else all others go on
    }
    plan_.answered(!done.empty(), BootClock::now());
    if (!done.empty())
        log::event(done.starts_with("dropped") ? log::Level::info : log::Level::debug, "retention", done);
}

void RetentionSteps::undone() {
    if (awaited() || state_ == State::sent) plan_.hindered(BootClock::now());
    state_ = State::resting;
}

Next RetentionSteps::refused(const store::Refused& refused) {
    undone();
    log::event(log::Level::warning, "retention", "a step was refused, tried again later: " + refused.message);
    return Next::again;
}

}  // namespace dormouse::worker
