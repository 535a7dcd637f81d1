// dormouse prove: violence against a pool that is made for it on this host and server, and the account of every run.
// What is done is in libexec/dormouse-prove; this finds the server, says how it is reached, and becomes it.
#pragma once

#include <string>

#include "cli/exit_code.h"

namespace dormouse::cli {

struct ProveOptions {
    std::string database_url;  ///< empty: DATABASE_URL, else the Postgres of this machine, else a private one
    std::string duration;      ///< empty: 45 s
    int seed = -1;             ///< negative: drawn
    bool dry_run = false;
    bool json = false;
};

/// Does not return unless the program cannot be started. Ends with 0 (proven) or 1.
Outcome prove(const ProveOptions& options);

}  // namespace dormouse::cli
