// dormouse alert --test: sends one message on every way that a pool's [alerts] name. The work is dormouse-alert's.
#pragma once

#include <optional>
#include <string>

#include "cli/exit_code.h"

namespace dormouse::cli {

struct AlertOptions {
    std::string pool;                 ///< empty: the only one of this machine
    std::optional<std::string> file;  ///< --config
    bool test = false;
    bool json = false;
};

/// Does not return unless the program cannot be started.
Outcome alert(const AlertOptions& options);

}  // namespace dormouse::cli
