// A pool in somebody's program: on the calling thread for the whole of the program's life, or on a thread of its own as
// a guest. Made and driven by dormouse::Worker, whose public headers it does not know; it is the only file here that
// knows Pool.
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "handlers/in_process_run.h"

namespace dormouse::loop {
class Async;
}

namespace dormouse::embed {

struct Settings {
    std::string pool;
    std::optional<std::string> file;
    std::vector<std::string> overrides;
    log::Level least = log::Level::info;
    log::Take take;  ///< empty: stderr or the journal
};

class Host {
  public:
    explicit Host(Settings settings) : settings_(std::move(settings)) {}
    /// Asks what is at work to stop, and waits for it.
    ~Host();
    Host(const Host&) = delete;
    Host& operator=(const Host&) = delete;

    /// The exit code. Does not return if functions that were given up are still at work: the process ends.
    int run(const handlers::Functions& functions);
    /// Returns why the configuration cannot be used; empty: the guest's thread is there.
    [[nodiscard]] std::string start(handlers::Functions functions);
    /// True: the guest's thread has ended, or there is none.
    [[nodiscard]] bool stop(Millis timeout);

  private:
    struct Times {
        Millis grace;
        Millis patience;
        Millis last_writes;
    };
    void live(const handlers::Functions& functions);
    void ask(const Times& times);

    const Settings settings_;
    std::mutex join_mutex_;
    std::thread thread_;  ///< guarded by join_mutex_
    std::mutex mutex_;
    // guarded by mutex_
    std::condition_variable ended_changed_;
    bool ended_ = true;
    std::optional<Times> times_;    ///< asked to leave
    loop::Async* knock_ = nullptr;  ///< while the guest's loop runs
};

}  // namespace dormouse::embed
