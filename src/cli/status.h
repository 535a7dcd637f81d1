// dormouse status: the pools, the queues and what is wrong with them, on one screen.
#pragma once

#include "cli/database.h"

namespace dormouse::cli {

struct StatusOptions {
    DatabaseOptions database;
    bool json = false;
    bool all = false;      ///< each pool and queue, however many there are
    bool check = false;    ///< one line and an exit code for a monitor, see status()
    bool watch = false;    ///< the screen again and again, for somebody at a terminal
    bool at_rest = false;  ///< what is known without the database, see at_rest.h
};

/// Exit::ok: all is well; Exit::attention: something needs a person. With `check`, as monitoring plugins do: 0 well, 1
/// warning, 2 critical, 3 unknown.
Outcome status(const StatusOptions& options);

}  // namespace dormouse::cli
