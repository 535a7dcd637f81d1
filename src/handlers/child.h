// One child process with its whole tree: started, fed, listened to, ended, reaped. Driven by ExecHandler and
// WarmProcess on the loop's thread. Knows no run and no outcome: it must not decide what an exit means or how much
// output is too much.
//
//   starting ──▶ running ──leader has ended──▶ ending ──nobody of the tree is left, pipes read to their end──▶ gone
//      └──it cannot be started, or was ended before──▶ gone
//
// The leader decides when it is over: what it left in the background is killed and does not delay the end.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/unique_fd.h"
#include "handlers/launcher.h"
#include "handlers/orphans.h"
#include "loop/poll.h"
#include "loop/timer.h"

namespace dormouse::handlers {

/// What all children of this process share: see Processes.
struct ChildHost {
    loop::Loop& loop;
    Launcher& launcher;
    Orphans& orphans;
};

/// How the leader ended.
struct ChildExit {
    /// Nothing of it has run, and why; what is below says nothing then.
    std::optional<Error> not_started;
    /// As waitpid(2) gives it. Absent: another part of this program has taken it, so nobody can say how it ended.
    std::optional<int> status;
    Millis cpu{0};                                  ///< of the whole tree with a cgroup, else of what was waited for
    std::optional<std::int64_t> peak_memory_bytes;  ///< of the tree with a memory controller, else of the largest
                                                    ///< process; absent when below our own, which hides it
    bool out_of_memory = false;                     ///< the kernel killed something of the tree at its memory_max
};

/// "exit 3" or "killed by signal 9 (SIGKILL)"; without a status, why there is none.
std::string exit_text(std::optional<int> status);
/// The exit code of a process that ended by itself.
std::optional<int> exit_code(const ChildExit& exit);
/// The signal that ended it.
std::optional<int> exit_signal(const ChildExit& exit);

class Child {
  public:
    struct Events {
        /// A piece of stdout or stderr, at most 64 KiB. May call terminate() and kill(); must not destroy the
        /// Child.
        std::function<void(std::string_view piece)> on_output;
        std::function<void(std::string_view piece)> on_errors;
        /// The same of its control descriptor, after what it had written to stdout and stderr by then; an empty
        /// piece: it has closed its end. Not called with Control::none.
        std::function<void(std::string_view piece)> on_control;
        /// Exactly once, last, when nothing of the tree is left; may destroy the Child. Never from inside
        /// the constructor.
        std::function<void(const ChildExit& exit)> on_gone;
    };

    /// Has the program started, and writes `input` to its stdin, which it may leave unread. `mark` is the value of
    /// DORMOUSE_FENCE or DORMOUSE_PROCESS in its environment, by which orphans are recognised.
    Child(const ChildHost& host, Order order, std::string input, std::string mark, Events events);
    /// Of a child that is not gone: kills the tree and waits until it is gone, half a second at most.
    ~Child();
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;

    /// SIGTERM to the leader's process group. If there is no process yet there will be none.
    void terminate();
    /// SIGKILL to the whole tree.
    void kill();
    /// Control::socket only: has `text` written there as fast as it is read, and keeps the rest. Never blocks.
    void send(std::string_view text);
    /// Control::socket only: some of what was sent has not been read, as far as the kernel says.
    [[nodiscard]] bool has_unread() const;
    /// Control::socket only: nothing more will be sent, which the program reads as the end.
    void hang_up();
    /// Who is there of the tree besides the leader while that runs, zombies and what is just being loaded left out.
    struct Member {
        pid_t pid = 0;
        std::uint64_t began = 0;  ///< in ticks, as ticks_now()
        bool lost = false;        ///< not below the leader any more: who was between the two has ended
    };
    /// `again`: there may be another one, which can be told in a moment.
    [[nodiscard]] std::vector<Member> members(bool& again);
    [[nodiscard]] pid_t pid() const { return process_.pid; }
    /// The leader has started and not ended, as far as we know, and we have not killed it.
    [[nodiscard]] bool running() const { return state_ == State::running && !killed_; }

  private:
    enum class State { starting, running, ending, gone };
    using Did = loop::Poll::Did;

    void on_over(Result<Started> outcome);
    void take(Started started);
    void watch();
    Did read_control();
    Did write_control();
    Did feed();
    void close_input();
    /// Reads one piece, or the end.
    Did read_piece(UniqueFd& fd, std::unique_ptr<loop::Poll>& poll, const std::function<void(std::string_view)>& take);
    void enter(State state);
    void end_tree();
    void reap();
    /// Whether its pid, which is its group's too, is still its own: nobody has reaped it.
    [[nodiscard]] bool pid_is_its_own() const;
    [[nodiscard]] bool tree_gone();
    void drain();

    loop::Loop& loop_;
    Launcher& launcher_;
    Orphans& orphans_;
    State state_ = State::starting;
    std::string mark_;
    std::optional<RunCgroup> cgroup_;
    std::string input_;
    std::size_t written_ = 0;
    std::string unsent_;    ///< for the control descriptor
    std::size_t sent_ = 0;  ///< of that
    bool corked_ = false;   ///< send() only keeps, until what has been read is dealt with
    bool hung_up_ = false;
    bool killed_ = false;
    Events events_;
    Launcher::Ticket start_;  ///< only while starting
    bool reaped_ = false;
    ChildExit exit_;
    Millis pause_{1};
    Spawned process_;  // before what watches its descriptors
    std::unique_ptr<loop::Poll> exit_poll_;
    std::unique_ptr<loop::Poll> input_poll_;
    std::unique_ptr<loop::Poll> output_poll_;
    std::unique_ptr<loop::Poll> errors_poll_;
    std::unique_ptr<loop::Poll> control_poll_;
    std::unique_ptr<loop::Timer> retry_;
};

}  // namespace dormouse::handlers
