// dormouse wake: rings doorbells, nothing else. Needs no database.
#pragma once

#include <string>

#include "cli/exit_code.h"

namespace dormouse::cli {

struct WakeOptions {
    std::string target;  ///< a pool's name, or the path of a socket if there is a slash in it
    bool all = false;    ///< every pool of this machine
    bool json = false;
};

Outcome wake(const WakeOptions& options);

}  // namespace dormouse::cli
