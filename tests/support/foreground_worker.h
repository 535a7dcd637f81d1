// A worker as a process of its own, in the foreground, as somebody starts it in a terminal. Used by tests of commands
// that look at workers from outside.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "support/pool_bench.h"
#include "support/process.h"

namespace dormouse::testing {

class ForegroundWorker {
  public:
    /// Starts it for a pool "front" that has PoolTasks; its row is there when this returns.
    /// `orphan`: the shell that started it, and with it the session, is gone.
    /// `state_directory`: its STATE_DIRECTORY. `arguments`: more of its command line.
    explicit ForegroundWorker(TestDatabase& database, bool orphan = false, const std::string& state_directory = {},
                              const std::vector<std::string>& arguments = {});
    ~ForegroundWorker();
    ForegroundWorker(const ForegroundWorker&) = delete;
    ForegroundWorker& operator=(const ForegroundWorker&) = delete;

    [[nodiscard]] const PoolTasks& tasks() const { return tasks_; }
    [[nodiscard]] pid_t pid() const { return pid_; }
    /// Enqueues a run of that task and waits for its handler; its id.
    std::string hold(const std::string& task = "hold");
    void kill();  ///< SIGKILL, and its end is waited for

  private:
    TestDatabase& database_;
    PoolTasks tasks_;
    TemporaryDirectory directory_;
    std::unique_ptr<Process> process_;
    pid_t pid_ = 0;
};

/// Looks again and again until it is so, for rows in a table: nobody tells of those. False after 20 s.
bool eventually(const std::function<bool()>& happened);

}  // namespace dormouse::testing
