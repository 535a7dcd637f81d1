// Text that people typed: quoting it for a one-line message, telling whether it is printable, finding what
// they meant. Used by the rest of this folder; knows nothing of options or files.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace dormouse::config {

/// `text` in double quotes, on one line: control characters and bytes that are not UTF-8 as \xNN, cut after
/// about 60 bytes. For messages only; never give it a secret.
std::string quote(std::string_view text);

/// A key or variable for a message: as it is, or quoted if that would not be one readable line.
std::string named(const std::string& name);

/// True if `text` is valid UTF-8 without control characters. The empty text is printable.
bool printable(std::string_view text);

/// Without spaces and tabs at both ends.
std::string_view trimmed(std::string_view text);

/// The number of single-character insertions, deletions and replacements between the two.
std::size_t edit_distance(std::string_view left, std::string_view right);

/// The dotted name that was most likely meant by `name`, or an empty text if none is near. A right last part
/// under a wrong section counts as near.
std::string nearest(std::string_view name, const std::vector<std::string>& candidates);

}  // namespace dormouse::config
