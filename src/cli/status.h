// dormouse status: the pools, the queues and what is wrong with them, on one screen.
#pragma once

#include "cli/database.h"

namespace dormouse::cli {

struct StatusOptions {
    DatabaseOptions database;
    bool json = false;
};

Outcome status(const StatusOptions& options);

}  // namespace dormouse::cli
