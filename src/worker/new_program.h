// The process that takes over from this one when the program on disk is another: after an upgrade, at a reload. The new
// program is started beside this one, in the same unit and sandbox and as a child of the same parent, so that systemd
// sees its end; with the doorbell's sockets and the state directory, whose lock goes with its descriptor. Until it says
// that it is ready, this process is the pool's and nothing has changed; whatever goes wrong before is a warning. From
// then on the new one is the pool's main process, and this one finishes what it has. Driven by Pool.
//
//   this process                    the new one
//   start it ─────────────────────► reads its configuration
//            ◄───────────── ready
//   stop answering and claiming,
//   MAINPID= to systemd
//   take {workers} ───────────────► answers the doorbell, claims
//   at_work {task: runs} ─────────► these take slots there
//            ◄───────── terminate   (it was told to)
//   gone {graceful, due} ─────────► may leave, too
//
// Source: sd_notify(3), MAINPID=; clone(2), CLONE_PARENT; sd_listen_fds(3).
#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/unique_fd.h"
#include "base/uuid.h"
#include "config/load.h"
#include "loop/loop.h"
#include "loop/timer.h"
#include "worker/side_channel.h"

namespace dormouse::worker {

/// The file that this process was started from is another one by now. False where that cannot be told.
[[nodiscard]] bool program_has_changed();

/// The names that the two descriptors have among the sockets which a new program is given.
inline constexpr const char* channel_name = "dormouse-channel";
inline constexpr const char* state_name = "dormouse-state";

class NewProgram {
  public:
    struct Listeners {
        std::function<void()> on_ready;
        /// It will not take over; a sentence says why. May destroy this.
        std::function<void(const std::string& why)> on_failed;
        /// It has taken over and wants this process to leave; `gone`: because it has ended itself.
        std::function<void(bool gone)> on_terminate;
    };

    NewProgram(loop::Loop& loop, Listeners listeners);
    ~NewProgram();
    NewProgram(const NewProgram&) = delete;
    NewProgram& operator=(const NewProgram&) = delete;

    /// Starts the program on disk with this process's arguments and `environment`. `doorbell`: the sockets;
    /// `state_directory`: -1 or its descriptor. Errors: what the kernel says, with the path.
    [[nodiscard]] Status start(const config::Environment& environment, const std::vector<int>& doorbell,
                               int state_directory);
    [[nodiscard]] pid_t pid() const { return pid_; }
    [[nodiscard]] bool has_taken_over() const { return has_taken_over_; }
    /// It is the pool's from here on: these workers are alive, these runs are at work, by task.
    void take_over(const std::vector<Uuid>& workers, const std::map<std::string, int>& at_work);
    void tell_at_work(const std::map<std::string, int>& at_work) const;
    /// What was counted since it has taken over, as exposition text.
    void tell_metrics(const std::string& text) const;
    /// The last word. `clean`: nothing was left behind, and `due` is true.
    void tell_gone(bool clean, std::optional<Millis> due) const;

  private:
    void on_message(const std::optional<std::string>& message);
    void give_up(const std::string& why);

    loop::Loop& loop_;
    Listeners listeners_;
    pid_t pid_ = 0;
    UniqueFd pidfd_;
    std::optional<SideChannel> channel_;
    loop::Timer timer_;
    bool has_taken_over_ = false;
};

}  // namespace dormouse::worker
