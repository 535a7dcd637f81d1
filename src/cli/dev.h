// dormouse dev: a pool for local development. Everything it does is in libexec/dormouse-dev, which is what a person
// would type; this finds it and becomes it.
#pragma once

#include <string>

#include "cli/exit_code.h"

namespace dormouse::cli {

struct DevOptions {
    std::string config;        ///< a pool's file; empty: one task that says hello
    std::string database_url;  ///< empty: the file's, else a private Postgres
    std::string idle_exit;     ///< empty: 10 s
    bool foreground = false;   ///< without systemd
};

/// Does not return unless the program cannot be started.
Outcome dev(const DevOptions& options);

}  // namespace dormouse::cli
