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

}  // namespace dormouse::worker
