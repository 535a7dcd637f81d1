// Takes back runs that somebody has lost: those of predecessors that are known to be dead, with the first round, and
// those of anybody whose lease has ended. A run that the database does not let be taken back is found by halves, told,
// and left alone for a while.
#pragma once

#include <functional>
#include <vector>

#include "rounds/bisection.h"
#include "worker/predecessors.h"
#include "worker/taking_part.h"

namespace dormouse::worker {

class Rescue : public Participant {
  public:
    struct Events {
        std::function<void(std::int64_t runs)> on_rescued;  ///< there is something to claim
        std::function<void()> on_dead_settled;              ///< what the predecessors held is back
    };
    /// `for_everybody`: false for a worker that is there for one run alone.
    Rescue(Predecessors* predecessors, bool for_everybody, Events events)
        : predecessors_(predecessors), for_everybody_(for_everybody), events_(std::move(events)) {}

    /// Somebody's lease may have ended.
    void want() { wanted_ = true; }

    [[nodiscard]] const char* name() const override { return "rescue"; }
    [[nodiscard]] store::Parts parts() const override;
    void opened(Time) override { want(); }
    bool fill(store::Round& round, const Moment& moment) override;
    void answered(store::Answer& answer, Time sent_at) override;
    void undone() override;
    Next refused(const store::Refused& refused) override;
    [[nodiscard]] bool searching() const override { return search_.active() || listing_; }
    [[nodiscard]] std::optional<Millis> wait(const Moment& moment) const override;

  private:
    enum class Sent { nothing, dead, lost, list, ids };
    struct Left {
        Uuid id;
        Time until;
    };
    [[nodiscard]] bool has_dead() const { return predecessors_ != nullptr && !predecessors_->dead().empty(); }
    [[nodiscard]] std::vector<Uuid> left_alone(Time now);
    [[nodiscard]] Sent next(const Moment& moment) const;
    /// Before their runs go back: what their handlers have left behind on this host.
    void end_leftovers();

    Predecessors* predecessors_;
    bool for_everybody_;
    Events events_;
    bool wanted_ = true;
    bool listing_ = false;  ///< the statement for all was refused: which are they?
    Sent sent_ = Sent::nothing;
    std::vector<Uuid> swept_;  ///< nothing of these is left
    std::vector<Uuid> asked_;  ///< dead: whose runs the round takes back
    Bisection<Uuid> search_;
    std::vector<Left> left_;
};

}  // namespace dormouse::worker
