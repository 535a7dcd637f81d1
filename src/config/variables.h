// The variables that handlers get besides the small, listed environment (handlers/command.cpp): of the worker's own,
// those that the file names, and those that it sets. Worked out when the configuration is read.
#pragma once

#include <array>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "config/config.h"
#include "config/value.h"

namespace dormouse::config {

/// What every program that a pool's file names gets of our own environment; nothing in it is a secret.
inline constexpr std::array inherited_variables{"PATH",   "HOME", "USER",   "LOGNAME", "LANG",
                                                "LC_ALL", "TZ",   "TMPDIR", "SHELL"};

/// Reads a table of NAME = "value" into `variables`. Errors: invalid, "found …, expected …" with the name and without
/// the value, which may be a secret; the line is that of `line`.
Status read_variables(const Value& table, Variables& variables, int& line);

/// Whether `name` is one that `patterns` name: as it is, or with a * at the end of the pattern. Never what is between
/// systemd and the worker, or ours.
bool is_passed(std::string_view name, const std::vector<std::string>& patterns);

/// Fills Task::variables of all tasks: what is passed of `environment`, then what the pool's file sets for all, then
/// what the task sets.
void resolve_variables(Config& config, const std::map<std::string, std::string>& environment);

}  // namespace dormouse::config
