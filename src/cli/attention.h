// What needs a person, of all that `dormouse status` has seen: each with what is wrong and the command that mends it or
// says more.
#pragma once

#include <string>
#include <vector>

#include "cli/overview.h"

namespace dormouse::cli {

enum class Severity {
    warning,   ///< something is not as it should be
    critical,  ///< runs wait, and nobody comes for them by itself
};

struct Attention {
    Severity level = Severity::warning;
    std::string about;   ///< "pool mail", "queue urgent", "task thumbnail", …
    std::string text;    ///< what is wrong
    std::string remedy;  ///< a command, or what else to do
};

/// In the order in which they should be looked at: critical ones first.
std::vector<Attention> attention(const Overview& overview);

}  // namespace dormouse::cli
