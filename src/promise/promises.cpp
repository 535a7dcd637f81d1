#include "promise/promises.h"

namespace dormouse::promise {

bool Promises::fill(store::Round& round, const rounds::Moment& moment) {
    if (moment.first_look || moment.leaving) return false;
    act_ = promise_.wanted(moment.now);
    round.promise = act_;
    promise_.sent(act_);
    return act_.any();
}

void Promises::answered(store::Answer& answer, Time) {
    promise_.answered(std::exchange(act_, {}), answer, BootClock::now());
}

std::optional<Millis> Promises::wait(const rounds::Moment& moment) const {
    if (moment.first_look || moment.leaving || !open_) return std::nullopt;
    return promise_.wait(moment.now);
}

}  // namespace dormouse::promise
