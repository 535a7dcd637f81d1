// What is odd about an environment: variables of the workers before dormouse that mean nothing here, and
// variables that look like ours and are not. Driven by load.h, which turns the right ones into options.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "config/config.h"

namespace dormouse::config {

/// One line for each odd variable, naming it and what to use instead; never its value. A variable that `config` passes
/// on to a handler is that handler's.
std::vector<std::string> odd_variables(const std::map<std::string, std::string>& environment, const Config& config);

}  // namespace dormouse::config
