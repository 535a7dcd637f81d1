// The in-process kind: functions of this program, on threads of their own. One InProcess for a program's pool serves
// all of its tasks and outlives the Handlers that are made anew with each configuration; InProcessHandler is one task's
// view of it. Driven by the worker on the loop's thread; what the threads have to say comes to the loop through one
// inbox and one knock for all that has collected. Logs nothing and knows no store.
//
// A thread cannot be ended from outside. A function that does not return in time after it was asked to is given up: its
// listener is told the end, what it says from then on is dropped, and its thread stays occupied until it returns.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "config/config.h"
#include "handlers/in_process_run.h"
#include "handlers/in_process_threads.h"
#include "loop/async.h"
#include "loop/timer.h"

namespace dormouse::handlers {

class InProcess {
  public:
    InProcess(loop::Loop& loop, Functions functions);
    /// Waits until every function has returned; a program that cannot wait must end without this (see at_work()).
    /// Listeners hear no more.
    ~InProcess();
    InProcess(const InProcess&) = delete;
    InProcess& operator=(const InProcess&) = delete;

    /// The pool's numbers, whenever they are read: no more threads than `most_threads` are made.
    void configure(int most_threads, const config::Limits& limits);
    void set_most_threads(int most);
    /// Null when the program has none for this task.
    [[nodiscard]] const Function* find(const std::string& task) const;

    /// As Handler::start() and stop().
    void start(const Function& function, RunSpec spec, RunListener& listener);
    void stop(const Uuid& id, StopReason reason, Millis patience);

    /// Functions that have not returned, given up or not.
    [[nodiscard]] std::size_t at_work() const { return runs_.size(); }
    /// Those of them that were given up: each occupies a thread of the pool's.
    [[nodiscard]] std::size_t given_up() const { return given_up_; }
    /// Calls `on_return` on the loop's thread when one that was given up has returned after all.
    void on_return(std::function<void(const Uuid& id, const std::string& task)> on_return);

  private:
    friend class InProcessRun;
    using Time = InProcessRun::Time;

    struct Word {
        enum class Kind { line, progress, heartbeat, done };
        Kind kind;
        InProcessRun* run;
        Level level = Level::info;
        std::string text = {};
    };
    struct Refusal {
        Uuid id;
        RunListener* listener;
        const char* why;
    };

    // on the threads
    void execute(InProcessRun& run);
    [[nodiscard]] static Outcome checked(Outcome outcome, std::int64_t result_bytes);
    void say(Word word);

    // on the loop
    void hear();
    void hear_line(const Word& word);
    void finish(InProcessRun& run);
    [[nodiscard]] Outcome judge(InProcessRun& run) const;
    void end(InProcessRun& run, InProcessRun::Cause why, const char* name, Millis patience);
    void on_time();
    void give_up(const Uuid& id);
    void look_at(Time when);
    void help_in_a_moment();
    void hand_over();
    void refuse(const Uuid& id, RunListener& listener, const char* why);

    Functions functions_;
    config::Limits limits_;
    std::unordered_map<Uuid, std::unique_ptr<InProcessRun>> runs_;
    std::size_t given_up_ = 0;
    std::function<void(const Uuid&, const std::string&)> on_return_;
    std::vector<Refusal> refusals_;
    Time looks_at_ = Time::max();
    loop::Timer timer_;                 ///< armed only while there are runs with a time, or refusals
    std::vector<InProcessRun*> fresh_;  ///< started, and not with the threads yet
    loop::Timer hand_over_timer_;       ///< in the same turn of the loop
    loop::Timer help_timer_;            ///< armed for a moment after runs were handed to the threads

    std::mutex inbox_mutex_;
    std::vector<Word> inbox_;  ///< guarded by inbox_mutex_
    bool knocked_ = false;     ///< guarded by inbox_mutex_: the loop knows that there is something
    loop::Async knock_;
    InProcessThreads threads_;  ///< last: joined before what they use is gone
};

/// One task's function as a Handler.
class InProcessHandler : public Handler {
  public:
    /// `function` is null for a task whose function is not in this program: it says so, and starts nothing.
    InProcessHandler(loop::Loop& loop, std::string task, InProcess* in_process, const Function* function);

    [[nodiscard]] std::string check() const override;
    void start(RunSpec spec, RunListener& listener) override;
    void stop(const Uuid& id, StopReason reason, Millis patience) override;

  private:
    std::string task_;
    InProcess* in_process_;
    const Function* function_;
    std::vector<std::pair<Uuid, RunListener*>> refused_;
    loop::Timer refusal_timer_;
};

}  // namespace dormouse::handlers
