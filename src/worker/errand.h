// What a worker in the foreground was started for, if not to serve its queues until it is told to stop.
#pragma once

#include <optional>

#include "base/clock.h"
#include "base/uuid.h"

namespace dormouse::worker {

struct Errand {
    std::optional<Uuid> run;  ///< this run alone, of whatever queue, until it is terminal, however it becomes so
    bool drain = false;       ///< until nothing is due
    int max_runs = 0;         ///< until so many attempts have been made; 0: no bound
    Millis timeout{0};        ///< no longer than that; then handlers are ended and handed back. 0: no bound

    [[nodiscard]] bool any() const { return run || drain || max_runs > 0 || timeout > Millis{0}; }
};

/// How it ended.
enum class ErrandEnd {
    none,
    done,
    run_failed,
    run_canceled,
    run_not_found,
    timed_out,
    no_configuration,
    unknown_task,  ///< the run is handed back to whoever has its task
    stopped,       ///< by a signal, before it was done
};

}  // namespace dormouse::worker
