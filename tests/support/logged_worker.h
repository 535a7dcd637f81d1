// A worker as a process of its own whose log can be read while it runs: which event was said, when, how often. Used by
// tests of what a worker says, and of what it does while its database is away.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "support/pool_bench.h"
#include "support/process.h"

namespace dormouse::testing {

struct LoggedEvent {
    Millis at;          ///< wall clock, since the epoch
    std::string level;  ///< debug, info, warning, error
    std::string name;
    std::string text;  ///< with its fields, name=value
};

class LoggedWorker {
  public:
    /// Starts `dormouse worker logged --verbose` with PoolTasks, these options and this environment. `before`: what the
    /// shell that starts it is told first, e.g. "ulimit -n 48".
    explicit LoggedWorker(const std::string& url, const PoolBenchOptions& options = {},
                          std::map<std::string, std::string> environment = {}, std::vector<std::string> arguments = {},
                          const std::string& before = ":");

    [[nodiscard]] const PoolTasks& tasks() const { return tasks_; }
    [[nodiscard]] Process& process() { return *process_; }
    /// The pool's file.
    [[nodiscard]] std::string file() const { return directory_.path() + "/logged.toml"; }
    /// Another pool's file in its place, at once.
    void configure(const std::string& url, const PoolBenchOptions& options) const;
    [[nodiscard]] std::vector<LoggedEvent> events() const;
    /// Events of that name that are louder than debug.
    [[nodiscard]] std::vector<LoggedEvent> said(const std::string& name) const;
    /// Those of debug too.
    [[nodiscard]] std::vector<LoggedEvent> all(const std::string& name) const;
    [[nodiscard]] bool until_said(const std::string& name, std::size_t times = 1) const;
    [[nodiscard]] std::string log() const;

  private:
    TemporaryDirectory directory_;
    PoolTasks tasks_;
    std::unique_ptr<Process> process_;
};

}  // namespace dormouse::testing
