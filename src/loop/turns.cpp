#include "loop/turns.h"

#include <algorithm>

namespace dormouse::loop {
namespace {

constexpr int most_turns = 100;
constexpr Millis rest{100};
constexpr Millis pause_between_calls{60'000};

}  // namespace

void Turns::changed() {
    streak_ = {0, false, true};
}

void Turns::fires(const std::string& timer, Millis delay) {
    any_fired_ = true;
    waited_fired_ |= delay > Millis{0};
    if (delay <= Millis{0}) name(timer);
}

void Turns::nothing_came_of(const std::string& descriptor, const Streak& before) {
    any_fired_ = true;
    streak_ = before;
    name(descriptor);
}

void Turns::name(const std::string& name) {
    if (!streak_.idle && std::find(names_.begin(), names_.end(), name) == names_.end()) names_.push_back(name);
}

void Turns::turn_ends() {
    if (waited_fired_ || streak_.changed) {
        streak_ = {};
        names_.clear();
    } else if (any_fired_ && ++streak_.count >= most_turns && !streak_.idle) {
        streak_.idle = true;
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
    return streak_.idle && delay <= Millis{0} ? rest : delay;
}

}  // namespace dormouse::loop
