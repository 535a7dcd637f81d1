// Everything that takes part in a worker's rounds, made and joined here: who tells whom of what. A new mechanism is a
// member and a line in the constructor, where the order in which they fill a round stands.
#pragma once

#include <functional>
#include <string>

#include "config/config.h"
#include "handlers/registry.h"
#include "loop/loop.h"
#include "promise/promises.h"
#include "rounds/rounds.h"
#include "worker/circumstances.h"
#include "worker/claims.h"
#include "worker/flights.h"
#include "worker/imports.h"
#include "worker/leases.h"
#include "worker/life.h"
#include "worker/measures.h"
#include "worker/neighbours.h"
#include "worker/registry.h"
#include "worker/reports.h"
#include "worker/rescue.h"
#include "worker/retention_steps.h"
#include "worker/scale.h"

namespace dormouse::worker {

struct Participants {
    struct Events {
        std::function<void()> on_change;   ///< there may be more to do: a step, now
        std::function<void()> on_landed;   ///< a run is over: one step for all that land in this turn of the loop
        std::function<void()> on_wish;     ///< somebody has something for a later round
        std::function<void()> on_trouble;  ///< what is wrong with the database or the spool is another thing now
        std::function<void(const Error&)> on_lost;                ///< the session is, or cannot be opened
        std::function<void(const std::string& run)> on_standing;  ///< how the errand's run stands; empty: it is gone
    };
    /// All outlive this.
    Participants(loop::Loop& loop, const config::Config& config, handlers::Handlers& handlers,
                 const Circumstances& circumstances, const Life& life, Events events);

    [[nodiscard]] Moment moment() const;
    /// No look has been answered yet. Not while runs of a predecessor in this process take all slots: everything else
    /// is done meanwhile.
    [[nodiscard]] bool awaits_first_look() const;
    /// Handlers, runs that wait for a slot, endings that are not written; with what predecessors in this process
    /// execute.
    [[nodiscard]] bool has_something() const;
    [[nodiscard]] const store::Wire& database() const { return rounds.wire(); }
    /// The database suspends when nobody talks to it, and is to be let.
    [[nodiscard]] bool sleepy() const { return config_.database.close_after > Millis{0}; }
    /// What a round has to know that asks what is due or takes runs back: the lease of a run that is ours in the
    /// database and not here, however that came about, is everybody's business.
    void add_fences(store::Round& round) const;
    void measure();
    /// What this worker has done of its errand by itself, whoever hears of it.
    [[nodiscard]] ErrandEnd errand_end() const {
        return flights.met_unknown_task() ? ErrandEnd::unknown_task : errand_end_;
    }

  private:
    void tell_errand(const store::Ending& ending);

    const config::Config& config_;
    const Circumstances& circumstances_;
    const Life& life_;
    ErrandEnd errand_end_ = ErrandEnd::none;
    const Events events_;
    std::string untested_;  ///< what was told of the version of the server

    [[nodiscard]] rounds::Rounds::Events events_of_rounds();
    void scale_to(handlers::Handlers& handlers, int runs);

  public:
    Measures measures;
    Scale scale;
    Reports reports;
    Flights flights;
    Promises promises;
    Claims claims;
    Leases leases;
    Registry registry;
    Rescue rescue;
    Imports imports;
    RetentionSteps retention;
    rounds::Rounds rounds;
    Neighbours neighbours;
};

}  // namespace dormouse::worker
