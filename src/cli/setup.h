// dormouse setup: from the installed package to a pool that works, as a sequence of steps, each of which is also shown
// as the command that a person would type. What is there already is left alone.
#pragma once

#include <string>

#include "cli/exit_code.h"

namespace dormouse::cli {

struct SetupOptions {
    std::string url;              ///< as an administrator; empty: DATABASE_URL, else the Postgres of this machine
    std::string create_database;  ///< make this one, and set it up
    std::string pool = "default";
    std::string login = "dormouse";  ///< of the pool
    std::string application;         ///< a login that may enqueue; empty: none
    bool dry_run = false;            ///< only show the commands
    bool no_systemd = false;         ///< leave the switch alone
    bool json = false;
};

/// Looks at everything first: when a step is refused, nothing has been done. Errors name what is missing and who can
/// do it.
Outcome setup(const SetupOptions& options);

}  // namespace dormouse::cli
