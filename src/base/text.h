// Text from outside that goes to a terminal or into a log line, made harmless. Everybody may use it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace dormouse {

struct Character {
    char32_t code = 0;
    std::size_t bytes = 1;
    bool valid = false;
};

/// The character at the start of `text`, which is not empty. Not valid: one byte that is no UTF-8.
Character first_character(std::string_view text);

/// `text` on one line that cannot drive a terminal: control characters (C0, DEL, C1), characters that turn
/// the direction of writing or are not seen, line separators and bytes that are not UTF-8 become \n, \t, \xNN or
/// \uNNNN.
std::string escaped(std::string_view text);

/// JSON that can be shown as it is: what escaped() escapes of valid characters becomes \uNNNN inside of its strings,
/// which changes nothing of its meaning. `json` is valid JSON.
std::string safe_json(std::string_view json);

}  // namespace dormouse
