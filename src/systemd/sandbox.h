// What the tasks of a pool need of the sandbox of its unit, as lines of a drop-in: the one table of the words of
// sandbox = { … }. The unit is one for all tasks, so it gets what any of them needs. Used by the command line.
// Source: systemd.exec(5), systemd.resource-control(5).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "config/config.h"

namespace dormouse::systemd {

enum class Word { privileges, home, write, devices, ownership, priority, netlink, shared_tmp, namespaces };

/// One thing that is needed.
struct Opening {
    Word word;
    std::string value;                  ///< of home: its word; of write and devices: one path
    std::vector<std::string> tasks;     ///< who needs it
    std::vector<std::string> settings;  ///< of [Service], in order; none: it comes with privileges
    std::string cost;                   ///< a sentence for people

    /// As it is written in a task's table: `write = ["/srv/out"]`.
    [[nodiscard]] std::string text() const;
};

/// In the order in which their settings have to be read.
std::vector<Opening> openings_of(const std::map<std::string, config::Task>& tasks);

/// The drop-in that gives them, with a comment for each; `file` is the pool's.
std::string drop_in_of(const std::string& pool, const std::string& file, const std::vector<Opening>& openings);
/// What each of these drop-ins begins with.
extern const char* const drop_in_start;
/// Where it belongs.
std::string drop_in_path(const std::string& pool);

/// Those that the unit, as systemd has read it, does not give; a worker that was started before may have less. Errors:
/// disconnected: there is no system bus, or no answer within `patience`; invalid: there is no such unit.
Result<std::vector<Opening>> not_given(const std::string& pool, const std::vector<Opening>& openings, Millis patience);

}  // namespace dormouse::systemd
