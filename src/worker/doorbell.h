// The pool's doorbell: answers rings as they come and tells the worker that there were some. The only code that
// accepts. Driven by the loop; asked by Worker before it decides to exit.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "base/unique_fd.h"
#include "loop/loop.h"
#include "loop/poll.h"

namespace dormouse::worker {

class Doorbell {
  public:
    /// Takes the sockets over; none is fine (a worker in the foreground has no doorbell).
    Doorbell(loop::Loop& loop, std::vector<UniqueFd> listeners);

    /// Answers from now on; `on_ring` is called after each time that something was answered.
    void answer(std::function<void()> on_ring);
    /// Answers what is waiting at this moment. True if there was anything: then the decision to exit must not be taken.
    bool empty_now();
    /// Never answers again: what comes from here on wakes the next worker. The sockets stay open, they are systemd's.
    void stop();
    [[nodiscard]] bool present() const { return !listeners_.empty(); }

  private:
    loop::Loop& loop_;
    std::vector<UniqueFd> listeners_;
    std::vector<std::unique_ptr<loop::Poll>> polls_;
    std::function<void()> on_ring_;
};

}  // namespace dormouse::worker
