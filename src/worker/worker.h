// The worker: joins database, handlers and doorbell. One thread, one loop, one state machine: every event ends in
// step(), which sends what can be sent, enters the state that follows and arms the timers that are left. Data goes one
// way: wake → claim → dispatch → execute → complete.
//
// Made and driven by Pool. It opens its database by itself and tries again by itself; it ends by on_gone.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "config/config.h"
#include "handlers/registry.h"
#include "loop/loop.h"
#include "loop/timer.h"
#include "store/database.h"
#include "worker/doorbell.h"
#include "worker/errand.h"
#include "worker/flights.h"
#include "worker/fronts.h"
#include "worker/imports.h"
#include "worker/looks.h"
#include "worker/neighbours.h"
#include "worker/news.h"
#include "worker/outbox.h"
#include "worker/predecessors.h"
#include "worker/promise.h"
#include "worker/retention.h"
#include "worker/second_session.h"
#include "worker/shelf.h"
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
        int second_session_at = 128;  ///< see SecondSession; 0: never
        bool owns_spool = false;      ///< makes the pool's spool if there is none
        Millis first_connect_delay{0};    ///< after crashes in a row
        config::Environment environment;  ///< in which the files of this machine's other pools are read
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

    [[nodiscard]] State state() const { return state_; }
    /// No session (or one being opened), nothing in flight, nothing unwritten: the configuration may be read anew.
    [[nodiscard]] bool is_waiting_for_database() const;
    [[nodiscard]] const store::Database& database() const { return database_; }

  private:
    // worker.cpp: events and states
    void step();
    void enter(State state, const char* reason);
    void choose_state();
    void arm_timers();
    void on_step_time();
    void on_exit_time();
    void fill_slots(int most);
    void give_back(std::vector<store::ClaimedRun> runs);
    [[nodiscard]] int free_slots() const;
    [[nodiscard]] int wanted() const;
    [[nodiscard]] std::vector<store::Room> rooms() const;
    [[nodiscard]] bool look_owed() const { return looks_.owed() || fronts_.owes_whole(); }
    [[nodiscard]] bool may_look(BootClock::time_point now) const;
    [[nodiscard]] std::optional<Millis> exit_in() const;
    [[nodiscard]] bool may_doze();
    void tell_status(const std::string& text);
    [[nodiscard]] bool news_may_ask() const { return config_.database.close_after == Millis{0}; }

    // worker_session.cpp: the session, and the rounds over it
    void open_database();
    void on_open();
    void on_lost(const Error& error);
    void on_unavailable(const Error& error);
    void log_lost(const Error& error);
    void log_back();
    [[nodiscard]] Millis longest_answer() const;
    void await_answer();
    void on_no_answer();
    void try_again_in(Millis delay);
    [[nodiscard]] Millis pause() const;
    void send_round();
    void send_endings();
    void drop_second_session();
    void take_endings(const store::Answer& answer);
    [[nodiscard]] store::Database::Place place() const;
    [[nodiscard]] store::Round next_round(BootClock::time_point now);
    void on_answer(store::Answer answer);
    void on_round_failed(const Error& error);
    void take_claimed(const store::Round& asked, store::Answer answer);
    void take_due(const store::Round& asked, const store::Answer& answer);
    void put_back_until(Millis delay);
    void fill_fences(store::Round& round) const;

    // worker_retention.cpp: finished runs that are old go
    [[nodiscard]] std::optional<Millis> retention_wait(BootClock::time_point now) const;
    bool fill_retention(store::Round& round, BootClock::time_point now);
    bool retains_first();
    void take_retained(const store::Answer& answer);
    void leave_step_behind();

    // worker_errand.cpp: a worker that is there for something in particular
    void start_errand();
    [[nodiscard]] int slots_of_errand(int free) const;
    void take_standing(const store::Round& asked, const store::Answer& answer);
    void end_errand_if_done();
    void end_errand(ErrandEnd end, const char* reason);

    // worker_doze.cpp: a database that sleeps is let sleep
    void arm_doze();
    void fall_asleep();
    void database_fell_asleep();
    void doze();
    void wake_up();
    [[nodiscard]] bool needs_session(BootClock::time_point now) const;
    [[nodiscard]] Farewell last_word() const;

    // worker_promise.cpp: producers need not tell a worker that has promised to look again
    void add_promise(store::Round& round, BootClock::time_point now) const;
    void keep_promise(BootClock::time_point now);
    void on_arrival();

    // worker_leaving.cpp: every way to end that is not a crash
    void leave(const char* reason);
    void step_leaving();
    void stop_handlers();
    void part();
    void bound_sleep(Farewell& farewell) const;
    void be_gone(Farewell farewell);

    const config::Config& config_;
    Doorbell& doorbell_;
    Circumstances circumstances_;
    State state_ = State::starting;

    Looks looks_;
    Fronts fronts_;
    News news_;
    Flights flights_;
    Shelf shelf_;
    Outbox outbox_;
    Imports imports_;
    Neighbours neighbours_;
    Retention retention_;
    Promise promise_;
    store::Database database_;
    SecondSession second_;

    std::optional<store::Round> on_wire_;  ///< the round whose answer is awaited, without endings and imports
    enum class Carrier { nobody, first, second };
    Carrier endings_with_ = Carrier::nobody;  ///< the session on whose wire the outbox and the news are
    bool endings_alone_on_wire_ = false;      ///< nothing but endings and questions is in it
    BootClock::time_point sent_at_{};         ///< when it was sent: leases count from there
    bool registered_ = false;                 ///< arrive has been answered
    bool ever_claimed_ = false;        ///< a claim was sent: there may be runs we do not know of, if its answer is lost
    bool forgotten_wanted_ = false;    ///< after a reconnect: claims whose answer was lost
    bool rescue_wanted_ = true;        ///< somebody's lease may have ended
    bool held_in_doubt_ = false;       ///< somebody may have taken a run away
    bool last_claim_full_ = false;     ///< there is probably more
    bool one_at_a_time_ = false;       ///< the last claim brought a run that has to be alone
    bool put_back_meanwhile_ = false;  ///< by the second session, while the first asked what is due
    bool due_known_ = false;           ///< due_at_ is as of the last look that came back short
    std::optional<BootClock::time_point> due_at_;
    int fruitless_dues_ = 0;  ///< due now, but locked by somebody, so often in a row
    bool ran_anything_ = false;
    std::optional<BootClock::time_point> quiet_since_;
    bool lost_was_logged_ = false;
    int tries_ = 0;  ///< connections or rounds that failed in a row
    BootClock::time_point last_try_{};
    std::string trouble_;  ///< why there is no session or no answer, for the status text
    int terminations_ = 0;
    struct LeavingTimes {
        Millis grace{0};
        Millis patience{10'000};     ///< between asking handlers to stop and ending them
        Millis last_writes{10'000};  ///< for endings after the last handler is gone
    } leaving_times_;
    int attempts_made_ = 0;
    ErrandEnd errand_end_ = ErrandEnd::none;
    bool dozing_ = false;          ///< the session is closed on purpose, and nothing here needs one
    bool falling_asleep_ = false;  ///< the round before that is on the wire

    bool retain_before_sleep_ = false;  ///< the next round is a step of retention
    bool just_retained_ = false;        ///< the last one was
    bool step_is_too_long_ = false;     ///< it is on the wire, and whoever leaves waits for it no more

    loop::Timer soon_timer_;    ///< something has landed: one step for all that land in this turn of the loop
    loop::Timer step_timer_;    ///< when something here is next due: a held-back look, a lease, a lock, a due run
    loop::Timer exit_timer_;    ///< idle_exit or look_exit
    loop::Timer answer_timer_;  ///< a round is on the wire: the longest that is waited for its answer
    loop::Timer retry_timer_;   ///< the next try of a connection or a round
    loop::Timer grace_timer_;   ///< while leaving
    loop::Timer errand_timer_;
    loop::Timer doze_timer_;  ///< database.close_after
};

}  // namespace dormouse::worker
