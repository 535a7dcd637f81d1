// Gets work: decides when to look, what to ask for, and what becomes of the answer; knows when somebody must look next.
// Asks for runs of tasks that this worker knows and has room for, and for no others. When the database refuses a claim,
// ClaimSearch finds out which run that is for, and everybody else's runs start meanwhile.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "config/config.h"
#include "rounds/round_portion.h"
#include "worker/claim_search.h"
#include "worker/errand.h"
#include "worker/flights.h"
#include "worker/looks.h"
#include "worker/reports.h"
#include "worker/scale.h"
#include "worker/shelf.h"
#include "worker/taking_part.h"

namespace dormouse::worker {

class Claims : public Participant {
  public:
    struct Events {
        std::function<void(const std::vector<store::ClaimedRun>&)> on_claimed;  ///< a look was answered with these
        std::function<void()> on_due;                         ///< a due time has come: a lease may have ended, too
        std::function<void(const std::string&)> on_standing;  ///< how the errand's run stands; empty: it is gone
    };
    Claims(const config::Config& config, const Errand& errand, const Scale& scale, Flights& flights, Reports& reports,
           Events events);

    /// Something asks for a look: a ring, a notification, a free slot behind a full claim.
    void owe() { looks_.owe(); }
    /// What is owed now was meant for whoever asks next: a last round that asks what is due.
    void answered_by_another_round(Time now) { looks_.sent(now); }
    [[nodiscard]] bool owed() const { return looks_.owed(); }
    [[nodiscard]] bool ever_answered() const { return looks_.ever_answered(); }
    /// A look is owed that can be made, or one is on the wire.
    [[nodiscard]] bool looking() const { return on_wire_ || (looks_.owed() && wanted() > 0); }
    /// How many more runs there is room for.
    [[nodiscard]] int wanted() const;
    [[nodiscard]] int free_slots() const;

    [[nodiscard]] Shelf& shelf() { return shelf_; }
    [[nodiscard]] const Shelf& shelf() const { return shelf_; }
    /// Starts at most so many of those that wait for a slot.
    void fill_slots(int most);
    /// Hands back all that waits.
    void give_back_all();
    [[nodiscard]] bool doubts() const { return forgets_; }
    /// An ending that was written has put its run back: nobody will tell us when that is due.
    void put_back_in(Millis delay);
    /// The question what is due, for a last round. Its answer is not for this object.
    void fill_due(store::Round& round);
    /// When somebody must look next, as far as is known; none: never.
    struct Due {
        bool known = false;
        std::optional<Time> at;
    };
    [[nodiscard]] const Due& due() const { return due_; }
    /// A round of somebody else's has asked.
    void take_due(std::optional<Millis> due_in);
    void forget_due() { due_.known = false; }

    [[nodiscard]] bool ran_anything() const { return attempts_made_ > 0; }
    /// Something is due and free, as far as one can see, and the last look did not bring it.
    [[nodiscard]] bool in_vain() const { return fruitless_ > 0; }
    [[nodiscard]] int attempts_made() const { return attempts_made_; }

    [[nodiscard]] const char* name() const override { return "claims"; }
    [[nodiscard]] store::Parts parts() const override;
    void opened(Time now) override;
    void tick(Time now) override;
    [[nodiscard]] std::optional<Millis> next_tick(Time now) const override;
    bool fill(store::Round& round, const Moment& moment) override;
    void answered(store::Answer& answer, Time sent_at) override;
    void undone() override;
    void lost() override;
    Next refused(const store::Refused& refused) override;
    [[nodiscard]] bool searching() const override { return search_.active(); }
    [[nodiscard]] std::optional<Millis> wait(const Moment& moment) const override;
    [[nodiscard]] bool opens_session() const override { return true; }
    [[nodiscard]] bool quiet() const override { return shelf_.empty() && !looking() && !search_.active(); }

  private:
    [[nodiscard]] store::Claim claim_for(Time now);
    void take_claimed(store::Answer& answer, Time sent_at);
    void take_standing(const store::Answer& answer);
    [[nodiscard]] std::optional<Millis> due_in(Time now) const;
    [[nodiscard]] Millis full_for(Time now);
    [[nodiscard]] int slots_of_errand(int free) const;
    [[nodiscard]] bool for_one() const { return errand_.run.has_value(); }

    const config::Config& config_;
    const Errand& errand_;
    const Scale& scale_;
    Flights& flights_;
    Reports& reports_;
    Events events_;
    Looks looks_;
    Shelf shelf_;
    ClaimSearch search_;
    std::vector<store::Room> all_tasks_;     ///< when none has a concurrency of its own: they never change
    std::optional<store::Claim> on_wire_;    ///< the claim whose answer is awaited
    rounds::RoundPortion portion_{100'000};  ///< runs; above what any pool executes at once
    bool asked_due_ = false;                 ///< … and whether it is asked what is due
    bool put_back_ = false;                  ///< a run was put back since that was asked
    bool asked_forgotten_ = false;           ///< … and for claims whose answer was lost
    bool forgets_ = false;                   ///< there may be such claims
    bool ever_claimed_ = false;
    bool last_full_ = false;  ///< the last claim came back full: there is probably more
    Due due_;
    Time no_due_before_{};            ///< the question was refused
    std::optional<Time> full_since_;  ///< no slot was free since then, or since others' leases were looked at last
    int fruitless_ = 0;               ///< due now, but locked or passed over by somebody, so often in a row
    int attempts_made_ = 0;
};

}  // namespace dormouse::worker
