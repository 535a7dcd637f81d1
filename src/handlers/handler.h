// The handler contract, as the worker sees it: a run goes in, lines and progress come out on the way, and exactly one
// Outcome at the end. Every kind of handler is one implementation of Handler; docs/handlers.md is the same contract as
// a handler sees it. Driven by the worker on the loop's thread. Knows no store: it must not know what a status, a lease
// or a table is.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/log.h"
#include "base/uuid.h"

namespace dormouse::handlers {

/// What a handler is given.
struct RunSpec {
    Uuid id;
    std::string task;
    std::string queue;
    std::string payload;      ///< JSON text, as Postgres wrote it
    std::string fence;        ///< "N:uuid": shown with the handler's own writes elsewhere
    std::string traceparent;  ///< anything; the handler gets it only if is_traceparent()
    int attempt = 1;          ///< 1 for the first
    int max_attempts = 1;
    Millis timeout{0};     ///< 0: none
    Millis grace{10'000};  ///< how long it has to end by itself after its timeout
};

/// How an attempt ended, in the handler's own terms.
struct Outcome {
    enum class Kind {
        completed,
        failed,       ///< the handler said so, exited non-zero, was killed by somebody else
        try_again,    ///< exit 75: retry later
        timed_out,    ///< ended by us after RunSpec::timeout
        stopped,      ///< ended by us because stop() was called
        not_started,  ///< could not be started (missing, not executable, no memory): nothing of it ran
    };
    using enum Kind;

    Kind kind = failed;
    bool permanent = false;     ///< with failed: the handler said that trying again is of no use
    std::string result;         ///< valid JSON text, or empty for none
    std::string enqueue;        ///< with completed: a JSON array of runs to be enqueued with the completion; or empty
    std::string error_class;    ///< "exit", "signal", "timeout", "out_of_memory", "spawn", …; empty on success
    std::string error_message;  ///< one line and, below it, the last lines of the handler's stderr; bounded
    std::optional<int> exit_code;
    std::optional<int> signal;
    std::optional<Millis> retry_in;  ///< the handler's wish, with try_again
    std::optional<Millis> cpu;
    std::optional<std::int64_t> peak_memory_bytes;
};

using log::Level;

/// A line for people. Bounded in length and, for each attempt, in number (limits.log_bytes).
struct Line {
    Level level = Level::info;
    std::string_view text;  ///< clean UTF-8 without NUL and line breaks; valid during the call only
};

/// How far an attempt is; the latest counts. One without a fraction changes the text alone.
struct Progress {
    std::optional<double> fraction;  ///< 0 to 1
    std::string text;                ///< clean, at most 200 bytes; may be empty
};

/// Who hears what attempts say; all of it on the loop's thread, never from inside Handler::start(). The worker is one;
/// `dormouse try` is another.
class RunListener {
  public:
    virtual ~RunListener() = default;
    virtual void on_line(const Uuid& id, const Line& line) = 0;
    virtual void on_progress(const Uuid& id, Progress progress) = 0;
    /// Exactly once for each start(), last, when nothing of the attempt is left.
    virtual void on_done(const Uuid& id, Outcome outcome) = 0;
};

/// Why a run is stopped; decides nothing in the handler but the wording of its error.
enum class StopReason { canceled, leaving, lease_lost };
/// As the contract names it: "canceled", "leaving", "lease_lost".
const char* to_string(StopReason reason);
/// The message of an attempt that was stopped: "stopped: the run was canceled", ….
const char* stopped_text(StopReason reason);

/// Whether that is a traceparent as W3C has it, 55 bytes. Everything else is kept from handlers: the producer may have
/// written anything there, of any length, and too long an environment cannot be given to a process.
/// Source: W3C Trace Context, 3.2.
bool is_traceparent(std::string_view text);

class Handler {
  public:
    virtual ~Handler() = default;

    /// Tells whether the handler could be started now: command present and executable, directory and environment
    /// file readable. Empty when all is well, else one line naming the thing, the place and the remedy.
    [[nodiscard]] virtual std::string check() const = 0;

    /// Starts one attempt. `listener` outlives it. An id that is still at work here is refused with not_started.
    virtual void start(RunSpec spec, RunListener& listener) = 0;

    /// Asks an attempt to stop: it is told now (SIGTERM, a message, a stop token), and ended with its whole tree after
    /// `patience`, where it can be. Unknown ids are ignored; a second call can only shorten the patience.
    virtual void stop(const Uuid& id, StopReason reason, Millis patience) = 0;
};

/// The outcome of a result, or what is enqueued with it, over `limit` bytes. Permanent: the same work would come to the
/// same.
[[nodiscard]] Outcome result_too_large(const std::string& what, std::int64_t limit);

}  // namespace dormouse::handlers
