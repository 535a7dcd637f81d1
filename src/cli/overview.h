// What `dormouse status` shows, gathered from this machine's configuration and from the database, before it
// becomes text or JSON.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/database.h"
#include "cli/exit_code.h"
#include "cli/scaled_pools.h"
#include "config/local_pools.h"
#include "postgres/blocking.h"
#include "spool/below.h"
#include "systemd/units.h"

namespace dormouse::cli {

struct WorkerSeen {
    std::string host;
    std::string state;  ///< awake, resting (without a session on purpose), asleep (left), gone (it died)
    bool here = false;  ///< on this machine
    std::string version;
    double started_at = 0;
    std::optional<double> left_at;
    std::int64_t runs = 0;
    std::string id;
    std::string ended;  ///< how, see WorkerRow
    std::string evidence;
    std::optional<double> seen_at;      ///< the last proof of life
    std::optional<double> lease_until;  ///< when the last lease of its runs ends
    bool uncertain = false;             ///< gone, unless it is on another machine of the same name
    std::int64_t concurrency = 0;       ///< in force; 0: unknown
    std::int64_t configured = 0;        ///< by its configuration; 0: unknown
    std::string run;                    ///< it executes this one alone
    std::string run_status;
};

struct PoolSeen {
    std::string name;
    std::vector<std::string> queues;
    std::optional<config::LocalPool> local;
    /// What systemd says; none: it has no part in this pool, or cannot be asked.
    std::optional<systemd::PoolUnits> units;
    bool listening = false;               ///< somebody listens on its doorbell
    std::int64_t put_aside = 0;           ///< files of its spool that were refused; counted up to 1,000
    std::optional<spool::Hidden> hidden;  ///< files of its spool that a mount hides
    std::vector<WorkerSeen> workers;
    std::optional<ScaledPool> scaled;

    [[nodiscard]] bool awake() const;
    /// Its switch is off, and no worker of it is awake.
    [[nodiscard]] bool off() const { return local && units && !units->on() && !awake(); }
    /// Its switch is off, and its worker finishes what it has.
    [[nodiscard]] bool stopping() const { return local && units && !units->on() && units->service == "deactivating"; }
    /// It was of this machine, and has no file here any more.
    [[nodiscard]] bool removed() const;
    /// Whether a run in its queues can be expected to be found.
    [[nodiscard]] bool serves() const { return !off() && !removed() && !(local && !local->problem.empty()); }
};

struct QueueSeen {
    std::string name;
    std::int64_t due = 0;
    std::int64_t put_off = 0;
    std::int64_t running = 0;
    std::int64_t retrying = 0;
    std::int64_t blocked = 0;
    /// Which of these may be more: a part of what is there was counted.
    struct More {
        bool due = false;
        bool put_off = false;
        bool running = false;
        bool retrying = false;
        bool blocked = false;
    } more{};
    std::int64_t stuck = 0;  ///< of those that are due, for 15 minutes
    std::int64_t ended = 0;  ///< of the running ones, with a lease that has ended
    std::optional<double> oldest_due_at;
    std::optional<double> next_run_at;
    std::vector<std::string> served_by;  ///< pools that are on, or elsewhere
};

/// Runs that wait for a task that no pool of this machine knows, in queues that one of them serves.
struct UnknownTask {
    std::string queue;
    std::string task;       ///< unknown to the pools of this machine that serve it
    std::int64_t runs = 0;  ///< counted up to 1,000
    double oldest = 0;      ///< when the first of them was or is due
};

struct StuckRun {
    std::string id;
    std::string queue;
    std::string task;
    std::string status;
    std::string reason;
    double since = 0;
};

/// A session that holds a lock of a queue which workers heed.
struct Holder {
    std::string queue;
    std::string why;  ///< it matters
    std::string who;
    std::optional<double> since;  ///< none: this login is not told
    std::string remedy;           ///< what ends it
};

/// A pool whose last step of retention was hindered.
struct Hindered {
    std::string pool;
    std::string trouble;
};

/// A task of which runs fail.
struct FailingTask {
    std::string task;
    std::int64_t retrying = 0;  ///< wait for another attempt; counted up to 1,000
    std::int64_t failed_in_an_hour = 0;
    std::int64_t failed_in_a_day = 0;
    std::string newest;       ///< the id of a run that waits for another attempt, else of the one that failed last
    std::string error_class;  ///< of that run
    std::string error_message;
    bool more = false;  ///< not all failures were looked at: those of an hour and a day may be more
};

/// Runs of a task that have ended for good.
struct Ended {
    std::int64_t completed = 0;
    std::int64_t failed = 0;
    std::int64_t canceled = 0;
};
struct TaskEndings {
    std::string task;
    Ended hour;
    Ended day;
};

struct Overview {
    double now = 0;             ///< the database's
    std::string units_trouble;  ///< why systemd could not be asked; empty: it could, or has no part in this
    bool by_systemd = true;     ///< it runs here, and starts whoever is rung
    std::vector<PoolSeen> pools;
    std::vector<QueueSeen> queues;
    bool more_queues = false;  ///< than were looked at
    std::vector<UnknownTask> unknown;
    std::vector<StuckRun> stuck;
    std::int64_t stuck_count = 0;
    bool more_stuck = false;  ///< than were counted
    std::vector<Holder> holders;
    std::vector<Hindered> retention;
    std::vector<FailingTask> failing;
    std::vector<TaskEndings> endings;
};

/// The pools that have a file here; no database is asked.
Overview overview_of_this_machine(const config::Environment& environment);

/// Leaves out the pools that are known to be of another database than `pool` is.
void leave_out_others(Overview& overview, const std::string& pool, const std::vector<PoolsDatabase>& all);

/// Adds what the database knows.
Try<void> add_database(Overview& overview, postgres::BlockingConnection& connection);

}  // namespace dormouse::cli
