// dormouse logs: what the handlers of one run have said.
#pragma once

#include <optional>
#include <string>

#include "cli/database.h"

namespace dormouse::cli {

struct LogsOptions {
    DatabaseOptions database;
    std::string run;  ///< an id, or the first 8 or more characters of one
    std::optional<int> attempt;
    bool follow = false;
    bool json = false;
};

Outcome logs(const LogsOptions& options);

}  // namespace dormouse::cli
