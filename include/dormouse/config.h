// Where a worker finds its runs and how it behaves: the same files, environment variables and options as for
// `dormouse worker`. Everything has a default; DATABASE_URL alone is enough.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dormouse {

enum class Level { debug, info, warning, error };

/// One event of the worker's log. The views are valid only during the call.
struct LogEvent {
    Level level;
    std::string_view name;  ///< stable: "run_completed", "database_lost", … (ARCHITECTURE.md, Log events)
    std::string_view text;  ///< for people; may contain control characters written by a handler
    std::vector<std::pair<std::string_view, std::string_view>> fields;  ///< "run_id", "task", "attempt", …
};

struct Config {
    /// The pool: its file is /etc/dormouse/POOL.toml ($DORMOUSE_CONFIG_DIR/POOL.toml), which may be missing if
    /// DATABASE_URL is set. 1 to 63 of A-Z a-z 0-9 _ . -
    std::string pool = "default";

    /// A file to use instead of the pool's own; it must exist.
    std::optional<std::string> file = std::nullopt;

    /// Options that override environment and file: "worker.concurrency=8", "database.url=postgresql://…".
    /// dormouse.toml(5) lists them. A password is allowed here, unlike on a command line. Tasks cannot be set here,
    /// only in the file's [task.NAME] tables.
    std::vector<std::string> overrides = {};

    /// Events below this level are not logged.
    /// Default: info. For thousands of runs a second use `warning`: info is two lines per run.
    Level least = Level::info;

    /// Receives the log, one event per call, on the worker's thread; it must be quick and must not throw.
    /// Default: the journal if stderr is the journal, else text on stderr.
    std::function<void(const LogEvent&)> log = nullptr;
};

}  // namespace dormouse
