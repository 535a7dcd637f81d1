// Steps of retention among the rounds: finished runs that are old go. Each is a round of its own, so that no lock of it
// is held for anything else. Beside work they come at a pace; otherwise one is made only when the worker asks, on its
// way to sleep, so that nothing is sent for it alone and a database that is let sleep is not kept awake.
#pragma once

#include <functional>

#include "worker/retention.h"
#include "worker/taking_part.h"

namespace dormouse::worker {

class RetentionSteps : public Participant {
  public:
    struct Terms {
        Millis keep{0};                       ///< finished runs; 0: for ever
        bool beside_work = true;              ///< false: only on the way to sleep
        std::function<bool()> at_work;        ///< handlers are at work, and the registry knows of this worker
        std::function<bool()> lease_presses;  ///< an extension is wanted, which goes first
    };
    RetentionSteps(Terms terms, Time start) : terms_(std::move(terms)), plan_(start) {}

    /// On the way to sleep: whether a step is to be made first, with the next round. Ask again when it was answered.
    bool before_sleep(Time now);
    /// A step is wanted or on the wire that the way to sleep waits for.
    [[nodiscard]] bool awaited() const { return state_ == State::before_sleep || state_ == State::sent_before_sleep; }
    /// A step has just been made on the way to sleep: ask again at once.
    [[nodiscard]] bool goes_on() const { return state_ == State::made; }
    /// How long the way to sleep still waits for it.
    [[nodiscard]] Millis time_left(Time now) const { return plan_.time_left(now); }

    [[nodiscard]] const char* name() const override { return "retention"; }
    [[nodiscard]] Company company() const override { return Company::none; }
    [[nodiscard]] store::Parts parts() const override { return store::parts({store::Part::retain}); }
    void closed() override { undone(); }
    void tick(Time now) override {
        if (state_ == State::made && now - made_at_ > same_breath) state_ = State::resting;
    }
    bool fill(store::Round& round, const Moment& moment) override;
    void answered(store::Answer& answer, Time sent_at) override;
    void undone() override;
    Next refused(const store::Refused& refused) override;
    [[nodiscard]] std::optional<Millis> wait(const Moment& moment) const override;

  private:
    enum class State { resting, before_sleep, sent, sent_before_sleep, made };

    static constexpr Millis same_breath{100};

    Terms terms_;
    Retention plan_;
    State state_ = State::resting;
    Time made_at_{};
    std::string trouble_;  ///< that was told last
};

}  // namespace dormouse::worker
