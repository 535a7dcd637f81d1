// One small file that others read while it is written anew, and that may be anything when it is read. Called on a
// thread that may wait for the disk.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace dormouse::metrics {

/// The text of a regular file; empty if there is none. Follows no link, waits for no writer. Errors: invalid (it is
/// something else, or larger than any that we have written), or from the file system.
Result<std::string> read_file(const std::string& path);

/// Whoever reads `path` sees what was there or all of `text`. What is written first has a name that node_exporter does
/// not read. Readable for all. Errors: from the file system; `path` is as it was.
Status replace_file(const std::string& path, std::string_view text);

/// Renames it to PATH.broken, which is returned; empty: that was not possible.
std::string put_aside(const std::string& path);

}  // namespace dormouse::metrics
