// Sizes in bytes as people write them: "1MiB", "64KiB", "500kB", or a plain number of bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace dormouse::config {

/// Reads a whole number and, if there is one, its unit: B, KiB, MiB, GiB (1024) or kB, MB, GB (1000). Never
/// negative. Errors: invalid; the message says what was found and what is expected, without naming a place.
Result<std::int64_t> parse_size(std::string_view text);

/// The shortest text in B, KiB, MiB or GiB that parse_size reads back as the same value.
std::string size_text(std::int64_t bytes);

}  // namespace dormouse::config
