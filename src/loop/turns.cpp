#include "loop/turns.h"

#include <algorithm>

namespace dormouse::loop {
namespace {

constexpr int most_turns = 100;
constexpr Millis rest{100};
constexpr Millis pause_between_calls{60'000};

}  // namespace

void Turns::changed() {
    count_ = 0;
    idle_ = false;
    names_.clear();
}

void Turns::fires(const std::string& timer, Millis delay) {
    any_fired_ = true;
    waited_fired_ |= delay > Millis{0};
    if (delay > Millis{0} || idle_ || std::find(names_.begin(), names_.end(), timer) != names_.end()) return;
    names_.push_back(timer);
}

void Turns::turn_ends() {
    if (waited_fired_) {
        changed();
    } else if (any_fired_ && ++count_ >= most_turns && !idle_) {
        idle_ = true;
        if (on_idle_ && (!called_at_ || since(*called_at_) >= pause_between_calls)) {
            called_at_ = BootClock::now();
            std::string names;
            for (const std::string& name : names_) names += (names.empty() ? "" : ", ") + name;
            on_idle_(names);
        }
    }
    any_fired_ = waited_fired_ = false;
}

Millis Turns::suited(Millis delay) const {
    return idle_ && delay <= Millis{0} ? rest : delay;
}

}  // namespace dormouse::loop
