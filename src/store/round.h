// What worker and database say to each other, as values: a Round goes out as one transaction, its Answer comes back.
// Made by worker, carried by Database. No SQL and no libpq here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/uuid.h"

namespace dormouse::store {

/// A run as its worker holds it. With the worker's uuid, `fence` is the token that every write about the run shows.
struct Held {
    Uuid id;
    std::int64_t fence = 0;
};

struct ClaimedRun {
    Held held;
    std::string queue;
    std::string task;
    std::optional<std::string> payload;  ///< JSON text; none when it is over the limit
    int attempts = 0;                    ///< used up before this one
    std::optional<int> max_attempts;     ///< the run's own; else its task's
    std::optional<Millis> timeout;       ///< the run's own; else its task's
    std::string traceparent;
    int lost = 0;      ///< attempts that were lost with their worker
    Millis waited{0};  ///< from when it was due to its claim, by the clock of the database
};

/// How an attempt ended, as it is written.
struct Ending {
    /// The first three end the run; the others put it back into its queue.
    enum class Kind { completed, failed, canceled, retry, put_off, not_started, handed_back, cut_off };
    using enum Kind;

    Held held;
    Kind kind = failed;
    bool counts = true;           ///< uses up an attempt
    std::optional<Millis> delay;  ///< when put back: due that long from now; none: keeps its place in the line
    std::string result;           ///< JSON text, or empty
    std::string enqueue;      ///< with completed and failed: a JSON array of runs that are enqueued with it; or empty
    std::string error_class;  ///< empty: no error
    std::string error_message;
    std::optional<int> exit_code;
    std::optional<int> signal;
    std::optional<std::int64_t> cpu_ms;
    std::optional<std::int64_t> peak_memory_bytes;
};
/// As it is stored: a status for those that end the run, an attempt's outcome for the others.
const char* to_string(Ending::Kind kind);
inline bool ends_run(Ending::Kind kind) {
    return kind <= Ending::canceled;
}

/// What an attempt has said since the last time.
struct Said {
    Held held;
    std::optional<std::int64_t> progress;      ///< in millionths; none: as it was
    std::optional<std::string> progress_text;  ///< none: nothing was said of progress
    int first_line = 0;                        ///< the number of the first of `lines` within the attempt, from 1
    std::string lines;                         ///< JSON: [[ms since 1970, level, text], …]; empty: none
};

/// A run that came as a file; `text` is the file's.
struct Import {
    Uuid id;
    std::string text;
};
/// What became of it.
struct Imported {
    enum class Kind { imported, known, refused };
    Kind kind = Kind::imported;
    std::string reason;  ///< why it was refused
};

/// A task that may be claimed, and how many of its runs.
struct Room {
    std::string task;
    std::int64_t slots = 0;
};

/// What a claim asks for.
struct Claim {
    int most = 0;                    ///< at most this many
    std::int64_t payload_bytes = 0;  ///< larger payloads stay in the database
    std::vector<Room> rooms;         ///< of these tasks alone
    std::vector<Uuid> except;        ///< never these: the database refused them a moment ago
};
/// Exactly these runs, of whatever queue: the one of `--run`, or some that were claimed in vain with others.
struct ClaimIds {
    std::vector<Uuid> ids;  ///< none: only whether the statement is taken at all
    std::int64_t payload_bytes = 0;
    bool with_payload = true;
};
/// A run that is waiting and can never be claimed: it fails without an attempt.
struct Refusal {
    Uuid id;
    std::string error_class;
    std::string message;
};
/// Runs of anybody whose lease has ended.
struct ExpiredLeases {
    int most = 1'000;
    std::vector<Uuid> except;
};

/// How many runs of a queue are due, and since when; for metrics.
struct Backlog {
    std::string queue;
    std::int64_t due = 0;
    Millis oldest{0};  ///< since the first of them is due
};

/// How many runs the pool's workers execute at once for a while, whatever its configuration says.
struct Scaled {
    int concurrency = 0;
    Millis left{0};  ///< for how long from the question on
    std::string by;  ///< the login
};

/// A step of retention.
struct Retain {
    std::optional<Millis> finished;  ///< how long this pool wants finished runs to be kept; none: for ever
    Millis now{0};                   ///< this host's clock, since 1970
};

/// What a round does about promises to look again (worker/promise.h), in this order.
struct PromiseAct {
    bool enlist = false;  ///< register this session with the queues: it is told of everything from then on
    bool rest = false;    ///< does nobody rely on being looked for? Looks that are sent after it know of all
    bool give = false;    ///< promise to look again: be registered no more
    [[nodiscard]] bool any() const { return enlist || rest || give; }
};

/// One transaction. Empty parts send nothing; store/parts.cpp has a row for each part, in the order of this struct.
struct Round {
    PromiseAct promise;                           ///< first, so that it is done whatever fails behind it
    bool arrive = false;                          ///< register this worker
    bool ask_scale = false;                       ///< how many runs is the pool to execute at once for a while?
    bool release_forgotten = false;               ///< hand back what is ours in the database and not in `fences`
    std::vector<std::int64_t> fences;             ///< of all runs that this worker holds; for release_forgotten and due
    std::optional<Millis> patience;               ///< with locks; none: the session's
    std::optional<std::vector<Said>> news;        ///< before the endings, which take the fences away
    std::optional<std::vector<Ending>> endings;   ///< present and empty: only whether the statements are taken at all
    std::optional<std::vector<Held>> extend;      ///< leases to extend
    bool careful = false;                         ///< endings pass over rows that somebody has locked, which costs more
    std::vector<Held> ask_held;                   ///< is it still ours?
    std::optional<ExpiredLeases> rescue;          ///< take back runs whose lease has ended
    std::optional<ExpiredLeases> list_lost;       ///< … only say which they are
    std::optional<std::vector<Uuid>> rescue_ids;  ///< … these alone
    std::vector<Uuid> dead;                       ///< take back what these workers held: they are known to be dead
    std::optional<std::vector<Import>> imports;
    std::optional<Claim> claim;
    std::optional<Claim> candidates;  ///< only say which runs such a claim would take
    std::optional<ClaimIds> claim_ids;
    std::optional<Refusal> refuse;
    std::optional<Uuid> standing;      ///< how does this run stand?
    bool ask_waking = false;           ///< is somebody between a wake and its commit?
    std::optional<Claim> due;          ///< when must somebody look next? Of its `rooms` and `except`
    std::vector<std::string> backlog;  ///< how much is due of these tasks? Empty: nobody asks
    bool leave = false;                ///< this worker is going
    std::optional<Millis> rest;        ///< … or closes its session on purpose, and is heard of again within so long
    std::optional<Retain> retain;      ///< in a round of its own: it takes locks that nobody is to wait for

    [[nodiscard]] bool enqueues() const;  ///< one of the endings asks for more runs
};

struct Answer {
    bool enlisted = false;              ///< of PromiseAct::enlist: with all queues
    bool rested = false;                ///< of PromiseAct::rest: nobody does
    bool promised = false;              ///< of PromiseAct::give: for one queue at least
    std::optional<Scaled> scaled;       ///< of Round::ask_scale; none: it is as configured
    std::vector<Uuid> ended;            ///< of Round::endings, those that were written
    std::vector<std::string> enqueued;  ///< the queues into which their follow-up runs went
    std::vector<Uuid> extended;         ///< of Round::extend
    std::vector<Uuid> still_held;       ///< of Round::ask_held
    std::string passed_over_by;         ///< … and the triggers that may pass over a write, as what removes them
    std::int64_t rescued = 0;           ///< by rescue, rescue_ids and dead
    std::vector<Uuid> lost;             ///< of Round::list_lost
    std::int64_t released = 0;
    std::vector<Imported> imported;   ///< of Round::imports, one for each
    std::vector<ClaimedRun> claimed;  ///< in the order in which they are to start
    std::vector<Uuid> candidates;     ///< of Round::candidates, in no order
    bool refused = false;             ///< of Round::refuse: it has failed; else somebody holds it, or it is gone
    bool waking = false;              ///< of Round::ask_waking
    std::string standing;             ///< of Round::standing: its status; empty: there is none
    std::string retained;             ///< of Round::retain: what was done; empty: nothing was left to do
    std::string retention_trouble;    ///< … or why nothing could be; "locked": try again later
    std::vector<Backlog> backlog;     ///< of Round::backlog, one for each queue
    std::optional<Millis> due_in;     ///< of due or standing: none when nothing is due, ever; 0 when it is due now
};

}  // namespace dormouse::store
