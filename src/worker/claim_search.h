// Finds out which run a claim was refused for. It lists what the claim would take and claims those by halves; the one
// that is left is claimed without its payload, else it fails where it waits, else it is passed over for a while. Driven
// by Claims, which sends what it fills and tells what became of it. Pure but for the log.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "rounds/bisection.h"
#include "worker/taking_part.h"

namespace dormouse::worker {

class ClaimSearch {
  public:
    /// A run that could be claimed only without its payload: it is ours, and can only fail.
    using OnRejected =
        std::function<void(const store::ClaimedRun&, const std::string& error_class, const std::string&)>;
    explicit ClaimSearch(OnRejected on_rejected) : on_rejected_(std::move(on_rejected)) {}

    [[nodiscard]] bool active() const { return step_ != Step::none; }
    /// A claim was refused.
    void begin() { step_ = Step::list; }
    /// … and it was for these.
    void begin(std::vector<Uuid> ids) { halves_.suspect(std::move(ids)), settle(); }
    /// Puts the next try into `round`. `claim`: what would be claimed now.
    void fill(store::Round& round, store::Claim claim, Time now);
    /// Takes out of `answer` what is not to be started.
    void answered(store::Answer& answer);
    Next refused(const store::Refused& refused, Time now);
    /// Runs that a claim is not to take now.
    [[nodiscard]] std::vector<Uuid> passed_over(Time now);

  private:
    enum class Step { none, list, halves, bare, refuse };
    struct Over {
        Uuid id;
        Time until;
        Millis pause;
    };
    void settle();
    void pass_over(const Uuid& id, Time now);

    OnRejected on_rejected_;
    Step step_ = Step::none;
    Bisection<Uuid> halves_;
    store::Refused why_;  ///< the last refusal of the guilty one
    std::vector<Over> over_;
};

}  // namespace dormouse::worker
