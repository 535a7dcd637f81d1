// dormouse migrate: the schema of this release, or a word on what is there.
#pragma once

#include "cli/database.h"

namespace dormouse::cli {

struct MigrateOptions {
    DatabaseOptions database;
    bool roles = false;          ///< only the roles and their grants
    bool local_wake = false;     ///< only the triggers that wake this machine's pools
    bool no_local_wake = false;  ///< only remove them
    bool adopt = false;          ///< a superuser trusts the owner of the schema that is there
    bool check = false;          ///< change nothing; the exit code tells whether the schema fits
    bool json = false;
    std::string wait = "60s";  ///< for whoever holds a lock
};

Outcome migrate(const MigrateOptions& options);

}  // namespace dormouse::cli
