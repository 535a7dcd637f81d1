// dormouse show: everything there is to know about one run.
#pragma once

#include "cli/database.h"

namespace dormouse::cli {

struct ShowOptions {
    DatabaseOptions database;
    std::string run;  ///< an id, or the first 8 or more characters of one
    bool json = false;
};

Outcome show(const ShowOptions& options);

/// The lowest and highest id that begin with `prefix`: 8 to 32 hex digits, hyphens where they belong or
/// nowhere. Fails with usage.
struct IdRange {
    std::string low;
    std::string high;
};
Try<IdRange> ids_from(const std::string& prefix);

}  // namespace dormouse::cli
