// The payload of a run, from the command line, a file or stdin: read within its limit and checked to be JSON
// before the database sees it. Used by enqueue.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "cli/exit_code.h"

namespace dormouse::cli {

/// `source` is JSON text, "@FILE" or "-" (stdin). Reads at most `limit` bytes and one, to know that there are
/// more. Fails with usage, naming the place (line and column) of what is no JSON.
Try<std::string> read_payload(const std::string& source, std::int64_t limit);

/// What is wrong with a payload that has a NUL character, with its place and the remedy; else empty. Such a payload is
/// JSON and no jsonb. `text` is JSON.
std::string nul_in_payload(const std::string& text);

/// Whether that is why a text is not JSON to our parser; others take it, and it is text to nobody.
bool is_half_a_pair(std::string_view parse_error);
inline constexpr const char* half_a_pair_remedy = ", which is not valid text; write both halves of it, or leave it out";

}  // namespace dormouse::cli
