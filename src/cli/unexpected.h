// What to say of an argument that a command does not have: what the caller most likely means, and what takes its place.
// Used by parse.cpp.
#pragma once

#include <string>
#include <vector>

#include "cli/parse_parts.h"

namespace dormouse::cli {

/// One sentence for the first of `given`, which `command` does not expect (at least one).
std::string say_unexpected(const CLI::App& command, const std::vector<std::string>& given);

}  // namespace dormouse::cli
