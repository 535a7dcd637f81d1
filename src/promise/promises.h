// The promise to look again, as a participant: what Promise wants done goes with the rounds that are made anyway, and
// with one of its own when it must not wait. promise.h has the rules.
#pragma once

#include "promise/promise.h"
#include "rounds/participant.h"

namespace dormouse::promise {

using rounds::Time;

class Promises : public rounds::Participant {
  public:
    explicit Promises(Promise::Terms terms) : promise_(terms) {}

    [[nodiscard]] Promise& promise() { return promise_; }
    /// Nobody relies on this worker, or it has no session and so cannot be relied on.
    [[nodiscard]] bool may_be_silent() const { return !open_ || promise_.may_be_silent(); }

    [[nodiscard]] const char* name() const override { return "promises"; }
    [[nodiscard]] Company company() const override { return Company::others; }
    [[nodiscard]] store::Parts parts() const override {
        using store::Part;
        return store::parts({Part::enlist, Part::rest, Part::promise});
    }
    void opened(Time) override { open_ = true, promise_.opened(); }
    void closed() override { open_ = false; }
    bool fill(store::Round& round, const rounds::Moment& moment) override;
    void answered(store::Answer& answer, Time sent_at) override;
    void undone() override { promise_.failed(std::exchange(act_, {})); }
    void lost() override { undone(), open_ = false; }
    rounds::Next refused(const store::Refused&) override { return undone(), rounds::Next::later; }
    [[nodiscard]] std::optional<Millis> wait(const rounds::Moment& moment) const override;
    [[nodiscard]] bool quiet() const override { return may_be_silent(); }

  private:
    Promise promise_;
    store::PromiseAct act_;  ///< on the wire
    bool open_ = false;
};

}  // namespace dormouse::promise
