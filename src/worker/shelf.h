// Claimed runs that wait here for a slot, so that short runs never wait for the database: while one claim is on the
// wire the handlers live on the one before. How many are fetched ahead follows from what the handlers take: as many as
// they have started since the answer before, or all that an answer brings if they had nothing left, and twice that
// again when the next answer comes, but no more than they start in `horizon`, so slow handlers get none. (From what
// they started alone, claims of 16 stay claims of 16: 13,600 runs a second with the default configuration.) What has
// waited for `longest_wait` all the same goes back to its queue, where somebody else may have a slot for it. Driven by
// Worker; no loop, no session.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "store/round.h"

namespace dormouse::worker {

class Shelf {
  public:
    using Time = BootClock::time_point;
    struct Waiting {
        store::ClaimedRun run;
        Time claimed_at;  ///< when its claim was sent: its lease counts from there
        Time since;       ///< when it came
    };
    static constexpr Millis horizon{100};
    static constexpr Millis longest_wait{200};
    static constexpr int most_in_hand = 2'000;

    /// A claim that was sent at `claimed_at` has brought these, in the order in which they start.
    void put(std::vector<store::ClaimedRun> runs, Time claimed_at, Time now);
    /// The next one to start; none: there is none.
    std::optional<Waiting> take();
    /// How many are worth having beyond those that find a slot at once, when there are so many slots.
    [[nodiscard]] int ahead(int slots) const;
    /// Something waited too long, or was too large to be fetched ahead: start anew with none.
    void fetch_no_more() { in_hand_ = 0; }

    /// If one has waited for too long: all of them, to be given back.
    [[nodiscard]] std::vector<store::ClaimedRun> overdue(Time now);
    [[nodiscard]] std::vector<store::ClaimedRun> take_all();
    /// How long until something is overdue; none: nothing waits.
    [[nodiscard]] std::optional<Millis> wait(Time now) const;
    /// Of `asked`, those not in `still_held` are somebody else's now, and forgotten.
    void keep_only(const std::vector<store::Held>& asked, const std::vector<Uuid>& still_held);

    [[nodiscard]] bool empty() const { return waiting_.empty(); }
    [[nodiscard]] int count() const { return static_cast<int>(waiting_.size()); }
    [[nodiscard]] int count(const std::string& task) const;
    void add_held(std::vector<store::Held>& into) const;

  private:
    std::deque<Waiting> waiting_;
    int started_ = 0;  ///< since the last answer
    Time last_answer_{};
    int in_hand_ = 0;  ///< so many are worth having, at work and waiting
};

}  // namespace dormouse::worker
