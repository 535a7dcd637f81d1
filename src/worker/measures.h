// What the worker tells its pool's metrics: the one place that translates its events into counts. As a participant it
// asks for the backlog along with a round that others make, for the metrics and for whoever is told of runs that wait
// (alerts.backlog_age). By a round of its own only once when nothing is at work any more, to tell that they no longer
// wait. Without a Tally and without alerts it does nothing.
#pragma once

#include <map>
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
    void runs_lost(std::int64_t runs);
    void rung();
    void scaled(int pool_size);
    /// With each step of the worker: how many slots are taken, and which sessions are open from now on. None: it is a
    /// successor's to tell.
    void sampled(Time now, std::optional<std::size_t> busy, const store::Wire& first, const store::Wire& second);

    /// Asks for the backlog in `round`, of the worker itself.
    void ask(store::Round& round) const;
    void take_backlog(const std::vector<store::Backlog>& backlog);

    [[nodiscard]] const char* name() const override { return "metrics"; }
    [[nodiscard]] store::Parts parts() const override { return store::parts({store::Part::backlog}); }
    [[nodiscard]] Company company() const override { return well_asked_ ? Company::any : Company::others; }
    bool fill(store::Round& round, const Moment& moment) override;
    void answered(store::Answer& answer, Time sent_at) override;
    void undone() override { on_wire_ = false; }
    Next refused(const store::Refused& refused) override;
    [[nodiscard]] std::optional<Millis> wait(const Moment& moment) const override;
    [[nodiscard]] bool keeps_session() const override { return well_asked_; }

  private:
    [[nodiscard]] bool asks() const { return tally_ != nullptr || age_ > Millis{0}; }
    void judge(const store::Backlog& queue, std::int64_t most);

    static constexpr Millis pause_after_refusal{600'000};

    metrics::Tally* tally_;
    metrics::Sessions sessions_;
    Millis age_{0};  ///< of a run that is told; 0: nobody is told
    Millis repeat_;
    Millis between_questions_;
    std::map<std::string, std::optional<Time>> told_;  ///< queues that were judged, and when they were told as late
    bool well_asked_ = false;                          ///< something was told, and nothing is at work any more
    bool idle_judged_ = false;                         ///< … and was judged since
    std::vector<std::string> tasks_;
    Time not_before_{};
    bool on_wire_ = false;
    bool taken_ = false;  ///< the last question was answered: a last round may have it without harm
};

}  // namespace dormouse::worker
