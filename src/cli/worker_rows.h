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
    std::string state;      ///< awake, left
    std::string condition;  ///< live, idle, dead, left; dead too when its process is proven to be gone
    std::string evidence;
    std::int64_t runs = 0;
    double started_at = 0;
    std::optional<double> left_at;
    std::optional<double> lease_until;
    std::vector<std::string> queues;
    Presence presence;
};

struct WorkerRows {
    double now = 0;  ///< the database's
    std::vector<WorkerRow> rows;
};

enum class Which { awake, all, of_this_host };

/// The newest first. `of_this_host`: those that have left as well, by the host's name or, which may have changed, its
/// boot.
Try<WorkerRows> read_workers(postgres::BlockingConnection& connection, Which which);

}  // namespace dormouse::cli
