// dormouse scale: a pool executes another number of runs at once for a while; its file stays as it is.
#pragma once

#include <optional>
#include <string>

#include "cli/database.h"

namespace dormouse::cli {

struct ScaleOptions {
    DatabaseOptions database;
    std::string pool;
    std::optional<long long> concurrency;  ///< none: only says what is in force, or takes it back
    std::string lasting;                   ///< --for
    std::string reason;
    bool reset = false;
    bool json = false;
};

/// Does it, and says what is in force. Exits: usage (a number, a time or a worker that does not allow it), not_found
/// (no such pool).
Outcome scale(const ScaleOptions& options);

}  // namespace dormouse::cli
