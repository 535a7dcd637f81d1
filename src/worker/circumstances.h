// What a worker is given, and how it ends.
#pragma once

#include <functional>
#include <optional>

#include "config/load.h"
#include "promise/promises.h"
#include "store/wire.h"
#include "worker/errand.h"
#include "worker/flights.h"
#include "worker/measures.h"
#include "worker/predecessors.h"

namespace dormouse::worker {

/// How a worker ended.
struct Farewell {
    bool graceful = false;      ///< nothing was left behind: the registry knows, and `due` is true
    bool due_known = false;     ///< the database said when somebody must look next
    std::optional<Millis> due;  ///< none: nothing is due, ever
    ErrandEnd errand = ErrandEnd::none;
};

/// Who makes the pool's spool if there is none.
enum class SpoolOwner {
    nobody,      ///< a guest in somebody's program takes what is there
    foreground,  ///< so does a worker in the foreground, which makes one where it may
    unit,        ///< the pool's own worker makes it
};

struct Circumstances {
    store::Identity identity;
    Predecessors* predecessors = nullptr;  ///< outlives the worker; none: nobody is known to be dead
    Errand errand;
    bool leaves_when_idle = true;     ///< false in the foreground, unless told
    bool owns_process = true;         ///< false: a guest in somebody's program, who tells systemd what there is to tell
    promise::Promise::Terms promise;  ///< whether it may promise to look again
    int second_session_at = 128;      ///< see SecondWire; 0: never
    SpoolOwner owns_spool = SpoolOwner::nobody;
    Millis first_connect_delay{0};     ///< after crashes in a row
    metrics::Tally* tally = nullptr;   ///< outlives the worker; none: nobody counts
    traces::Tracer* tracer = nullptr;  ///< likewise
    config::Environment environment;   ///< in which the files of this machine's other pools are read
    Elsewhere elsewhere;               ///< what its predecessors in this process still execute
    std::function<void()> on_room;     ///< after hand_over(): a run is over, its slot is a successor's
    std::function<void(Farewell)> on_gone;
};

}  // namespace dormouse::worker
