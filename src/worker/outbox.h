// Endings on their way to the database. What finishes while a round is on the wire collects here and goes with the next
// one, so batches grow with the load. An ending leaves only when it is written, or when it is certain that it never
// will be: nothing in here is forgotten because a session was lost. Driven by Worker; no loop, no session.
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "store/round.h"

namespace dormouse::worker {

/// An ending, with what the log says about it.
struct Parcel {
    store::Ending ending;
    std::string task;
    int attempt = 1;
    std::size_t said = 0;  ///< bytes of news that go with it
};

class Outbox {
  public:
    using Time = BootClock::time_point;
    struct Events {
        std::function<void(const Parcel&)> on_written;
        std::function<void(const Parcel&)> on_refused;  ///< the fence is gone: the run is somebody else's
    };
    explicit Outbox(Events events) : events_(std::move(events)) {}

    void add(Parcel parcel);
    /// Puts what can go now into `round`: endings, and questions about those that were not written last time.
    void fill(store::Round& round, Time now);
    void answered(const store::Answer& answer, Time now);
    /// Endings went with the round on the wire.
    [[nodiscard]] bool is_on_wire() const { return !sent_.empty(); }
    /// The round was undone because of a value in it. Unless the endings were alone in it, they ask to go alone next
    /// time; else it is found out by halves whose value it was, and that one becomes a failure of its run.
    void rejected(const std::string& why, bool were_alone);
    /// A rejected value is being looked for: send nothing else along.
    [[nodiscard]] bool wants_to_go_alone() const { return alone_ && !waiting_.empty(); }
    /// The round was undone, or its answer is lost: all of it goes again. One that was written after all is then
    /// neither written nor held, which settles it.
    void again();

    [[nodiscard]] bool empty() const {
        return waiting_.empty() && sent_.empty() && doubtful_.empty() && locked_.empty();
    }
    /// How many have never been sent.
    [[nodiscard]] std::size_t waiting() const { return waiting_.size(); }
    [[nodiscard]] bool has_something_for(Time now) const;
    /// When something that waits for a lock goes again; none: nothing waits.
    [[nodiscard]] std::optional<Millis> wait(Time now) const;
    /// Everything in here is still held by this worker and needs its lease.
    void add_held(std::vector<store::Held>& into) const;

  private:
    static constexpr std::size_t most_in_a_round = 1'000;
    static constexpr std::size_t most_bytes_in_a_round = 16 << 20;  ///< far below the 1 GB that Postgres takes
    /// Most locks are somebody's claim, which looked at the run as we took it, and are gone with its commit.
    static constexpr Millis first_lock_pause{10};
    static constexpr Millis longest_lock_pause{1'000};

    Events events_;
    std::deque<Parcel> waiting_;
    std::vector<Parcel> sent_;      ///< with the round on the wire
    std::vector<Parcel> doubtful_;  ///< not written: locked by somebody, or no longer ours
    std::vector<Parcel> asked_;     ///< of doubtful_, with the round on the wire
    std::vector<Parcel> locked_;    ///< ours, but somebody holds the row
    Time locked_until_{};
    Millis lock_pause_ = first_lock_pause;  ///< the next one; doubles while somebody holds a row
    std::size_t limit_ = most_in_a_round;   ///< smaller while a rejected value is being looked for
    bool alone_ = false;                    ///< a rejected value is being looked for
};

}  // namespace dormouse::worker
