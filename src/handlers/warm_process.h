// One warm process: from its start through its hello, the runs it is given and their answers, to its end. Made and
// owned by WarmGroup, which says which runs it gets; it judges what the process says, and ends it when that is
// nonsense. It must not know how many others there are.
//
//   starting ──hello──▶ serving ──retire()──▶ retiring ──last answer──▶ leaving ─┐
//       └──────────────────┴── nonsense, too slow, a run that is not to be ended ┴──▶ killed ──▶ gone
//
// Ending by itself is possible everywhere, and leads to gone.
#pragma once

#include <chrono>
#include <cstdint>
#include <ctime>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "config/config.h"
#include "handlers/account.h"
#include "handlers/child.h"
#include "handlers/handler.h"
#include "handlers/leftovers.h"
#include "handlers/message.h"
#include "handlers/text.h"
#include "loop/timer.h"

namespace dormouse::handlers {

/// An attempt that is over, and who has to be told.
struct Landing {
    RunListener* listener;
    Uuid id;
    Outcome outcome;
    std::string task = {};
};

/// Whether runs of both tasks go to the same processes.
bool share(const config::Task& one, const config::Task& other);

class WarmProcess {
  public:
    /// How it came to its end.
    struct Farewell {
        bool started = false;           ///< something of it has run
        bool served = false;            ///< its hello had come
        bool expected = false;          ///< it was asked to leave, or left by itself with nothing to do and exit 0
        std::string reason;             ///< otherwise: why, and the last lines of its stderr
        std::vector<Landing> landings;  ///< what was in flight
        /// The tasks that may have ended it: of what was in flight, of the one run because of which it was killed, or
        /// of the last one that it had; none: it had none.
        std::set<std::string> culprits;
    };
    struct Events {
        /// Its hello has come.
        std::function<void(const WarmProcess& process)> on_hello;
        /// A run has been answered. The process may be given another one meanwhile.
        std::function<void(Landing landing)> on_landed;
        /// Exactly once, last, when nothing of its tree is left. May destroy the process; never from inside the
        /// constructor.
        std::function<void(const WarmProcess& process, Farewell farewell)> on_gone;
    };

    /// Has one started with the command and limits of `task`; both references outlive it.
    /// `owner`: the worker whose runs it gets, part of its name.
    WarmProcess(const ChildHost& host, const config::Task& task, const config::Limits& limits, std::string_view owner,
                Events events);
    /// Kills what is left; nobody hears of it.
    ~WarmProcess() = default;
    WarmProcess(const WarmProcess&) = delete;
    WarmProcess& operator=(const WarmProcess&) = delete;

    /// How many more runs it can be given now.
    [[nodiscard]] std::size_t room() const;
    [[nodiscard]] bool starting() const { return state_ == State::starting; }
    /// Has said hello, has nothing in flight, and is not on its way out.
    [[nodiscard]] bool idle() const { return state_ == State::serving && flights_.empty(); }
    [[nodiscard]] BootClock::time_point idle_since() const { return idle_since_; }
    [[nodiscard]] bool serves(const std::string& task) const;
    /// Why it does not serve `task`, and the remedy.
    [[nodiscard]] std::string why_not(const std::string& task) const;
    /// Of one that was gone before its hello.
    [[nodiscard]] std::string ended_early(const Farewell& farewell) const;
    [[nodiscard]] int concurrency() const { return hello_.concurrency; }
    [[nodiscard]] bool has(const Uuid& id) const { return flights_.contains(id); }

    /// Only with room().
    void give(RunSpec spec, RunListener& listener);
    /// Of a run it has.
    void stop(const Uuid& id, StopReason reason, Millis patience);
    /// No more runs: when those in flight are answered it is asked to leave, and killed if it does not.
    void retire();

  private:
    enum class State { starting, serving, retiring, leaving, killed, gone };
    struct Flight : Account::Means {
        Flight(WarmProcess& of, const RunSpec& spec, RunListener& listener);
        void ask(std::string_view reason, Millis patience) override;
        void kill() override;

        WarmProcess& process;
        Uuid id;
        std::string task;
        Account account;
        std::uint64_t given_at;      ///< in ticks_now()
        std::uint64_t asked_at = 0;  ///< to end, likewise
        bool hastened = false;       ///< what it had started by then was looked for, to be ended
        std::unique_ptr<loop::Timer> hurry;
        std::optional<Outcome> outcome;  ///< it has answered, and what it has started is not gone yet
    };
    /// Why it was killed.
    struct Doom {
        std::string error_class;  ///< of its runs in flight
        std::string message;
        std::optional<Uuid> culprit;  ///< the run because of which: the others are not to blame
    };

    void enter(State state);
    void doom(Doom doom);
    void on_printed(Lines& lines, std::string_view piece);
    void on_line(Level level, std::string_view line);
    void on_control(std::string_view piece);
    void on_message(std::string_view line);
    void on_hello(Message&& message);
    void on_answer(Message&& message, Flight& flight);
    void land(const Uuid& id);
    /// A run that is to stop has not read that, or has not answered for half of its time: most probably it waits for a
    /// process that it has started. Those that it had started when it was asked are ended, if they are surely its own.
    void hasten(Flight& flight);
    /// A stopped run has answered. Its attempt is over when nobody is at work for it any more: who began since it was
    /// given is ended. While others are in flight it might be theirs, if the client does not say so (`kept`): then the
    /// process gets no more runs, and the attempt is over when it is gone.
    void end_leftovers(Flight& flight, const std::vector<pid_t>& kept);
    /// A run that has not answered is in flight.
    [[nodiscard]] bool at_work() const;
    void on_closed();
    void on_exit(const ChildExit& exit);
    [[nodiscard]] std::set<std::string> culprits() const;
    [[nodiscard]] Outcome outcome_of_death(const Uuid& id, const Flight& flight, const std::string& reason) const;
    [[nodiscard]] std::string with_tail(std::string text) const;
    /// What it said it serves, for people; of one that has said hello.
    [[nodiscard]] std::string served() const;
    /// CPU time of the process since this was asked before, without its children.
    [[nodiscard]] std::optional<Millis> cpu_since_last();
    [[nodiscard]] bool too_big() const;

    const config::Task& task_;
    const config::Limits& limits_;
    loop::Loop& loop_;
    Events events_;
    State state_ = State::starting;
    Message hello_;
    std::unordered_map<Uuid, Flight> flights_;
    std::int64_t given_ = 0;
    std::string last_task_;             ///< of the run that was answered last
    std::size_t printed_ = 0;           ///< bytes, since a run was answered
    clockid_t clock_{};                 ///< of the process's CPU time
    std::chrono::nanoseconds cpu_{-1};  ///< what it said last; negative: it cannot be read
    BootClock::time_point idle_since_{};
    std::optional<Doom> doom_;
    Leftovers leftovers_;
    LogBudget no_budget_;  ///< what is not one run's is bounded by printed_
    Lines output_;
    Lines errors_;
    Frames frames_;
    loop::Timer timer_;  ///< of the present state
    std::unique_ptr<Child> child_;
};

}  // namespace dormouse::handlers
