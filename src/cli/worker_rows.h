// The workers as the database and, for those of this host, the process table know them. Used by workers and reap.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/exit_code.h"
#include "cli/process_alive.h"
#include "postgres/blocking.h"

namespace dormouse::cli {

struct WorkerRow {
    std::string id;
    std::string pool;
    ProcessMark mark;
    std::string unit;
    std::string version;
    std::string state;      ///< awake, resting, left
    std::string condition;  ///< live, idle, dead, left; dead too when its process is proven to be gone
    std::string ended;      ///< how, of those that are dead or have left: left, rested, replaced, reaped, abandoned, …
    std::string evidence;
    std::int64_t runs = 0;
    double started_at = 0;
    std::optional<double> left_at;
    std::optional<double> lease_until;
    std::optional<double> seen_at;  ///< the last proof of life
    std::int64_t concurrency = 0;   ///< in force; 0: unknown
    std::int64_t configured = 0;    ///< by its configuration, whatever `dormouse scale` says; 0: unknown
    std::string run;                ///< it executes this one alone; empty: what its queues hold
    std::string run_status;         ///< and how that stands; gone: there is none
    [[nodiscard]] bool run_is_over() const;
    std::vector<std::string> queues;
    Presence presence;
};

struct WorkerRows {
    double now = 0;  ///< the database's
    std::vector<WorkerRow> rows;
};

enum class Which { awake, all, of_this_host, last };

/// The newest first. `awake`: and those that died within a day or hold runs. `of_this_host`: those that have left as
/// well, by the host's name or, which may have changed, its boot; and of other hosts whose only run is over. `last`:
/// what status shows, by pool: those that live or hold runs, and of each host the last one.
Try<WorkerRows> read_workers(postgres::BlockingConnection& connection, Which which);

}  // namespace dormouse::cli
