// The one table of options, from which the file's keys, the environment's names, --set, `dormouse config` and
// the man page come. To add an option: a field in config.h and a row in options.cpp. The keys of [task.NAME]
// are in tasks.h.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "config/value.h"

namespace dormouse::config {

struct Option {
    Key key;                           ///< key.name is "section.key"
    std::string_view old_environment;  ///< names from before dormouse that are still read, with spaces between
    Slot (*slot)(Config& config);      ///< the place it fills
};

/// All of them, by section.
std::span<const Option> options();

/// The option of that name ("worker.lease"), or nullptr.
const Option* find_option(std::string_view name);

/// DORMOUSE_SECTION_KEY.
std::string environment_name(const Option& option);

/// All variables that set it; of several that are set the first one counts.
std::vector<std::string> environment_names(const Option& option);

/// Those of database.url.
std::vector<std::string> database_variables();

/// The names of all options.
std::vector<std::string> option_names();

/// A Config with every option at its default.
Config defaults();

/// What to say of a key that does not exist: the nearest right one, or what there is. `what` is "key" or
/// "table".
std::string unknown(std::string_view what, std::string_view name, const std::vector<std::string>& known);

}  // namespace dormouse::config
