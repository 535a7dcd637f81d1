// One run as it goes: its state and its log lines, live by NOTIFY and without polling, until it has ended. A session
// that is lost is replaced, ever more slowly. Used by watch and logs.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "cli/database.h"

namespace dormouse::cli {

/// How a run stands.
struct RunNow {
    std::string status;
    std::string task;
    int starts = 0;  ///< attempts so far, as dormouse.attempts counts them
    std::optional<double> progress;
    std::string doing;
    double run_at = 0;
    double now = 0;      ///< the database's clock
    std::string result;  ///< JSON text; empty: none
    std::string error;   ///< JSON text; empty: none

    [[nodiscard]] bool finished() const { return status == "completed" || status == "failed" || status == "canceled"; }
};

/// A line of the run's log.
struct LogLine {
    int attempt = 0;  ///< as dormouse.attempts counts them
    int line = 0;     ///< from 1 in each attempt
    double said_at = 0;
    std::string level;
    std::string text;
    std::string json;  ///< all of it as one document
};

struct Audience {
    /// The run stands like this: at first, and whenever it may have changed. Lines come before the end they belong to.
    std::function<void(const RunNow&)> on_run;
    std::function<void(const LogLine&)> on_line;
    /// All that is known has been told: time to flush.
    std::function<void()> on_caught_up;
    /// The database is away; and once it is back, with an empty text.
    std::function<void(const std::string& trouble)> on_trouble;
};

/// Tells the lines there are, of all attempts or of this one. Fails as the database does.
Try<void> tell_lines(postgres::BlockingConnection& connection, const std::string& id, std::optional<int> attempt,
                     const Audience& audience);

/// Follows run `id` until it has ended, and returns how. Fails with not_found when it is gone, and as the database does
/// for anything that trying again does not help. `connection` is used first; later ones are as `choice` says.
Try<RunNow> follow(postgres::BlockingConnection& connection, const DatabaseChoice& choice, const std::string& command,
                   const std::string& id, std::optional<int> attempt, const Audience& audience);

/// "2026-03-01 08:00:00.123" in the local time of this machine.
std::string moment(double time);

}  // namespace dormouse::cli
