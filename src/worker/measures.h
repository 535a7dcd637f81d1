// What the worker tells its pool's metrics: the one place that translates its events into counts. As a participant it
// asks for the backlog along with a round that others make, never by one of its own. Without a Tally it does nothing.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/config.h"
#include "metrics/tally.h"
#include "worker/outbox.h"
#include "worker/taking_part.h"

namespace dormouse::worker {

class Measures : public Participant {
  public:
    Measures(metrics::Tally* tally, const config::Config& config);

    void ended(const Parcel& parcel);
    void refused(const Parcel& parcel);
    void looked(const std::vector<store::ClaimedRun>& runs);
    void lost(std::int64_t runs);
    void rung();
    /// With each step of the worker: how much is at work, and which sessions are open from now on.
    void sampled(Time now, std::size_t busy, const store::Wire& first, const store::Wire& second);

    /// Asks for the backlog in `round`, of the worker itself.
    void ask(store::Round& round) const;
    void take_backlog(const std::vector<store::Backlog>& backlog);

    [[nodiscard]] const char* name() const override { return "metrics"; }
    [[nodiscard]] store::Parts parts() const override { return store::parts({store::Part::backlog}); }
    [[nodiscard]] Company company() const override { return Company::others; }
    bool fill(store::Round& round, const Moment& moment) override;
    void answered(store::Answer& answer, Time sent_at) override;
    void undone() override { on_wire_ = false; }
    Next refused(const store::Refused& refused) override;
    [[nodiscard]] std::optional<Millis> wait(const Moment&) const override { return std::nullopt; }

  private:
    static constexpr Millis between_questions{15'000};
    static constexpr Millis pause_after_refusal{600'000};

    metrics::Tally* tally_;
    std::vector<std::string> tasks_;
    Time not_before_{};
    bool on_wire_ = false;
    bool taken_ = false;  ///< the last question was answered: a last round may have it without harm
};

}  // namespace dormouse::worker
