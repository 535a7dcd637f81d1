#include "base/backoff.h"

#include <algorithm>
#include <random>

namespace dormouse {
namespace {

Millis::rep ceiling(Millis base, Millis max, int tries) {
    Millis::rep delay = std::max<Millis::rep>(base.count(), 0);
    for (int i = 0; i < tries && delay < max.count(); ++i) delay *= 2;
    return std::min(delay, max.count());
}

Millis between(Millis::rep least, Millis::rep most) {
    static thread_local std::minstd_rand dice{std::random_device{}()};
    return Millis{std::uniform_int_distribution<Millis::rep>(least, std::max(least, most))(dice)};
}

}  // namespace

Millis full_jitter(Millis base, Millis max, int tries) {
    return between(0, ceiling(base, max, tries));
}

Millis longest_pause(Millis max, Millis lost_for, bool suspends) {
    constexpr Millis soon{5'000};
    constexpr Millis ten_minutes{600'000};
    return suspends || lost_for >= ten_minutes ? max : std::min(max, soon);
}

Millis half_jitter(Millis base, Millis max, int tries) {
    const Millis::rep most = ceiling(base, max, tries);
    return between(most / 2, most);
}

}  // namespace dormouse
