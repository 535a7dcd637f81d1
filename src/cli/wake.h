// dormouse wake: rings doorbells, nothing else. Needs no database.
#pragma once

#include <string>
#include <vector>

#include "cli/exit_code.h"

namespace dormouse::cli {

struct WakeOptions {
    std::string target;           ///< a pool's name, or the path of a socket if there is a slash in it
    std::vector<std::string> to;  ///< HOST:PORT of doorbells on other hosts
    bool all = false;             ///< every pool of this machine
    bool json = false;
};

Outcome wake(const WakeOptions& options);

}  // namespace dormouse::cli
