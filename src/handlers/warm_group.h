// The warm processes of all tasks that share them, and the runs that wait for one. Made by Handlers, driven by
// WarmHandler and by its processes. Decides when a process is started, which run goes where, and when a process is not
// needed any more. It must not read what a process says: that is WarmProcess's work.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "config/config.h"
#include "handlers/child.h"
#include "handlers/handler.h"
#include "handlers/warm_process.h"
#include "loop/timer.h"

namespace dormouse::handlers {

class WarmGroup {
  public:
    /// `task` is any of those that share the processes; `host` outlives the group.
    WarmGroup(const ChildHost& host, config::Task task, config::Limits limits);
    /// Kills all processes; listeners hear no more.
    ~WarmGroup() = default;
    WarmGroup(const WarmGroup&) = delete;
    WarmGroup& operator=(const WarmGroup&) = delete;

    /// Whether runs of `task` go to processes like these.
    [[nodiscard]] bool shared_by(const config::Task& task) const;
    /// As Handler::start() and stop().
    void start(RunSpec spec, RunListener& listener);
    void stop(const Uuid& id, StopReason reason, Millis patience);
    /// No run will come any more: processes end as soon as they have none.
    void retire();

  private:
    struct Waiting {
        RunSpec spec;
        RunListener* listener;
        bool told = false;  ///< its log says what it waits for
    };
    /// A task whose runs have ended their process: they wait, and nobody else's.
    struct Pause {
        int deaths = 0;  ///< in a row, without a completed run of it between
        BootClock::time_point until{};
    };

    /// Gives waiting runs to processes, and starts processes for those that are left.
    void pump();
    /// The one with the most room; null: none has any.
    [[nodiscard]] WarmProcess* roomiest() const;
    [[nodiscard]] bool knows(const Uuid& id) const;
    /// How many wait that are not paused.
    [[nodiscard]] std::size_t ready() const;
    [[nodiscard]] bool paused(const std::string& task) const;
    void pause(const std::set<std::string>& tasks);
    void watch_pauses();
    void tell_paused();
    void start_processes();
    void start_process();
    void on_hello(const WarmProcess& process);
    void on_landed(Landing landing);
    void on_gone(const WarmProcess& process, WarmProcess::Farewell farewell);
    /// A process could not be started, or never said hello.
    void on_not_started(const std::string& reason);
    void back_off();
    void watch_idle();
    void on_idle_time();
    void refuse(const Waiting& waiting, std::string message);
    /// From a later turn.
    void tell(Landing landing);

    ChildHost host_;
    config::Task task_;
    config::Limits limits_;
    std::deque<Waiting> waiting_;
    std::vector<std::unique_ptr<WarmProcess>> processes_;  ///< also those that are on their way out
    std::size_t expected_concurrency_ = 0;                 ///< what the last hello said; 0: none has come yet
    int failures_ = 0;                                     ///< of starts, in a row, without a completed run between
    std::map<std::string, Pause> pauses_;
    std::string start_failure_;  ///< of the last start; empty: it went well
    std::vector<Landing> later_;
    loop::Timer later_timer_;
    loop::Timer pause_timer_;    ///< armed while a paused run waits
    loop::Timer backoff_timer_;  ///< armed: no process is started now
    loop::Timer idle_timer_;     ///< armed only while a process is idle, or was a moment ago
};

}  // namespace dormouse::handlers
