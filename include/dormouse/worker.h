// A worker for the runs of one pool, in a program of your own: its tasks are functions of the program. It is the same
// worker as `dormouse worker`, with the same doorbells, leases and ways to leave (docs/embedding.md).
//
//   dormouse::Worker worker{{.pool = "thumbnails"}};
//   worker.task("ping", [](dormouse::Run& run) { return dormouse::Result::completed(); });
//   return worker.run();
//
// Threads: the worker's own (in run() the caller's) talks to the database; functions are called on others, made when
// there is work, worker.concurrency (32) at most. All members of Worker are for one thread, except stop().
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
    /// What executes the runs of a task. It is called on several threads at once. What it throws becomes a failure: the
    /// exception's type is the class, what() the message.
    using Function = std::function<Result(Run&)>;

    /// Reads the environment, and nothing else yet.
    explicit Worker(Config config = {});
    /// Asks functions that are at work to stop, as stop() does, but at once; then waits until every function has
    /// returned, however long that takes: they may hold what your program is about to destroy.
    ~Worker();
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    /// Registers the function of a task. A [task.NAME] table in the pool's file may say timeout, max_attempts and
    /// backoff; without one the defaults hold (1 h, 5, 5 s to 10 min). Payload and result are JSON text:
    /// Run::payload(), Result::json(). Throws std::logic_error for a name that is taken, or once the worker was
    /// started.
    void task(const std::string& name, Function function);

    /// The same with the payload as a value, and the result too if you like: `function` takes (Run&, const Payload&)
    /// and returns Result, something that to_json() knows, or nothing. In typed.h. A payload that from_json() refuses
    /// fails its run, permanently, as `bad_payload`, with the place: "/items/3/price: expected number, found string".
    template <typename Payload, typename Callable>
    void task(const std::string& name, Callable function);

    /// The whole life of a program that is nothing but a worker, called from main() before there are other threads. It
    /// takes SIGTERM and SIGINT, systemd's sockets and watchdog, reports readiness and writes the due file as
    /// `dormouse worker` does, so a unit of dormouse's can start it. What is wrong with configuration or database does
    /// not end it: it says so and tries again. Returns the exit code: 0 if it has left in order.
    ///
    /// If a function that was given up is still at work at the end, the process ends here, by _exit() with that code
    /// and flushed stdio: main() is not returned to, destructors and atexit() handlers are left out.
    int run();

    /// A guest beside your own main loop: on a thread of its own, without signal handlers, without a word to systemd,
    /// and it never leaves by itself. Several Workers in one process are fine. Returns at once; the database may come
    /// later. Throws std::runtime_error if the configuration cannot be used, naming the place and the remedy.
    void start();

    /// Ends what start() began: claims nothing from now on; what is at work may finish for half of `timeout`, then is
    /// asked to stop and has a quarter to do so; what has not ended is handed back. True: nothing is left, and start()
    /// may be called again. False: after `timeout` a function has still not returned, or the database has not taken the
    /// last results; call it again to go on waiting. From any thread but the functions'.
    [[nodiscard]] bool stop(std::chrono::milliseconds timeout);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace dormouse
