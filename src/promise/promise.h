// W10: a worker that is registered for its queues is told of whatever is inserted into them. One that is busy promises
// to look again instead: it is registered no more, and producers leave their NOTIFY out. Before it may be silent it
// registers and has made sure that no transaction relies on it; so does each new session, because producers leave the
// NOTIFY out while nobody is there, too. sql/migrations/0001_baseline/02_notify.sql is the producers' side,
// tests/model/reliance.pml the proof.
// Pure: the worker tells it what happened, and asks what the next round should do about it. Assumes the worst of what
// is on the wire: a lock stays when its round fails.
#pragma once

#include <optional>

#include "base/clock.h"
#include "store/round.h"

namespace dormouse::promise {

class Promise {
  public:
    using Time = BootClock::time_point;

    struct Terms {
        bool promises = false;  ///< for a worker that somebody starts again, whatever happens
        bool rests = true;      ///< false: waits for nobody who relies, although it asks whether somebody does
        int after = 8;          ///< promises after so many looks in a row that brought something,
        Millis apart{100};      ///< none of which came later than so after the one before
        Millis linger{50};      ///< goes silent when nothing was found for so long
        Millis full{1'000};     ///< and when there was no room for so long
        Millis pause{1'000};    ///< between two tries, at first, and while somebody holds the lock who should not
        Millis longest_pause{30'000};
    };

    explicit Promise(Terms terms) : terms_(terms) {}

    /// A new session, which holds nothing.
    void opened();
    /// What the next round is to take along. With `rest` in it, it has to ask for what is due or to claim.
    [[nodiscard]] store::PromiseAct wanted(Time now) const;
    /// What the last round of all is to take along.
    [[nodiscard]] store::PromiseAct last() const;
    /// When wanted() is next to be asked, without anything happening; none: never.
    [[nodiscard]] std::optional<Millis> wait(Time now) const;
    void sent(const store::PromiseAct& act);
    void answered(const store::PromiseAct& act, const store::Answer& answer, Time now);
    void failed(const store::PromiseAct& act);

    /// A look was answered; `found`: it brought something.
    void looked(bool found, Time now);
    /// Whether there is room for another run. From the first time that there is none, it counts.
    void room(bool any, Time now);
    /// For a worker that claims no more.
    void withdraw();

    /// It is to look again and again, without being told.
    [[nodiscard]] bool given() const { return state_ == State::given; }
    /// Nobody relies on it, and nobody can without its word: it need not look before it is told. Also while somebody
    /// keeps it from registering: whoever inserts then notifies, and it looks again after each pause, in case he is
    /// gone.
    [[nodiscard]] bool may_be_silent() const { return !terms_.rests || state_ == State::rested || kept_out_; }

  private:
    enum class State {
        apart,   ///< not registered, or not certainly
        listed,  ///< registered; somebody may still rely on what was promised before, or on nobody being there
        rested,  ///< and nobody does
        given,   ///< promised, as far as we know
    };

    [[nodiscard]] bool full_for_too_long(Time now) const;
    [[nodiscard]] bool wants_to_give(Time now) const;

    Terms terms_;
    State state_ = State::apart;
    bool kept_out_ = false;  ///< could not register, and nobody relies on us
    int tries_ = 0;
    Time next_try_{};   ///< of enlist and rest
    Time next_give_{};  ///< of a promise
    int streak_ = 0;
    Time last_found_{};
    std::optional<Time> full_since_;
};

}  // namespace dormouse::promise
