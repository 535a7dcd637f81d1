#include "worker/state.h"

#include <cstdlib>
#include <string>

#include "base/log.h"

namespace dormouse::worker {

const char* to_string(State state) {
    switch (state) {
        case State::starting:
            return "starting";
        case State::claiming:
            return "claiming";
        case State::running:
            return "running";
        case State::idle:
            return "idle";
        case State::leaving:
            return "leaving";
        case State::parting:
            return "parting";
        case State::abandoning:
            return "abandoning";
        case State::gone:
            return "gone";
    }
    return "gone";
}

bool may_follow(State from, State to) {
    if (to == State::gone) return true;
    const bool last_round = to == State::parting || to == State::abandoning;
    return from >= State::leaving ? from == State::leaving && last_round : to != State::starting && !last_round;
}

void demand_edge(State from, State to, const char* reason) {
    if (may_follow(from, to)) return;
    log::event(log::Level::error, "state",
               std::string("no way from ") + to_string(from) + " to " + to_string(to) + ": " + reason);
    std::abort();
}

}  // namespace dormouse::worker
