#include "worker/state.h"

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
        case State::gone:
            return "gone";
    }
    return "gone";
}

bool may_follow(State from, State to) {
    if (to == State::gone) return true;
    if (from >= State::leaving) return from == State::leaving && to == State::parting;
    return to != State::starting && to != State::parting;
}

}  // namespace dormouse::worker
