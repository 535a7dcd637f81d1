// The configuration for people: the rows of `dormouse config`, and the reference of all options that the man
// page and the README carry. Reads the tables and a Loaded; decides nothing.
#pragma once

#include <string>
#include <vector>

#include "config/load.h"

namespace dormouse::config {

struct SettingRow {
    std::string option;  ///< "worker.lease", "task.NAME.timeout"
    std::string value;   ///< effective; secrets redacted; empty if there is none
    std::string origin;  ///< as in Loaded::origins
    std::string help;    ///< one sentence
};

/// One row for each option, then for each task one row for each of its keys.
std::vector<SettingRow> describe(const Loaded& loaded);

/// All options and task keys as plain text: name, default, what is accepted, help, environment variables.
std::string reference();

}  // namespace dormouse::config
