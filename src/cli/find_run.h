// The run that somebody means by a piece of its id. Used by the commands that take ids.
#pragma once

#include <string>

#include "cli/exit_code.h"
#include "postgres/blocking.h"

namespace dormouse::cli {

/// The lowest and highest id that begin with `prefix`: 8 to 32 hex digits, hyphens where they belong or
/// nowhere. Fails with usage.
struct IdRange {
    std::string low;
    std::string high;
};
Try<IdRange> ids_from(const std::string& prefix);

struct FoundRun {
    std::string id;
    std::string queue;
};
/// Fails with usage (no id; several begin like this) or not_found.
Try<FoundRun> find_run(postgres::BlockingConnection& connection, const std::string& prefix);

}  // namespace dormouse::cli
