// JSON that only passes through: checked, and cut into its members without being turned into values, so that a number
// or a string leaves as it came. Used by whatever handlers write. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dormouse::handlers {

/// Whether it is one JSON text that Postgres would take for one too: no byte order mark, no NUL, no number that
/// overflows a double.
[[nodiscard]] bool is_json(std::string_view bytes);

/// Of bytes that begin and end as an object or an array does, and are no JSON text: where it ends to be one; else
/// empty.
[[nodiscard]] std::string where_json_ends(std::string_view bytes);

/// The JSON text with each NUL in a string (\u0000, which Postgres takes in no text) replaced by U+FFFD.
[[nodiscard]] std::string without_nul(std::string text);

struct Member {
    std::string name;        ///< unescaped
    std::string_view value;  ///< as it is written, without white space around it
};

/// The members of the object `text`, in their order, doubles included; none if it is another value. `text` has passed
/// is_json().
[[nodiscard]] std::vector<Member> members_of(std::string_view text);

/// The text of the JSON value `value`, which has passed is_json(); none if it is no string.
[[nodiscard]] std::optional<std::string> text_of(std::string_view value);

/// Adds `text` to `line` as a JSON string; what is no UTF-8 is replaced.
void append_json_string(std::string& line, std::string_view text);

}  // namespace dormouse::handlers
