#include "worker/looks.h"

#include <algorithm>

namespace dormouse::worker {

Millis Looks::wait(Time now) const {
    return gap_ - std::chrono::duration_cast<Millis>(now - last_sent_);
}

void Looks::sent(Time now) {
    if (now - last_sent_ > forgotten_after) gap_ = Millis{0};
    owed_ = false;
    last_sent_ = now;
}

void Looks::answered(bool found) {
    ever_answered_ = true;
    gap_ = found ? Millis{0} : std::clamp(gap_ * 2, Millis{5}, longest_gap);
}

}  // namespace dormouse::worker
