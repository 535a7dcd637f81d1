// When to ask the database for work. A ring is answered by a look that is sent after it (W2); rings have no authority,
// so looks that find nothing come further and further apart (W6), while looks that find something are never held up.
// Pure: the worker tells it what happened and asks when to look.
#pragma once

#include "base/clock.h"

namespace dormouse::worker {

class Looks {
  public:
    using Time = BootClock::time_point;

    /// Something asks for a look: a ring, a notification, a due time, a new session, a free slot behind a full claim.
    void owe() { owed_ = true; }
    [[nodiscard]] bool owed() const { return owed_; }
    /// How long to hold the next look back; 0 or less: it may go now.
    [[nodiscard]] Millis wait(Time now) const;

    /// A look is on the wire: what is owed from here on needs another one.
    void sent(Time now);
    /// It was answered; `found`: it brought something.
    void answered(bool found);
    /// Its answer will not come: it is owed again.
    void failed() { owed_ = true; }
    [[nodiscard]] bool ever_answered() const { return ever_answered_; }

  private:
    static constexpr Millis longest_gap{100};
    static constexpr Millis forgotten_after{1'000};

    bool owed_ = true;  // who wakes, looks
    bool ever_answered_ = false;
    Time last_sent_{};
    Millis gap_{0};
};

}  // namespace dormouse::worker
