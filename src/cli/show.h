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

}  // namespace dormouse::cli
