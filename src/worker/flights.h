// The runs whose handlers are at work: starts them, keeps their leases, tells how they ended. Driven by Worker. Knows
// no session: it says which leases want extending, Leases sends that. A run that was lost twice with a worker whose
// host went on is suspected of having killed it: it is not executed beside another such run, and if it is a function in
// this very process, beside no other run: it waits here until the others have ended and their endings are written.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "config/config.h"
#include "handlers/registry.h"
#include "store/round.h"
#include "traces/tracer.h"
#include "worker/news.h"
#include "worker/outbox.h"

namespace dormouse::worker {

/// What other workers of this process still execute, by the configuration before: each run takes a slot here, too.
struct Elsewhere {
    std::function<std::size_t()> runs;
    std::function<int(const std::string& task)> runs_of;
};

class Flights : private handlers::RunListener {
  public:
    using Time = BootClock::time_point;
    /// An attempt is over; none: it was taken away meanwhile, so there is nothing to write. From the loop, never inside
    /// start().
    using OnLanded = std::function<void(std::optional<Parcel>)>;

    /// `news` takes what attempts say; `elsewhere` may be empty; without a `tracer` nobody wants spans.
    Flights(const config::Config& config, handlers::Handlers& handlers, News& news, std::string worker,
            Elsewhere elsewhere, traces::Tracer* tracer, OnLanded on_landed);

    /// Starts what was claimed by a statement sent at `claimed_at`; the lease counts from there. A run that cannot be
    /// started (no handler, no payload, no attempts left, its taken-away self still here) comes back as a parcel at
    /// once.
    std::optional<Parcel> start(store::ClaimedRun run, Time claimed_at);

    /// A run was claimed whose task this worker does not have.
    [[nodiscard]] bool met_unknown_task() const { return met_unknown_task_; }

    /// A claim is on its way: see handlers::Handlers.
    void expect_start() { handlers_.expect_start(); }
    [[nodiscard]] std::size_t count() const { return flights_.size(); }
    [[nodiscard]] int count(const std::string& task) const;
    void add_at_work(std::map<std::string, int>& into) const;
    /// Slots that are taken by what is not among these: functions that were given up, and runs of other workers of this
    /// process.
    [[nodiscard]] std::size_t taken() const { return handlers_.given_up() + elsewhere(); }
    [[nodiscard]] std::size_t elsewhere() const { return elsewhere_.runs ? elsewhere_.runs() : 0; }
    /// All tasks that this worker knows, and how many more runs of each may be started.
    [[nodiscard]] std::vector<store::Room> rooms() const;
    /// Whether a run of any task could be started, if there were a slot.
    [[nodiscard]] bool any_room() const;
    /// Whether there is room for a task that had none, since this was asked before: a look is worth it.
    [[nodiscard]] bool take_room_made() { return std::exchange(room_made_, false); }
    /// A run that has to be alone is at work, or has waited for that for too long: claim nothing meanwhile.
    [[nodiscard]] bool exclusive() const;
    /// This worker leaves: the run that waits to be alone goes back as if it had not been claimed.
    [[nodiscard]] std::vector<Parcel> give_up_waiting();
    /// Everything that has ended is written: starts the run that waits to be alone, if nothing else is at work.
    void start_alone();
    [[nodiscard]] bool empty() const { return flights_.empty(); }
    void add_held(std::vector<store::Held>& into) const;

    /// The leases that have less than two thirds left.
    [[nodiscard]] bool extension_wanted(Time now) const;
    /// An extension is on the wire: what it does not extend (a locked row) is not asked for again at once.
    void extension_sent(Time now);
    /// Of `asked`, those of `ids` were. What is missing is locked or somebody else's: keep_only() knows when it was
    /// asked.
    void extended(const std::vector<store::Held>& asked, const std::vector<Uuid>& ids, Time sent_at);
    /// Stops handlers whose lease is about to end without having been extended, so that they are gone before it has
    /// ended.
    /// Those that still waited come back as parcels.
    [[nodiscard]] std::vector<Parcel> stop_before_lease_ends(Time now);
    /// How long until one of the two above is due; none when nothing is in flight.
    [[nodiscard]] std::optional<Millis> next_lease_event(Time now) const;

    /// Of `asked`, those not in `still_held` are somebody else's now: their handlers are stopped and what they say is
    /// dropped.
    void keep_only(const std::vector<store::Held>& asked, const std::vector<Uuid>& still_held);
    /// Asks every handler to stop: SIGTERM now, SIGKILL after `patience`. Those that still waited come back as parcels.
    [[nodiscard]] std::vector<Parcel> stop_all(Millis patience);

  private:
    enum class Tie { ours, lease_lost, taken_away };
    struct Flight {
        store::Held held;
        std::string task;
        std::string queue;
        handlers::Handler* handler = nullptr;
        int used = 0;
        int allowed = 1;
        Millis grace{0};  ///< between asking it to stop and ending it
        Time lease_until{};
        Time launched{};
        std::optional<traces::Context> trace;
        Tie tie = Tie::ours;
        bool not_extended = false;               ///< the database did not do what it was last asked
        bool suspect = false;                    ///< was lost with its worker twice
        std::optional<handlers::RunSpec> waits;  ///< not started yet: to be alone
    };

    struct Told {
        std::string why;
        Time at{};
    };

    [[nodiscard]] bool has_suspect() const;
    [[nodiscard]] bool is_news(const std::string& task, const std::string& why);
    void launch(Flight& flight, handlers::RunSpec spec);
    void trace(const Uuid& id, const Flight& flight, const handlers::Outcome& outcome, const char* ended) const;
    void count_task(const std::string& name, int change);
    [[nodiscard]] std::int64_t room_for(const config::Task& task) const;
    void on_line(const Uuid& id, const handlers::Line& line) override;
    void on_progress(const Uuid& id, handlers::Progress progress) override;
    void on_done(const Uuid& id, handlers::Outcome outcome) override;
    [[nodiscard]] Time extend_at(const Flight& flight) const;
    [[nodiscard]] Time stop_at(const Flight& flight) const;

    const config::Config& config_;
    handlers::Handlers& handlers_;
    News& news_;
    std::string worker_;
    Elsewhere elsewhere_;
    traces::Tracer* tracer_;
    OnLanded on_landed_;
    std::unordered_map<Uuid, Flight> flights_;
    std::optional<Uuid> waits_;  ///< the one that waits to be alone
    Time waits_since_{};
    std::optional<Uuid> alone_;          ///< what is at work has to be alone
    std::map<std::string, int> capped_;  ///< at work, by task that has a concurrency of its own
    bool room_made_ = false;
    bool met_unknown_task_ = false;
    Time no_extension_before_{};
    /// No lease event is sooner. Runs that end do not touch it, so that it costs them nothing; when it has passed it is
    /// found anew.
    mutable Time quiet_until_ = Time::max();
    struct NotStarted {
        int times = 0;  ///< in a row: however many runs meet it meanwhile, each pause counts once
        Time at{};      ///< the last of these
    };
    std::map<std::string, NotStarted> not_started_;  ///< by task
    std::map<std::string, Told> told_;               ///< by task: why it was last said not to start
};

}  // namespace dormouse::worker
