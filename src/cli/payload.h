// The payload of a run, from the command line, a file or stdin: read within its limit and checked to be JSON
// before the database sees it. Used by enqueue.
#pragma once

#include <cstdint>
#include <string>

#include "cli/exit_code.h"

namespace dormouse::cli {

/// `source` is JSON text, "@FILE" or "-" (stdin). Reads at most `limit` bytes and one, to know that there are
/// more. Fails with usage, naming the place (line and column) of what is no JSON.
Try<std::string> read_payload(const std::string& source, std::int64_t limit);

}  // namespace dormouse::cli
