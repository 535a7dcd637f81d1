// Which pools execute another number of runs at once than they are configured for (dormouse scale), and how that is
// told. Used by scale and status.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "cli/exit_code.h"
#include "postgres/blocking.h"

namespace dormouse::cli {

struct ScaledPool {
    std::string name;
    std::int64_t concurrency = 0;
    double until = 0;
    std::string by;  ///< the login
    double at = 0;
    std::string reason;  ///< empty: none was given
};

/// Those that are scaled now, by name; only the pool `only`, if it is not empty.
Try<std::vector<ScaledPool>> scaled_pools(postgres::BlockingConnection& connection, const std::string& command,
                                          const std::string& only = {});

/// "4 or 8".
std::string any_of_these(const std::set<std::int64_t>& numbers);
/// "16 runs at once until 2026-03-01 08:00:00 +0100 (in 59 min), said alice 1 min ago; 4 by the configuration". Safe
/// for a terminal. `configured`: what the workers of the pool have said; empty: none was seen.
std::string scaled_text(const ScaledPool& pool, const std::set<std::int64_t>& configured, double now);
/// As a JSON object.
std::string scaled_json(const ScaledPool& pool);

}  // namespace dormouse::cli
