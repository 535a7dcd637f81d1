// A TOML text as a tree of Values, and the only place that knows the TOML library. Driven by load.h; knows no
// key.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "config/value.h"

namespace dormouse::config {

/// Reads a whole file's text into a table. `place` names the file in errors. Values below the eighth level,
/// where no key of ours stands, come as empty tables. Errors: invalid, "PLACE:LINE: …". Text from the file is
/// not repeated beyond a key or a character: it may be a secret.
Result<Value> parse_document(std::string_view text, const std::string& place);

}  // namespace dormouse::config
