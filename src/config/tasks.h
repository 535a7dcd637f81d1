// The [task.NAME] tables: which keys they have and how they become Tasks. Driven by load.h; tasks come from
// the file only, because a command line or a variable is no place for a command.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "config/config.h"
#include "config/value.h"

namespace dormouse::config {

struct TaskKey {
    Key key;                   ///< key.name without the task; "backoff.base" is `base` in the inline table `backoff`
    Slot (*slot)(Task& task);  ///< the place it fills
};

/// All of them, in the order people write them.
std::span<const TaskKey> task_keys();

/// What is known of tasks that are functions.
struct Functions {
    const std::vector<std::string>& names;  ///< of this program
    bool may_be_others = false;             ///< a task without a command may be one of another program
};

/// Reads the table [task] of `file` into config.tasks.
/// `origins` gets "task.NAME.KEY" for each key that was written. Errors: invalid, "FILE:LINE: KEY: …".
[[nodiscard]] Status read_tasks(const Value& table, const std::string& file, const Functions& functions, Config& config,
                                std::map<std::string, std::string>& origins);

/// Those of `functions` that have no table get all the defaults.
void add_functions(Config& config, const std::vector<std::string>& functions);

}  // namespace dormouse::config
