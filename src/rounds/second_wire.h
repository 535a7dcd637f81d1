// A second wire, for what attempts report: while one claim after the other comes back full, Postgres writes what has
// ended at the same time as it finds what comes next. Opened under load, closed after a quiet while, and given up at
// the first trouble: the first wire can do everything that this one does, and says what the trouble is. Half of what
// waits, sent with the claims while this one is at work, was tried and is no faster: 0.98 of the rate (0.72–1.10 in 7
// rounds of 200,000 runs).
#pragma once

#include "loop/timer.h"
#include "store/wire.h"

namespace dormouse::rounds {

class SecondWire {
  public:
    /// `worth_it`: opened after some claims in a row that each brought at least so many; 0: never.
    SecondWire(loop::Loop& loop, store::Wire::Terms terms, int worth_it, store::Wire::Events events);

    /// A claim was answered.
    void claimed(int runs);
    /// Nothing is to do: it is closed in a while, unless a claim brings something meanwhile.
    void quiet();
    /// No event follows.
    void close();
    [[nodiscard]] store::Wire& wire() { return wire_; }
    [[nodiscard]] const store::Wire& wire() const { return wire_; }

  private:
    static constexpr int in_a_row = 3;
    static constexpr Millis quiet_while{5'000};
    static constexpr Millis pause_after_trouble{60'000};

    int worth_it_;
    int large_claims_ = 0;
    store::Wire wire_;
    loop::Timer quiet_timer_;
    loop::Timer trouble_timer_;  ///< armed: not yet again
};

}  // namespace dormouse::rounds
