// dormouse status --at-rest: the pools of this machine as they are known without their databases, which may be asleep
// and stay so. From the units over the bus, from what dormouse-due has left in the runtime directory, and from the
// metrics of the last worker. Connects to no database.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/overview.h"

namespace dormouse::cli {

struct AtRestOptions {
    std::string pool;  ///< this one alone; empty: all
    bool json = false;
};

struct TaskTotals {
    std::string task;
    std::int64_t completed = 0;
    std::int64_t failed = 0;
    std::int64_t canceled = 0;
    std::int64_t retried = 0;
};

/// What the last worker has counted.
struct LastMetrics {
    std::string file;
    std::string problem;  ///< why nothing is known; empty: it is
    double written_at = 0;
    std::optional<bool> left;        ///< a worker wrote that it left, and not that it is awake
    std::optional<double> next_due;  ///< infinity: nothing is due, ever
    std::vector<TaskTotals> totals;  ///< of all times
};

struct PoolAtRest {
    std::string state;  ///< asleep, awake, starting, leaving, off, failed, masked; unknown: no unit of systemd
    std::optional<systemd::UnitAtRest> unit;
    std::int64_t failures = 0;  ///< ends in a row after which nobody knew what is due
    std::string ended;          ///< what dormouse-due has noted of the last bad end
    LastMetrics metrics;
};

/// Of a pool that overview_of_this_machine() has found.
PoolAtRest pool_at_rest(const PoolSeen& pool, const std::optional<systemd::UnitAtRest>& unit);

/// When it must look next, in words; `now` in seconds since 1970.
std::string due_text(const PoolAtRest& pool, double now);

/// Exit::ok: all is well; Exit::attention: a pool is off, its worker has ended badly, or a doorbell is missing.
Outcome status_at_rest(const AtRestOptions& options);

}  // namespace dormouse::cli
