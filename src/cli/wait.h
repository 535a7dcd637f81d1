// Waiting for the end of one run by NOTIFY, without polling. Used by enqueue --wait.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/clock.h"
#include "cli/database.h"

namespace dormouse::cli {

/// How a run stands.
struct Standing {
    std::string status;
    std::string result;  ///< JSON text; empty: none
    std::string error;   ///< JSON text; empty: none
    int attempts = 0;

    [[nodiscard]] bool finished() const { return status == "completed" || status == "failed" || status == "canceled"; }
};

/// A new session, prepared; tries again, ever more slowly, until the deadline, as long as the database is away.
Try<postgres::BlockingConnection> connect_again(const DatabaseChoice& choice, const std::string& command,
                                                std::optional<BootClock::time_point> deadline,
                                                const std::function<Try<void>(postgres::BlockingConnection&)>& prepare);

/// Asks once. Fails with not_found when the run is gone.
Try<Standing> standing_of(postgres::BlockingConnection& connection, const std::string& id);

/// Hears of every watched run, of its end and of what comes before. Call it before the run is enqueued: then nothing is
/// missed.
Try<void> listen_for_runs(postgres::BlockingConnection& connection);

/// How the run is called where its end and its news are told.
Try<std::string> told_as(postgres::BlockingConnection& connection, const std::string& id);

/// Is given a run that has not ended: after news of it, at most once a second, and once if nobody has taken it by then.
using OnWaiting = std::function<void(postgres::BlockingConnection&, const Standing&)>;

/// Waits for the end of run `id` on a session that listens. A session that is lost is replaced, and then
/// asked once. Returns how the run stands, finished or, when the deadline has passed, not.
Try<Standing> wait_for_end(postgres::BlockingConnection& connection, const DatabaseChoice& choice,
                           const std::string& id, std::optional<BootClock::time_point> deadline,
                           const OnWaiting& on_waiting);

}  // namespace dormouse::cli
