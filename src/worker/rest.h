// database.close_after: a database that suspends when nobody talks to it may do so, and is not woken for anything that
// can wait. The session of a worker that needs none is closed; a ring, a due run, an ending or a lease opens the next
// one. A session that the server closes meanwhile is its sleep, and no trouble. What comes by plain SQL while nobody
// listens is found by the next look, as while asleep; a wake file is answered at once.
#pragma once

#include <functional>
#include <optional>

#include "loop/timer.h"
#include "worker/doorbell.h"
#include "worker/participants.h"

namespace dormouse::worker {

class Rest {
  public:
    struct Events {
        std::function<void()> on_change;                  ///< a step of the worker, now
        std::function<std::optional<Millis>()> exits_in;  ///< when an idle worker leaves by itself; none: not foreseen
    };
    Rest(loop::Loop& loop, const config::Config& config, Doorbell& doorbell, const Life& life, Participants& parts,
         Events events);

    void open_session();
    /// After each step: when the session is to be closed.
    void arm();
    /// Without a session from here on, closed by us or by the server.
    void begin();
    void stop() { timer_.stop(); }

  private:
    void close_session();
    [[nodiscard]] Millis longest_silence() const;

    const config::Config& config_;
    Doorbell& doorbell_;
    const Life& life_;
    Participants& parts_;
    const Events events_;
    loop::Timer timer_;
};

}  // namespace dormouse::worker
