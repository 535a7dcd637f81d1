// dormouse config: each effective value of a pool and where it comes from.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/exit_code.h"

namespace dormouse::cli {

struct ConfigOptions {
    std::string pool;  ///< empty: the only one of this machine
    std::optional<std::string> file;
    std::vector<std::string> sets;
    bool reference = false;  ///< every option there is, with what it takes
    bool json = false;
};

Outcome show_config(const ConfigOptions& options);

}  // namespace dormouse::cli
