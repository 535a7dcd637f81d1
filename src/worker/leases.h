// Keeps what this worker holds: extends the leases of runs whose handlers are at work, asks whether a run is still ours
// when somebody may have taken it away, and stops handlers before a lease ends that could not be extended. Extensions
// that the database refuses are found by halves, so that one run's trigger takes no other run's lease.
#pragma once

#include <functional>
#include <set>
#include <vector>

#include "rounds/bisection.h"
#include "worker/flights.h"
#include "worker/outbox.h"
#include "worker/shelf.h"
#include "worker/taking_part.h"

namespace dormouse::worker {

class Leases : public Participant {
  public:
    /// `on_parcels`: runs that end here because their lease is about to.
    Leases(Millis lease, Flights& flights, Shelf& shelf, const Outbox& outbox,
           std::function<void(std::vector<Parcel>)> on_parcels)
        : lease_(lease), flights_(flights), shelf_(shelf), outbox_(outbox), on_parcels_(std::move(on_parcels)) {}

    /// Somebody may have taken a run away: asks which are still ours.
    void doubt() { doubt_ = true; }

    [[nodiscard]] const char* name() const override { return "leases"; }
    [[nodiscard]] store::Parts parts() const override { return store::parts({store::Part::extend, store::Part::held}); }
    void opened(Time) override { doubt(); }
    void closed() override { doubt(); }
    void tick(Time now) override { on_parcels_(flights_.stop_before_lease_ends(now)); }
    [[nodiscard]] std::optional<Millis> next_tick(Time now) const override { return flights_.next_lease_event(now); }
    /// A lease has less than two thirds left: of a run that is at work, or of one whose ending is unwritten.
    [[nodiscard]] bool extension_wanted(Time now) const;
    bool fill(store::Round& round, const Moment& moment) override;
    void answered(store::Answer& answer, Time sent_at) override;
    void undone() override;
    Next refused(const store::Refused& refused) override;
    [[nodiscard]] bool searching() const override { return bisection_.active(); }
    [[nodiscard]] std::optional<Millis> wait(const Moment& moment) const override;
    [[nodiscard]] bool quiet() const override { return flights_.empty(); }
    /// Handlers may be at work without one.
    [[nodiscard]] bool keeps_session() const override { return false; }
    [[nodiscard]] bool opens_session() const override { return true; }
    void add_held(std::vector<store::Held>& into) const override { flights_.add_held(into), shelf_.add_held(into); }

  private:
    void extend(store::Round& round, Time now);
    [[nodiscard]] bool asks() const { return doubt_ && !(flights_.empty() && shelf_.empty()); }

    Millis lease_;
    Flights& flights_;
    Shelf& shelf_;
    const Outbox& outbox_;
    Time extended_at_{};  ///< the last time that extensions were sent
    std::function<void(std::vector<Parcel>)> on_parcels_;
    bool doubt_ = false;
    std::vector<store::Held> extending_;  ///< on the wire
    std::vector<store::Held> asking_;     ///< on the wire
    Bisection<Uuid> bisection_;
    std::set<std::int64_t> refused_;  ///< fences of runs whose row the database does not let us touch
    std::set<std::int64_t> locked_;   ///< of those that are tried again, which was said
};

}  // namespace dormouse::worker
