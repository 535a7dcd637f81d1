// Reading and writing one file of a spool, by people who do not trust each other: the writer's half is what any program
// has to do, the reader's half is what a worker does.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/error.h"

namespace dormouse::spool {

struct Content {
    std::string text;
    Millis age{0};  ///< since it was last written, by the clock of the file system; its owner can set that
};

/// Reads a regular file of at most `most` bytes; follows no link, waits for no writer. Errors: invalid (no regular
/// file, too large, not readable for us: it stays wrong), disconnected (there is none any more), transient (the disk).
Result<Content> read_file(int directory, const std::string& name, std::int64_t most);

/// Writes `name` so that a reader sees all of it or nothing: under a name with a dot in front, to disk, then renamed,
/// the directory to disk. Errors: from the file system; `name` is not there then.
Status write_file(int directory, const std::string& name, std::string_view text, mode_t mode);

}  // namespace dormouse::spool
