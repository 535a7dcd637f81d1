// Where a worker's runs are and how it behaves: the same files, environment variables and options as `dormouse worker`
// has. All of it can stay as it is; DATABASE_URL alone is enough.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dormouse {

enum class Level { debug, info, warning, error };

/// One event of the worker's log. The views are valid during the call only.
struct LogEvent {
    Level level;
    std::string_view name;  ///< stable: "run_completed", "database_lost", … (ARCHITECTURE.md, Log events)
    std::string_view text;  ///< for people; may hold control characters that a handler wrote
    std::vector<std::pair<std::string_view, std::string_view>> fields;  ///< "run_id", "task", "attempt", …
};

struct Config {
    /// The pool: its file is /etc/dormouse/POOL.toml ($DORMOUSE_CONFIG_DIR/POOL.toml), which may be missing when
    /// DATABASE_URL says where the runs are. 1 to 63 of A-Z a-z 0-9 _ . -
    std::string pool = "default";

    /// This file instead of the pool's own; it must exist.
    std::optional<std::string> file = std::nullopt;

    /// Options that count more than environment and file: "worker.concurrency=8", "database.url=postgresql://…". The
    /// options are in dormouse.toml(5). A password is fine here, unlike on a command line; tasks are not set here but
    /// in the file's [task.NAME] tables.
    std::vector<std::string> overrides = {};

    /// What is less than this is not logged.
    /// Default: info. At thousands of runs a second `warning` is what you want: info is two lines for each run.
    Level least = Level::info;

    /// Takes the log, one event a call, on the worker's thread; it must be quick and must not throw.
    /// Default: the journal when stderr is the journal, else stderr as text.
    std::function<void(const LogEvent&)> log = nullptr;
};

}  // namespace dormouse
