// The pool's doorbell: answers rings as they come and tells the worker that there were some. The only code that
// accepts. Driven by the loop; asked by Worker before it decides to exit. The wake file that Postgres on this host may
// write is a ring, too, and each later write to it another one. An awake worker hears of the same inserts by NOTIFY, so
// it is watched only while a worker has closed its session on purpose. Only root removes it, before a worker starts:
// handlers have the worker's account, and must not be able to put something else there.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "loop/loop.h"
#include "loop/poll.h"
#include "loop/timer.h"
#include "loop/watch.h"

namespace dormouse::worker {

class Doorbell {
  public:
    /// Takes the sockets over; none is fine (a worker in the foreground has no doorbell).
    Doorbell(loop::Loop& loop, std::vector<UniqueFd> listeners);

    /// Answers from now on; `on_ring` is called after each time that something was answered.
    void answer(std::function<void()> on_ring);
    /// From now on the wake file is answered, too. What lies there already is answered now; the look that the start
    /// owes serves it.
    void use_wake_file(std::string path);
    /// Postgres on this host may write wake files: whoever wrote one, for this worker or for the one before, may not
    /// have committed yet.
    [[nodiscard]] bool may_have_wake_files() const;
    /// Whether the wake file is answered as soon as it is there: by a worker that LISTENs no more.
    void watch_wake_file(bool watched);
    /// Answers what is waiting at this moment. True if there was anything: then the decision to exit must not be taken.
    bool empty_now();
    /// A ring waits to be accepted; nothing is changed.
    [[nodiscard]] bool has_ring() const;
    /// Never answers again: what comes from here on wakes the next worker. The sockets stay open, they are systemd's.
    void stop();
    /// Its descriptors, for a process that goes on with them.
    [[nodiscard]] std::vector<int> sockets() const;
    [[nodiscard]] bool present() const { return !listeners_.empty(); }

    /// Answers the wake file alone: before the last round of a worker that leaves, which asks what was meant by it.
    /// True if it has been written since it was answered last.
    bool answer_wake_file();

  private:
    int empty(const UniqueFd& listener);

    loop::Loop& loop_;
    std::vector<UniqueFd> listeners_;
    UniqueFd reserve_;  ///< see systemd::empty_doorbell()
    std::vector<std::unique_ptr<loop::Poll>> polls_;
    loop::Timer pause_;  ///< armed while rings cannot be accepted: nobody watches, since they would be there at once
    Millis next_pause_;
    std::function<void()> on_ring_;
    std::string wake_file_;
    std::unique_ptr<loop::Watch> wake_watch_;
    struct WakeFile {
        std::uint64_t number = 0;  ///< inode
        std::chrono::nanoseconds written{0};
        bool operator==(const WakeFile&) const = default;
    };
    WakeFile answered_;
};

}  // namespace dormouse::worker
