#include "promise/promise.h"

#include <algorithm>

#include "base/backoff.h"

namespace dormouse::promise {

void Promise::opened() {
    state_ = State::apart;
    kept_out_ = false;
    tries_ = 0;
    next_try_ = {};
}

bool Promise::full_for_too_long(Time now) const {
    return full_since_ && now - *full_since_ >= terms_.full;
}

bool Promise::wants_to_give(Time now) const {
    return terms_.promises && streak_ >= terms_.after && now - last_found_ <= terms_.apart && now >= next_give_;
}

store::PromiseAct Promise::wanted(Time now) const {
    store::PromiseAct act;
    switch (state_) {
        case State::apart:
        case State::listed:
            if (now < next_try_) break;
            act.enlist = state_ == State::apart;
            act.rest = true;
            break;
        case State::rested:
            act.give = wants_to_give(now);
            break;
        case State::given:
            act.enlist = act.rest = full_for_too_long(now);
            break;
    }
    return act;
}

store::PromiseAct Promise::last() const {
    store::PromiseAct act;
    if (!terms_.rests || state_ == State::rested) return act;
    act.enlist = state_ != State::listed;
    act.rest = true;
    return act;
}

std::optional<Millis> Promise::wait(Time now) const {
    const auto until = [now](Time at) { return std::max(Millis{0}, std::chrono::ceil<Millis>(at - now)); };
    switch (state_) {
        case State::apart:
        case State::listed:
            return until(next_try_);
        case State::rested:
            return std::nullopt;  // what makes it want to promise is a look
        case State::given:
            return full_since_ ? std::optional(until(*full_since_ + terms_.full)) : std::nullopt;
    }
    return std::nullopt;
}

void Promise::sent(const store::PromiseAct& act) {
    if (act.give) state_ = State::given;
    if (act.enlist) withdraw();
}

void Promise::answered(const store::PromiseAct& act, const store::Answer& answer, Time now) {
    if (act.give && !answer.promised) {
        withdraw();  // was not registered after all
        next_give_ = now + terms_.pause;
    }
    if (act.enlist && answer.enlisted) state_ = State::listed;
    if (act.rest && answer.rested && state_ == State::listed) state_ = State::rested;
    if (!act.rest) return;
    kept_out_ = state_ == State::apart && answer.rested;
    const bool steady = state_ == State::rested || state_ == State::apart;  // no reason to become slower
    if (state_ == State::apart) next_try_ = now + terms_.pause;
    if (state_ == State::listed) next_try_ = now + half_jitter(terms_.pause, terms_.longest_pause, tries_);
    tries_ = steady ? 0 : tries_ + 1;
}

void Promise::failed(const store::PromiseAct& act) {
    if (act.give) withdraw();
}

void Promise::looked(bool found, Time now) {
    if (found) {
        streak_ = now - last_found_ <= terms_.apart ? streak_ + 1 : 1;
        last_found_ = now;
    } else if (state_ == State::given && now - last_found_ >= terms_.linger) {
        withdraw();
    }
}

void Promise::room(bool any, Time now) {
    if (any) {
        full_since_.reset();
    } else if (!full_since_) {
        full_since_ = now;
    }
}

void Promise::withdraw() {
    if (state_ != State::given) return;
    state_ = State::apart;
    next_try_ = {};
    streak_ = 0;
}

}  // namespace dormouse::promise
