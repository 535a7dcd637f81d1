// A worker in this process: its loop is turned by the test until something has happened, its doorbell is a real socket,
// its handlers are real processes, and the test decides when those end. Used by tests of the worker.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "config/config.h"
#include "config/load.h"
#include "handlers/registry.h"
#include "loop/loop.h"
#include "loop/timer.h"
#include "support/cluster.h"
#include "worker/worker.h"

namespace dormouse::testing {

/// Tasks that every bench has:
///   echo   the result is the payload
///   fail   exits 3 and says why; two attempts, next one at once
///   later  exits 75 the first time, then completes; due again at once
///   hold   says that it has started, then waits for PoolTasks::release(); "0" completes it
///   stubborn  like hold, but is not ended by SIGTERM
///   ghost  its program does not exist until make_ghost() is called
class PoolTasks {
  public:
    PoolTasks();

    /// The tables of these tasks for a pool's file.
    [[nodiscard]] std::string toml() const;
    /// Ends one handler that holds, with this exit code.
    void release(int exit_code = 0) const;
    void make_ghost() const;
    /// The ids of the runs whose `hold` handlers have started, in order; an id comes once for each start.
    [[nodiscard]] std::vector<std::string> started() const;
    /// The process ids of those handlers, in the same order.
    [[nodiscard]] std::vector<int> processes() const;
    [[nodiscard]] const std::string& directory() const { return directory_.path(); }

  private:
    [[nodiscard]] std::vector<std::string> lines(const std::string& name) const;
    void script(const std::string& name, const std::string& text) const;

    TemporaryDirectory directory_;
    UniqueFd gate_;
};

struct PoolBenchOptions {
    std::string worker{};    ///< lines of [worker], e.g. "concurrency = 1"
    std::string database{};  ///< lines of [database] besides the url
    std::string rest{};      ///< more tables
    bool leaves_when_idle = false;
    bool starts = true;                 ///< else the test calls worker().start()
    config::Environment environment{};  ///< where other pools are
    int second_session_at = 128;        ///< as in worker::Circumstances
    Millis first_connect_delay{0};      ///< likewise
    worker::Promise::Terms promise{};   ///< whether it may promise to look again
    std::string state_directory{};      ///< as systemd gives it to a unit; empty: a worker in the foreground
};

class PoolBench {
  public:
    explicit PoolBench(const std::string& url, const PoolBenchOptions& options = {}, const PoolTasks* tasks = nullptr);
    ~PoolBench();
    PoolBench(const PoolBench&) = delete;
    PoolBench& operator=(const PoolBench&) = delete;

    [[nodiscard]] worker::Worker& worker() { return *worker_; }
    [[nodiscard]] loop::Loop& loop() { return loop_; }
    [[nodiscard]] const config::Config& config() const { return config_; }
    [[nodiscard]] const PoolTasks& tasks() const { return *tasks_; }
    [[nodiscard]] const std::optional<worker::Farewell>& farewell() const { return farewell_; }
    [[nodiscard]] const Uuid& id() const { return id_; }
    /// The pool's file: for a second worker, which is a process of its own (two in one process would end each other's
    /// handlers).
    [[nodiscard]] const std::string& file() const { return file_; }
    /// Where ring() connects to.
    [[nodiscard]] const std::string& bell() const { return bell_; }
    void ring() const;
    /// The pool's spool, and where Postgres would write its wake file.
    [[nodiscard]] std::string spool() const;
    [[nodiscard]] std::string wake_file() const;
    /// Rings that nobody has answered; they are answered by this.
    bool rings_are_left() { return doorbell_->empty_now(); }

    /// Turns the loop until `happened`; false when the deadline has passed without.
    bool until(const std::function<bool()>& happened, Millis deadline = Millis{20'000});
    bool until_idle();
    bool until_gone();
    /// Turns the loop for so long, and tells how many turns that took: a loop that is busy takes thousands.
    int turns_within(Millis time);
    [[nodiscard]] std::uint64_t statements() const { return worker_->database().statements_sent(); }

  private:
    log::OfThisThread log_;  ///< fails the test where a worker says that the program is wrong
    std::unique_ptr<PoolTasks> own_tasks_;
    const PoolTasks* tasks_;
    TemporaryDirectory directory_;
    std::string bell_;
    std::string file_;
    config::Config config_;
    loop::Loop loop_;
    Uuid id_;
    std::optional<worker::Farewell> farewell_;
    std::unique_ptr<worker::Doorbell> doorbell_;
    std::unique_ptr<worker::Predecessors> predecessors_;
    std::unique_ptr<handlers::Handlers> handlers_;
    std::unique_ptr<worker::Worker> worker_;
};

/// A pool's file with these options and tasks.
std::string pool_toml(const std::string& url, const PoolBenchOptions& options, const PoolTasks& tasks);
/// A listening unix socket, as systemd would pass it.
UniqueFd listen_at(const std::string& path);
/// Connects and hangs up; false when nobody listens or it would block.
bool ring_at(const std::string& path);
/// Whether a process of that id is there and not a zombie.
bool process_lives(int pid);

}  // namespace dormouse::testing
