// What `worker --check` does with handlers: it starts a process of each warm task as far as its hello and lets it leave
// again, and looks at what the other tasks would start. Made by Handlers, on the loop's thread. It gives no process a
// run.
#pragma once

#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "config/config.h"
#include "handlers/child.h"
#include "handlers/warm_process.h"
#include "loop/timer.h"

namespace dormouse::handlers {

/// What is known of a task's handler after that.
struct Rehearsed {
    std::string problem;      ///< why it cannot be started, one line with the task's name; empty when it can
    std::string text;         ///< what was seen, for people
    bool unfinished = false;  ///< its process was still starting when the time was up
};

class Rehearsal {
  public:
    using Done = std::function<void(const std::map<std::string, Rehearsed>& tasks)>;

    /// `limits` outlives it.
    Rehearsal(const ChildHost& host, const config::Limits& limits);

    /// One more task, with what Handler::check() says of it. Before begin().
    void add(const config::Task& task, std::string problem);
    /// `done` comes once, from a later turn, `within` that time; it may destroy this. Processes that are left are
    /// killed.
    void begin(Millis within, Done done);

  private:
    /// A process and the tasks that share it.
    struct Trial {
        config::Task task;
        std::vector<std::string> names;
        std::unique_ptr<WarmProcess> process;
        bool said_hello = false;
    };

    void start(Trial& trial);
    void on_hello(Trial& trial, const WarmProcess& process);
    void on_gone(Trial& trial, const WarmProcess::Farewell& farewell);
    void fail_all(const Trial& trial, const std::string& problem);
    void on_time();
    void finish();

    ChildHost host_;
    const config::Limits& limits_;
    Millis within_{0};
    Done done_;
    std::map<std::string, Rehearsed> tasks_;
    std::list<Trial> trials_;
    loop::Timer timer_;
    loop::Timer end_timer_;
};

}  // namespace dormouse::handlers
