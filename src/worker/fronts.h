// Where claims may begin. Runs that are gone stay in the claim's index until a vacuum may take them away, which it may
// not while a dump, a forgotten transaction or a replica holds a snapshot; they lie in front of what is due, and each
// claim walks over all of them. A worker knows how far its claims came in each line (the runs of a queue with one
// priority), so it claims from a little before that on. What comes to lie in front of it is not found that way: a
// transaction that commits late, a run that goes back to its place, an operator's UPDATE. So a front is a short cut,
// and never the word that nothing is there: claims begin at fronts only when those without take long for what they
// bring, one without is owed soon after each, and only that one counts as a look before which a worker may not be
// silent. What is more urgent than all known lines of its queue is looked for in any case. Driven by Worker; pure.
#pragma once

#include <deque>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "store/round.h"

namespace dormouse::worker {

class Fronts {
  public:
    using Time = BootClock::time_point;
    using Micros = std::chrono::microseconds;

    /// Finding takes so long at least where nothing is in the way; three claims in a row that take longer are slow.
    static constexpr Micros brief{1'000};
    static constexpr Micros brief_for_each_run{20};
    static constexpr Micros brief_for_each_queue{10};
    static constexpr int in_a_row = 3;
    /// A front is where the claims stood so long ago, or so many runs ago, whichever is nearer: transactions that are
    /// no longer than that are found as if there were none. (With 1 s the p99 of a claim was 2.25 times that without
    /// anything in the way, at 800 runs a second: bench/snapshot.)
    static constexpr Millis behind{200};
    static constexpr int runs_behind = 500;
    /// A whole look comes after this many times of what the last one took, within these bounds.
    static constexpr int times_as_long = 50;
    static constexpr Millis soonest{1'000};
    static constexpr Millis latest{30'000};
    /// Each costs a descent in each claim; with more lines than this all claims are whole.
    static constexpr std::size_t most_lines = 64;

    /// Where a claim that is sent now begins, by priority within a queue; empty: it is a whole one.
    [[nodiscard]] std::vector<store::Front> next(Time now) const;
    /// A claim from `fronts` is on the wire.
    void sent(const std::vector<store::Front>& fronts);
    /// It was answered. `queues`: how many it asked for.
    void answered(const std::vector<store::Front>& fronts, std::size_t queues, const store::Answer& answer, Time now);
    /// A whole look is to come, whatever else happens: nobody may be silent before it.
    [[nodiscard]] bool owes_whole() const { return owed_; }
    /// When it is due; none: it is not owed.
    [[nodiscard]] std::optional<Millis> wait(Time now) const;
    /// Much is in the way: who asks what is due walks over it as well.
    [[nodiscard]] bool slow() const { return slow_ >= in_a_row; }
    /// A new session: what was known may be long ago.
    void forget();

  private:
    struct Mark {
        Time at;
        store::Front place;
        long runs;  ///< of this line, claimed until then
    };
    struct Line {
        std::string queue;
        int priority;
        std::deque<Mark> marks;  ///< the first one is the front
    };

    void note(const std::vector<store::Reached>& reached, Time now);

    std::vector<Line> lines_;  ///< by queue, then priority
    int slow_ = 0;             ///< whole claims in a row
    bool owed_ = false;
    Millis pause_{soonest};
    Time last_whole_{};
};

}  // namespace dormouse::worker
