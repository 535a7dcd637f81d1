// One pool's configuration from everything that can say something about it: flag > environment > file >
// default. Called by the commands at their start, and again by a worker whose configuration was wrong. Logs
// nothing: what is odd but no error comes back as warnings. Every error is one line that names the place, the
// key, what was found and what is expected; none holds a secret.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "config/config.h"

namespace dormouse::config {

/// Names and values. A variable that is set to nothing counts as not set.
using Environment = std::map<std::string, std::string>;

struct Sources {
    std::string pool;
    std::optional<std::string> file;     ///< --config: this file instead of the pool's own; it must exist
    std::vector<std::string> sets;       ///< --set, in order: "section.key=value"; the last of a key counts
    Environment environment;             ///< of_process(), or whatever a test wants
    std::vector<std::string> functions;  ///< tasks whose functions are in this program: handler = "in_process"
    bool may_be_functions = false;       ///< a task without a command is taken for a function of whatever the worker is
    bool is_program = false;  ///< `sets` are what a program says of itself: no command line, so nobody sees a password
    bool tasks_required = false;    ///< true for what executes runs: a pool without a task can do nothing
    bool database_required = true;  ///< false for commands that only ring or print: url and file may be missing
};

struct Loaded {
    Config config;
    /// "worker.lease" or "task.NAME.KEY" → "flag", "environment NAME", "file PATH:LINE", "credential PATH" or
    /// "default".
    std::map<std::string, std::string> origins;
    std::vector<std::string> warnings;  ///< one line each, for the log or stderr
};

/// This process's environment. Call it before there are threads.
Environment of_process();

/// Fails unless `name` can be a pool's (base/pool_name.h); the message says what can.
[[nodiscard]] Status check_pool_name(std::string_view name);

/// The directory of the pools' files: /etc/dormouse, or what DORMOUSE_CONFIG_DIR says.
std::string directory(const Environment& environment);

/// The file that load() reads, whether it exists or not: what a worker watches while its configuration is
/// wrong. Meaningless for a pool name that check_pool_name() refuses.
std::string file_of(const Sources& sources);

/// The pools that have a file in directory(), sorted. Empty if there is none or it cannot be read.
std::vector<std::string> pools(const Environment& environment);

/// Reads all sources and checks all of what they say, also what a stronger source overrides. When
/// $CREDENTIALS_DIRECTORY/pgpass exists, it becomes config.database.passfile.
/// Errors: invalid for anything a person has to correct; denied or transient for a file that cannot be read.
Result<Loaded> load(const Sources& sources);

/// Checks what the flags and the environment say by themselves: what is wrong with them no change of the file mends.
/// Errors: as of load().
[[nodiscard]] Status check_given(const Sources& sources);

}  // namespace dormouse::config
