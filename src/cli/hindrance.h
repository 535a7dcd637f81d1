// Why a run that somebody waits for does not end: one line for people. Asked by enqueue --wait when there is a reason
// to ask, and never again and again.
#pragma once

#include <string>

#include "cli/wait.h"

namespace dormouse::cli {

/// What whoever waits knows of the run.
struct AwaitedRun {
    std::string id;
    std::string task;
    std::string queue;
};

struct Hindrance {
    std::string reason;  ///< the same for as long as it is the same one; empty: nothing is in the way
    std::string text;    ///< with times; never empty, as "running"
};

/// How the run stands, and what it waits for: its next attempt and the error of the last one, its time, a worker that
/// is awake and knows its task, a free place. What this login may not see is left out.
Hindrance hindrance_of(postgres::BlockingConnection& connection, const AwaitedRun& run, const Standing& standing);

}  // namespace dormouse::cli
