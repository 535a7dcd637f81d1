// Endings on their way to the database. What finishes while a round is on the wire collects here and goes with the next
// one, so batches grow with the load. An ending leaves only when it is written, or when it is certain that it never
// will be: nothing in here is forgotten because a session was lost. One that the database refuses is found by halves;
// then its run ends with the refusal as its error, or is put back with it (or fails, if it was to go back), or is kept
// and tried again, in that order.
// Driven by Reports; no loop, no session.
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "rounds/bisection.h"
#include "rounds/round_portion.h"
#include "store/round.h"
#include "worker/taking_part.h"

namespace dormouse::worker {

/// An ending, with what the log says about it.
struct Parcel {
    store::Ending ending;
    std::string task;
    int attempt = 1;
    std::size_t said = 0;  ///< bytes of news that go with it
    /// What is tried of it, after the one before was refused.
    enum class Resort { as_it_is, bare_failure, other_way, kept } resort = Resort::as_it_is;
    std::optional<Millis> took{};                    ///< its handler; none: none was started
    std::optional<BootClock::time_point> tell_at{};  ///< somebody holds its row: when that is told
    int told = 0;                                    ///< … and how often it was
    int kept = 0;         ///< how often it was kept back, because of that or of somebody's lock: it goes alone then
    int passed_over = 0;  ///< how often it was not written, without an error, where there are triggers of somebody's
};

class Outbox {
  public:
    struct Events {
        std::function<void(const Parcel&)> on_written;
        std::function<void(const Parcel&)> on_refused;  ///< the fence is gone: the run is somebody else's
        /// The database takes nothing about this run; tried again after so long.
        std::function<void(const Parcel&, const std::string& why, Millis pause)> on_kept;
        /// It is this worker's and could not be written for a minute or more, without an error.
        std::function<void(const Parcel&)> on_held_up;
        /// … nor is it again for so long, since there are triggers that may pass over it: what removes them.
        std::function<void(const Parcel&, const std::string& remedy, Millis pause)> on_passed_over;
    };
    explicit Outbox(Events events) : events_(std::move(events)) {}

    void add(Parcel parcel);
    /// Until when a parcel is to be held back, because something has to be written before it; null: it may go.
    using Hold = std::function<std::optional<Time>(const Parcel&)>;
    /// Puts what can go now into `round`: endings, and questions about those that were not written last time.
    bool fill(store::Round& round, Time now, const Hold& hold = nullptr);
    void answered(const store::Answer& answer, Time now);
    /// The round was undone, or its answer is lost: all of it goes again. One that was written after all is then
    /// neither written nor held, which settles it.
    void again();
    /// The session was lost, perhaps because of how much there was: then less goes at a time.
    void lost();
    /// The round was undone because of an ending in it, or of a row that somebody has locked for long.
    Next refused(const store::Refused& refused, Time now);
    /// Somebody holds a row: endings pass over it until they have been written.
    void be_careful() { careful_ = hurried_ = true; }
    /// It was so, and somebody's lock is in the way all the same.
    [[nodiscard]] bool careful_in_vain() const { return searching() ? !sent_.empty() : careful_; }
    /// Who leaves tries once more, at once, what is kept back.
    void last_try();
    /// What is kept back.
    void each_kept(const std::function<void(const Parcel&)>& tell) const;
    /// Somebody is being looked for: the next round is for endings alone.
    [[nodiscard]] bool searching() const { return bisection_.active(); }

    /// Nothing is left here that may be written.
    [[nodiscard]] bool settled() const;
    [[nodiscard]] bool empty() const { return settled() && later_.empty(); }
    /// How many have never been sent.
    [[nodiscard]] std::size_t waiting() const { return waiting_.size(); }
    /// How long until fill() has something; none: nothing is left, or on the wire.
    [[nodiscard]] std::optional<Millis> wait(Time now) const;
    /// Everything in here is still held by this worker and needs its lease.
    void add_held(std::vector<store::Held>& into) const;

  private:
    static constexpr std::size_t most_in_a_round = 1'000;
    static constexpr std::size_t most_bytes_in_a_round = 16 << 20;  ///< far below the 1 GB that Postgres takes
    /// Most locks are somebody's claim, which looked at the run as we took it, and are gone with its commit.
    static constexpr Millis first_lock_pause{10};
    static constexpr Millis longest_lock_pause{1'000};
    static constexpr Millis longest_wait_for_a_lock{60'000};  ///< of a whole table
    static constexpr Millis patience_of_a_search{20};         ///< all others wait meanwhile

    /// Ours, but not now: somebody holds the row, or the database takes nothing of it.
    struct Later {
        Parcel parcel;
        Time until;
    };

    static bool may_be_left(const Parcel& parcel);
    void take_due(Time now);
    void take_group(const Hold& hold);
    bool held_back(Parcel& parcel, const Hold& hold);
    bool wait_for_others(const store::Refused& refused, Time now);
    void put_off(Parcel parcel, Time until);
    void tell_if_held_for_long(Parcel& parcel, Time now);
    void wait_for_repair(Parcel parcel, const std::string& remedy, Time now);
    void resort(Parcel& parcel, const store::Refused& refused, Time now);

    Events events_;
    std::deque<Parcel> waiting_;
    std::vector<Parcel> sent_;  ///< with the round on the wire
    rounds::RoundPortion portion_{most_bytes_in_a_round};
    std::vector<Parcel> doubtful_;  ///< not written: locked by somebody, or no longer ours
    std::vector<Parcel> asked_;     ///< of doubtful_, with the round on the wire
    std::vector<Later> later_;
    Millis lock_pause_ = first_lock_pause;  ///< the next one; doubles while somebody holds a row
    bool careful_ = false;
    bool hurried_ = false;  ///< a lock has held up all others already
    Bisection<Uuid> bisection_;
};

}  // namespace dormouse::worker
