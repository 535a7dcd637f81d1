// A worker for the runs of one pool, in a program of your own: its tasks are functions of the program. It is the same
// worker as `dormouse worker`, with the same doorbells, leases and shutdown (docs/embedding.md).
//
//   dormouse::Worker worker{{.pool = "thumbnails"}};
//   worker.task("ping", [](dormouse::Run& run) { return dormouse::Result::completed(); });
//   return worker.run();
//
// Threads: one thread, in run() the caller's, talks to the database. Functions are called on other threads, created
// when there is work, at most worker.concurrency (32). All members of Worker, except stop(), must be called from one
// thread.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "dormouse/config.h"
#include "dormouse/result.h"
#include "dormouse/run.h"

namespace dormouse {

class Worker {
  public:
    /// Executes the runs of a task. It is called on several threads at once. An exception becomes a failure: its type
    /// is the class, its what() the message.
    using Function = std::function<Result(Run&)>;

    /// Reads only the environment.
    explicit Worker(Config config = {});
    /// Requests running functions to stop, like stop(), but at once; then waits until every function has returned,
    /// however long that takes, because they may use what your program is about to destroy.
    ~Worker();
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    /// Registers the function of a task. A [task.NAME] table in the pool's file may set timeout, max_attempts and
    /// backoff; otherwise the defaults apply (1 h, 5, 5 s to 10 min). Payload and result are JSON text: Run::payload(),
    /// Result::json(). Throws std::logic_error if the name is taken, or if the worker has been started.
    void task(const std::string& name, Function function);

    /// The same with the payload, and optionally the result, as a value: `function` takes (Run&, const Payload&) and
    /// returns Result, a type with a to_json(), or nothing. Defined in typed.h. If from_json() refuses a payload, its
    /// run fails for good as `bad_payload`, with the location: "/items/3/price: expected number, found string".
    template <typename Payload, typename Callable>
    void task(const std::string& name, Callable function);

    /// Runs a program that is only a worker. Call it from main() before you create other threads. Like `dormouse
    /// worker`, it handles SIGTERM and SIGINT, systemd's sockets and watchdog, reports readiness and writes the due
    /// file, so a dormouse unit can start it. It does not exit because of an error in configuration or database: it
    /// logs the error and tries again. Returns the exit code: 0 after an orderly shutdown.
    ///
    /// If an abandoned function is still running at the end, run() does not return to main(): it flushes stdio and ends
    /// the process by _exit() with that code, without destructors and atexit() handlers.
    int run();

    /// Starts the worker next to your own main loop: on a separate thread, without signal handlers and without
    /// notifying systemd. It never exits by itself. One process may have several Workers. Returns at once; the database
    /// need not be available yet. Throws std::runtime_error, naming place and remedy, if the configuration is invalid.
    void start();

    /// Stops the worker started by start(). It claims no more runs. Running functions may finish for half of `timeout`,
    /// then are requested to stop and have a quarter to do so; unfinished runs are handed back. True: nothing is left,
    /// and start() may be called again. False: after `timeout` a function has still not returned, or the database has
    /// not accepted the last results; call it again to continue waiting. Call it from any thread except the functions'.
    [[nodiscard]] bool stop(std::chrono::milliseconds timeout);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace dormouse
