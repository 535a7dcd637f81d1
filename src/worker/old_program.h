// The process before this one, of another program, while it finishes what it has: see new_program.h. Driven by Pool.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "base/uuid.h"
#include "loop/loop.h"
#include "worker/side_channel.h"

namespace dormouse::worker {

/// What a process that is to take over was given. Taken before its sockets are.
struct Inheritance {
    UniqueFd channel;
    UniqueFd state_directory;  ///< locked
};

/// None: this process was started as any other. Source: sd_listen_fds_with_names(3).
std::unique_ptr<Inheritance> take_inheritance();

class OldProgram {
  public:
    struct Gone {
        bool clean = false;         ///< it has left nothing, and `due` is true
        std::optional<Millis> due;  ///< none: nothing is due, ever
    };
    struct Listeners {
        std::function<void()> on_take;  ///< this process is the pool's from here on
        std::function<void()> on_room;  ///< a run of the old one is over
        /// It has ended. May destroy this.
        std::function<void(const Gone& gone)> on_gone;
        std::function<void(const std::string& metrics)> on_metrics;  ///< what it has counted since, as exposition text
    };

    OldProgram(loop::Loop& loop, UniqueFd channel, Listeners listeners);

    /// The configuration could be read.
    void ready() const;
    void refuse(const std::string& why) const;
    void terminate() const;

    [[nodiscard]] bool has_given() const { return has_given_; }
    /// Its workers, those of the processes before it included.
    [[nodiscard]] const std::vector<Uuid>& workers() const { return workers_; }
    [[nodiscard]] pid_t pid() const { return pid_; }
    [[nodiscard]] const std::map<std::string, int>& at_work() const { return at_work_; }

  private:
    void on_message(const std::optional<std::string>& message);

    Listeners listeners_;
    SideChannel channel_;
    bool has_given_ = false;
    std::vector<Uuid> workers_;
    pid_t pid_ = 0;
    std::map<std::string, int> at_work_;
};

}  // namespace dormouse::worker
