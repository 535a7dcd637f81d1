// The worker's life: it starts, works, is idle, leaves. One thread, one loop, one state machine: every event ends in
// step(), which lets Rounds send what can be sent, enters the state that follows and arms the timers that are left.
// What is done in between is the participants' business (participant.h).
//
// Made and driven by Pool. It opens its database by itself and tries again by itself; it ends by on_gone.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "config/config.h"
#include "handlers/registry.h"
#include "loop/loop.h"
#include "loop/timer.h"
#include "promise/promises.h"
#include "rounds/rounds.h"
#include "worker/claims.h"
#include "worker/doorbell.h"
#include "worker/errand.h"
#include "worker/flights.h"
#include "worker/imports.h"
#include "worker/leases.h"
#include "worker/measures.h"
#include "worker/neighbours.h"
#include "worker/predecessors.h"
#include "worker/registry.h"
#include "worker/reports.h"
#include "worker/rescue.h"
#include "worker/retention_steps.h"
#include "worker/scale.h"
#include "worker/state.h"

namespace dormouse::worker {

/// How a worker ended.
struct Farewell {
    bool graceful = false;      ///< nothing was left behind: the registry knows, and `due` is true
    bool due_known = false;     ///< the database said when somebody must look next
    std::optional<Millis> due;  ///< none: nothing is due, ever
    ErrandEnd errand = ErrandEnd::none;
};

class Worker {
  public:
    struct Circumstances {
        store::Identity identity;
        Predecessors* predecessors = nullptr;  ///< outlives the worker; none: nobody is known to be dead
        Errand errand;
        bool leaves_when_idle = true;  ///< false in the foreground, unless told
        bool owns_process = true;     ///< false: a guest in somebody's program, who tells systemd what there is to tell
        Promise::Terms promise;       ///< whether it may promise to look again
        int second_session_at = 128;  ///< see SecondWire; 0: never
        bool owns_spool = false;      ///< makes the pool's spool if there is none
        Millis first_connect_delay{0};     ///< after crashes in a row
        metrics::Tally* tally = nullptr;   ///< outlives the worker; none: nobody counts
        traces::Tracer* tracer = nullptr;  ///< likewise
        config::Environment environment;   ///< in which the files of this machine's other pools are read
        Elsewhere elsewhere;               ///< what its predecessors in this process still execute
        std::function<void()> on_room;     ///< after hand_over(): a run is over, its slot is a successor's
        std::function<void(Farewell)> on_gone;
    };

    /// `config`, `doorbell` and `handlers` outlive the worker.
    Worker(loop::Loop& loop, const config::Config& config, Doorbell& doorbell, handlers::Handlers& handlers,
           Circumstances circumstances);

    /// Connects, and goes on from there.
    void start();
    /// Somebody rang: a look is owed.
    void rung();
    /// SIGTERM or SIGINT: stop claiming, finish what runs within the grace, hand back the rest, leave. The second call
    /// ends the grace.
    void terminate();
    /// The same with times of the caller's: `grace` for what runs, `patience` for what was asked to stop, then no more
    /// than `last_writes` for the endings.
    void leave_within(Millis grace, Millis patience, Millis last_writes);
    /// A successor in this process takes what comes from here on: stop claiming, finish what runs however long that
    /// takes, leave. The doorbell, systemd and the metrics' gauges are the successor's. terminate() gives what is left
    /// the grace.
    void hand_over();
    /// There may be room or work that nobody has told of: a look is owed.
    void look();
    /// How many runs it executes, of all tasks or of one.
    [[nodiscard]] std::size_t at_work() const { return flights_.count(); }
    [[nodiscard]] int at_work(const std::string& task) const { return flights_.count(task); }
    void add_at_work(std::map<std::string, int>& into) const { flights_.add_at_work(into); }
    [[nodiscard]] const Uuid& id() const { return circumstances_.identity.id; }
    [[nodiscard]] State state() const { return state_; }
    /// No session (or one being opened), nothing in flight, nothing unwritten: the configuration may be read anew.
    [[nodiscard]] bool is_waiting_for_database() const;
    [[nodiscard]] const store::Wire& database() const { return rounds_.wire(); }

  private:
    struct LeavingTimes {
        Millis grace{0};
        Millis patience{10'000};     ///< between asking handlers to stop and ending them
        Millis last_writes{10'000};  ///< for endings after the last handler is gone
    };

    // worker.cpp: events and states
    [[nodiscard]] Moment moment() const;
    [[nodiscard]] bool awaits_first_look() const;
    [[nodiscard]] bool in_last_round() const { return state_ == State::parting || state_ == State::abandoning; }
    [[nodiscard]] bool has_something() const;
    void step();
    void enter(State state, const char* reason);
    void check_invariants() const;
    void choose_state();
    [[nodiscard]] std::optional<Millis> next_round() const;
    void arm_timers();
    void on_exit_time();
    void decide_exit();
    [[nodiscard]] std::optional<Millis> exit_in() const;
    void on_lost(const Error& error);
    void finish_round(store::Round& round) const;
    void tell_status(const std::string& text);
    void tell_idle();
    void tell_trouble();
    /// What is told to systemd, or read from the doorbell, is this worker's business.
    [[nodiscard]] bool speaks() const { return circumstances_.owns_process && !handed_over_; }
    [[nodiscard]] bool sleepy() const { return config_.database.close_after > Millis{0}; }

    // worker_rest.cpp: without a session on purpose (database.close_after)
    void open_database();
    void arm_doze();
    void doze();
    void rest();
    [[nodiscard]] Millis longest_silence() const;
    [[nodiscard]] Farewell last_word() const;

    // worker_leaving.cpp: errands, and every way to end that is not a crash
    void take_standing(const std::string& standing);
    void end_errand_if_done();
    void end_errand(ErrandEnd end, const char* reason);
    void leave(const char* reason);
    void step_leaving();
    void begin_grace();
    void stop_handlers();
    void give_up();
    void part(State state, const char* reason);
    void bound_sleep(Farewell& farewell) const;
    void measure();
    void be_gone(Farewell farewell);

    const config::Config& config_;
    Doorbell& doorbell_;
    Circumstances circumstances_;
    State state_ = State::starting;

    Measures measures_;
    Scale scale_;
    Reports reports_;
    Flights flights_;
    Promises promises_;
    Claims claims_;
    Leases leases_;
    Registry registry_;
    Rescue rescue_;
    Imports imports_;
    RetentionSteps retention_;
    rounds::Rounds rounds_;
    Neighbours neighbours_;

    std::optional<Time> quiet_since_;
    std::string untested_;  ///< what was told of the version of the server
    int terminations_ = 0;
    bool handed_over_ = false;
    LeavingTimes leaving_times_;
    ErrandEnd errand_end_ = ErrandEnd::none;

    loop::Timer soon_timer_;   ///< something has landed: one step for all that land in this turn of the loop
    loop::Timer step_timer_;   ///< when somebody here has something to do next
    loop::Timer exit_timer_;   ///< idle_exit or look_exit
    loop::Timer start_timer_;  ///< the first connection
    loop::Timer grace_timer_;  ///< while leaving
    loop::Timer errand_timer_;
    loop::Timer doze_timer_;  ///< database.close_after
};

}  // namespace dormouse::worker
