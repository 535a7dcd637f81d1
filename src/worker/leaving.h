// Every way to end that is not a crash: an errand is done, a signal comes, a successor takes over, or nothing is left
// to do. Handlers finish or are stopped, endings are written, and the last round asks what is due.
//
//   leave() ──► leaving: step() until everything is written ──► parting ──► gone
//                  │ the grace is over: handlers are stopped
//                  └──► what they and the endings may take is over, too ──► abandoning ──► gone
#pragma once

#include <functional>
#include <string>

#include "loop/timer.h"
#include "worker/circumstances.h"
#include "worker/doorbell.h"
#include "worker/life.h"
#include "worker/participants.h"
#include "worker/rest.h"

namespace dormouse::worker {

class Leaving {
  public:
    /// How long it may take.
    struct Times {
        Millis grace{0};
        Millis patience{10'000};     ///< between asking handlers to stop and ending them
        Millis last_writes{10'000};  ///< for endings after the last handler is gone
    };
    struct Events {
        std::function<void()> on_change;  ///< a step of the worker, now
        std::function<void()> on_soon;    ///< … with the next turn of the loop
        std::function<void()> on_gone;    ///< nothing is to be done from here on: timers are to stop
    };
    Leaving(loop::Loop& loop, const config::Config& config, Doorbell& doorbell, const Circumstances& circumstances,
            Life& life, Participants& parts, Rest& rest, Events events);

    /// An errand's time begins.
    void start();
    /// The run of an errand stands so; empty: it is gone.
    void take_standing(const std::string& standing);
    /// After each step of a worker that does not leave yet.
    void end_errand_if_done();

    /// Worker has the words for these three.
    void terminate();
    void within(Times times);
    void hand_over();
    void leave(const char* reason);
    /// While leaving: parts as soon as everything is written.
    void step();
    /// True: that was the last round, and the end.
    bool lost_session();

  private:
    void end_errand(ErrandEnd end, const char* reason);
    void begin_grace();
    void stop_handlers();
    void give_up();
    void part(State state, const char* reason);
    [[nodiscard]] Farewell last_word() const;
    void bound_sleep(Farewell& farewell) const;
    void be_gone(Farewell farewell);

    const config::Config& config_;
    Doorbell& doorbell_;
    const Circumstances& circumstances_;
    Life& life_;
    Participants& parts_;
    Rest& rest_;
    const Events events_;
    Times times_;
    int signals_ = 0;
    BootClock::time_point gives_up_at_ = BootClock::time_point::max();
    ErrandEnd errand_end_ = ErrandEnd::none;
    loop::Timer timer_;            ///< the grace, then what the last things may take
    loop::Timer errand_timer_;     ///< Errand::timeout
    loop::Timer retention_timer_;  ///< an errand waits for a step of retention no longer than that
};

}  // namespace dormouse::worker
