#include "worker/retention.h"

#include <algorithm>

namespace dormouse::worker {

bool Retention::wanted_before_sleep(Time now) {
    if (rests_until_ && now < *rests_until_) return false;
    if (!way_began_ || now - *way_began_ > same_way) way_began_ = now;
    return now - *way_began_ < patience;
}

Millis Retention::time_left(Time now) const {
    return std::max(Millis{0}, std::chrono::ceil<Millis>(way_began_.value_or(now) + longest_way - now));
}

void Retention::answered(bool did, Time now) {
    next_ = now + (did ? pace : period);
    if (did) {
        rests_until_.reset();
    } else {
        rests_until_ = next_;
    }
}

void Retention::hindered(Time now) {
    next_ = now + again;
    rests_until_ = next_;
}

}  // namespace dormouse::worker
