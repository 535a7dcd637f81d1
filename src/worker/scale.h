// How many runs this worker executes at once: what its configuration says, or for a while what somebody has said for
// the pool (dormouse scale), which the database knows. Asked with the first round of each session, and when the
// database tells of it, at most once a second, since anybody can tell. Its end comes by this host's clock and costs no
// statement. Driven by Rounds; Claims asks it. Starts and stops nothing.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "worker/taking_part.h"

namespace dormouse::worker {

class Scale : public Participant {
  public:
    /// `most`: what it may be at most, whoever says more; 0: 10,000. `asks`: false for one that executes one run alone.
    /// `on_change`: at_once() says something else.
    struct Terms {
        std::string pool;
        int configured = 1;
        int most = 0;
        bool asks = true;
        std::function<void(int)> on_change;
    };
    explicit Scale(Terms terms) : terms_(std::move(terms)), at_once_(terms_.configured) {}

    [[nodiscard]] int at_once() const { return at_once_; }
    /// Somebody may have said something.
    void ask() { wanted_ = terms_.asks; }

    [[nodiscard]] const char* name() const override { return "scale"; }
    [[nodiscard]] store::Parts parts() const override { return store::parts({store::Part::scale}); }
    void opened(Time now) override;
    void tick(Time now) override;
    [[nodiscard]] std::optional<Millis> next_tick(Time now) const override;
    bool fill(store::Round& round, const Moment& moment) override;
    void answered(store::Answer& answer, Time sent_at) override;
    void undone() override;
    Next refused(const store::Refused&) override { return undone(), Next::later; }
    [[nodiscard]] std::optional<Millis> wait(const Moment& moment) const override;

  private:
    static constexpr Millis between_questions{1'000};

    void take(const store::Scaled& scaled, Time until);
    void take_nothing(const char* why);
    void use(int at_once);

    Terms terms_;
    int at_once_;
    std::optional<store::Scaled> scaled_;  ///< in force
    Time until_{};                         ///< … and for so long
    bool wanted_ = false;
    bool on_wire_ = false;
    Time not_before_{};
};

}  // namespace dormouse::worker
