// What a handler that failed has said of a refusal, read as what lifts it: the word of sandbox = { … } in its task. The
// kernel tells a worker nothing of what it refuses a handler, and the same errors have other causes, so it is a line
// for people and says "if". Used by whoever hears how attempts end. refusal_hint() is pure; bars_here() reads once what
// holds for this process, which its handlers inherit.
#pragma once

#include <string>
#include <string_view>

#include "config/config.h"
#include "handlers/handler.h"

namespace dormouse::handlers {

/// What bars the handlers of this process.
struct Bars {
    bool read_only = false;          ///< most of the files
    bool filtered = false;           ///< system calls, kinds of sockets
    bool no_new_privileges = false;  ///< setuid and setgid programs start without theirs
};

/// All false outside of a service of systemd: then no word lifts anything.
const Bars& bars_here();

/// One line, without a line break: what in `task` lifts the first refusal that is told in `error`. Empty: none is, or
/// it would not be one of `bars`, or the task says that word already.
std::string refusal_hint(std::string_view error, const Bars& bars, const config::Task& task, const std::string& pool);

/// Adds it to an attempt that failed, below the first line of its error.
void add_refusal_hint(Outcome& outcome, const config::Task& task, const std::string& pool);

}  // namespace dormouse::handlers
