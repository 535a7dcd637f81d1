// One call of dormouse-alert: takes what is new, keeps it, sends what waits, on all ways side by side, and says what
// became of it. Driven by main.
#pragma once

#include <string>

#include "alert_sender/ways.h"
#include "alerts/notice.h"

namespace dormouse::alert_sender {

struct Call {
    std::string pool;
    std::string state_directory;  ///< where what was told is remembered; empty: in `memory`
    std::string memory;           ///< what the answer of the last call had as "state"
    std::vector<alerts::Notice> notices;
    bool worker_gone = false;
};

struct Response {
    std::string
        json;  ///< for the worker: "sent", "failed", "open", "unreachable", "urls_wait", "again_ms" and, without a directory, "state"
    bool all_sent = true;
};

/// Takes away what is no file and lies where one of ours belongs: the directory is the handlers' too, and the opening
/// of a FIFO would wait for ever. A directory with something in it stays.
void clear_way(const std::string& path);

/// Waits for another call of the same pool, for that at most its time. Errors: the state cannot be kept; then nothing
/// is sent, because it would be sent again and again.
Result<Response> send(const config::Config& config, const Call& call);

}  // namespace dormouse::alert_sender
