// Tells when something may have come into a spool. Opened where the disk may hang, read where it must not: what is read
// is the kernel's memory.
#pragma once

#include <string>

#include "base/error.h"
#include "base/unique_fd.h"

namespace dormouse::spool {

/// A descriptor that is readable when something has happened in the directory `path`, or to its name in the one above.
/// Errors: from inotify, with the remedy. Source: inotify(7).
Result<UniqueFd> watch(const std::string& path);

/// What tells that something may have come to a path where nothing could be opened.
struct Awaited {
    UniqueFd watch;    ///< readable when something has happened in the nearest directory above that there is
    std::string name;  ///< what is awaited there
};
/// Not valid where the kernel has no watch to give. Source: inotify(7).
Awaited await(const std::string& path);
/// Takes what has happened: whether it is about what is awaited.
bool may_have_come(const Awaited& awaited);

/// A descriptor that is urgently readable when something was mounted or unmounted, which inotify does not tell; not
/// valid where it cannot be had. Source: proc(5), /proc/pid/mountinfo.
UniqueFd watch_mounts();

enum class Seen {
    nothing,  ///< there was nothing to be read
    others,   ///< nothing that a scan would look at, such as what is written while a file is put aside: a file that
              ///< cannot be moved would have itself tried again and again
    entries,  ///< something that a scan would look at may have come or changed, or another directory stands there now
};
/// Takes what has happened to a spool with this name.
Seen take_changes(const UniqueFd& watch, const std::string& directory);

}  // namespace dormouse::spool
