// This worker's row in the registry, which names its session: others know by that whether it lives. Written with the
// second round, since whoever rang waits for a handler and not for the registry; of each later session with the first.
#pragma once

#include "worker/taking_part.h"

namespace dormouse::worker {

class Registry : public Participant {
  public:
    /// Its row is there.
    [[nodiscard]] bool registered() const { return state_ >= State::written; }
    /// The row says that this worker rests, by the last round of a session that is closed on purpose.
    void rested() { state_ = State::doubtful; }

    [[nodiscard]] const char* name() const override { return "registry"; }
    [[nodiscard]] store::Parts parts() const override { return store::parts({store::Part::arrive}); }
    bool fill(store::Round& round, const Moment& moment) override {
        if (wait(moment) != Millis{0}) return false;
        state_ = state_ == State::wanted ? State::sent : State::sent_again;
        return round.arrive = true;
    }
    void answered(store::Answer&, Time) override { state_ = State::written; }
    void undone() override {
        if (state_ == State::sent) state_ = State::wanted;
        if (state_ == State::sent_again) state_ = State::doubtful;
    }
    void lost() override { state_ = registered() ? State::doubtful : State::wanted; }
    Next refused(const store::Refused&) override { return undone(), Next::later; }
    [[nodiscard]] std::optional<Millis> wait(const Moment& moment) const override {
        const bool wanted = state_ == State::wanted || state_ == State::doubtful;
        if (!wanted || moment.first_look || moment.leaving) return std::nullopt;
        return Millis{0};
    }

  private:
    enum class State { wanted, sent, written, doubtful, sent_again } state_ = State::wanted;
};

}  // namespace dormouse::worker
