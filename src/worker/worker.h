// The worker's life: it starts, works, is idle, leaves. One thread, one loop, one state machine: every event ends in
// step(), which lets Rounds send what can be sent, enters the state that follows and arms the timers that are left.
// What is done in between is the business of Participants; Rest closes the session of a worker that needs none, Leaving
// has every way to end.
//
// Made and driven by Pool. It opens its database by itself and tries again by itself; it ends by on_gone.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>

#include "loop/timer.h"
#include "worker/circumstances.h"
#include "worker/doorbell.h"
#include "worker/leaving.h"
#include "worker/life.h"
#include "worker/participants.h"
#include "worker/rest.h"

namespace dormouse::worker {

class Worker {
  public:
    /// `config`, `doorbell` and `handlers` outlive the worker.
    Worker(loop::Loop& loop, const config::Config& config, Doorbell& doorbell, handlers::Handlers& handlers,
           Circumstances circumstances);

    /// Connects, and goes on from there.
    void start();
    /// Somebody rang: a look is owed.
    void rung();
    /// SIGTERM or SIGINT: stop claiming, finish what runs within the grace, hand back the rest, leave. The second call
    /// ends the grace.
    void terminate() { leaving_.terminate(); }
    /// The same with times of the caller's: `grace` for what runs, `patience` for what was asked to stop, then no more
    /// than `last_writes` for the endings.
    void leave_within(Leaving::Times times) { leaving_.within(times); }
    /// A successor in this process takes what comes from here on: stop claiming, finish what runs however long that
    /// takes, leave. The doorbell, systemd and the metrics' gauges are the successor's. terminate() gives what is left
    /// the grace.
    void hand_over() { leaving_.hand_over(); }
    /// There may be room or work that nobody has told of: a look is owed.
    void look();
    /// How many runs it executes, of all tasks or of one.
    [[nodiscard]] std::size_t at_work() const { return parts_.flights.count(); }
    [[nodiscard]] int at_work(const std::string& task) const { return parts_.flights.count(task); }
    void add_at_work(std::map<std::string, int>& into) const { parts_.flights.add_at_work(into); }
    [[nodiscard]] const Uuid& id() const { return circumstances_.identity.id; }
    [[nodiscard]] State state() const { return life_.state(); }
    [[nodiscard]] ErrandEnd errand_end() const { return parts_.errand_end(); }
    /// No session (or one being opened), nothing in flight, nothing unwritten: the configuration may be read anew.
    [[nodiscard]] bool is_waiting_for_database() const;
    [[nodiscard]] const store::Wire& database() const { return parts_.database(); }

  private:
    void step();
    void choose_state();
    void on_entered();
    void check_invariants() const;
    [[nodiscard]] std::optional<Millis> next_round() const;
    void arm_timers();
    void stop_timers();
    void step_soon();
    [[nodiscard]] std::optional<Millis> exit_in() const;
    void on_exit_time();
    void decide_exit();
    void on_lost(const Error& error);
    void on_trouble();
    void tell_idle() const;

    const config::Config& config_;
    Doorbell& doorbell_;
    Circumstances circumstances_;
    Life life_;
    Participants parts_;
    Rest rest_;
    Leaving leaving_;
    std::optional<Time> quiet_since_;

    loop::Timer soon_timer_;   ///< something has landed: one step for all that land in this turn of the loop
    loop::Timer step_timer_;   ///< when somebody here has something to do next
    loop::Timer exit_timer_;   ///< idle_exit or look_exit
    loop::Timer start_timer_;  ///< the first connection
};

}  // namespace dormouse::worker
