// The handler contract, as the worker sees it: a run goes in, exactly one Outcome comes out. Every kind of handler
// (exec now; warm and in-process later) is one implementation of Handler. Driven by the worker on the loop's thread.
// Knows no store: it must not know what a status, a lease or a table is.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/uuid.h"

namespace dormouse::handlers {

/// What a handler is given.
struct RunSpec {
    Uuid id;
    std::string task;
    std::string queue;
    std::string payload;      ///< JSON text, as Postgres wrote it
    std::string fence;        ///< "N:uuid": shown with the handler's own writes elsewhere
    std::string traceparent;  ///< empty when there is none
    int attempt = 1;          ///< 1 for the first
    int max_attempts = 1;
    Millis timeout{0};  ///< 0: none
};

/// How an attempt ended, in the handler's own terms.
enum class Verdict {
    completed,
    failed,       ///< the handler said so, exited non-zero, was killed by somebody else
    try_again,    ///< exit 75: not now
    timed_out,    ///< ended by us after RunSpec::timeout
    stopped,      ///< ended by us because stop() was called
    not_started,  ///< could not be started (missing, not executable, no memory): nothing of it ran
};

struct Outcome {
    Verdict verdict = Verdict::failed;
    std::string result;         ///< valid JSON text, or empty for none
    std::string error_class;    ///< "exit", "signal", "timeout", "spawn", "result_too_large", …; empty on success
    std::string error_message;  ///< one line and, below it, the last lines of the handler's stderr; bounded
    std::optional<int> exit_code;
    std::optional<int> signal;
    std::optional<Millis> retry_in;  ///< the handler's wish, with try_again
    std::optional<Millis> cpu;
    std::optional<std::int64_t> peak_memory_bytes;
};

/// Why a run is stopped; decides nothing in the handler but the wording of its error.
enum class StopReason { canceled, leaving, lease_lost };

class Handler {
  public:
    using Done = std::function<void(Uuid id, Outcome outcome)>;
    /// A line the handler wrote for people (stderr). Bounded in length and number.
    using Log = std::function<void(Uuid id, std::string_view line)>;

    virtual ~Handler() = default;

    /// Tells whether the handler could be started now: command present and executable, directory and environment
    /// file readable. Empty when all is well, else one line naming the thing, the place and the remedy.
    [[nodiscard]] virtual std::string check() const = 0;

    /// Starts one attempt. `done` is called exactly once, from the loop, never from inside start(), after the whole
    /// process tree is gone.
    virtual void start(RunSpec spec, Done done, Log log) = 0;

    /// Asks an attempt to stop: SIGTERM now, SIGKILL to the whole tree after `patience`. Unknown ids are ignored; a
    /// second call can only shorten the patience.
    virtual void stop(const Uuid& id, StopReason reason, Millis patience) = 0;
};

}  // namespace dormouse::handlers
