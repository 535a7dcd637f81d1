// Text from outside that goes to a terminal or into a log line, made harmless. Everybody may use it.
#pragma once

#include <string>
#include <string_view>

namespace dormouse {

/// `text` on one line that cannot drive a terminal: control characters (C0, DEL, C1), characters that turn
/// the direction of writing or are not seen, line separators and bytes that are not UTF-8 become \n, \t, \xNN or
/// \uNNNN.
std::string escaped(std::string_view text);

/// The first line of a text of several, and behind it the one that says why: the last one, as of a Python traceback; or
/// the one that names the error, where Node, Ruby or PHP have written their stack below it.
std::string brief(std::string_view text);

/// JSON that can be shown as it is: what escaped() escapes of valid characters becomes \uNNNN inside of its strings,
/// which changes nothing of its meaning. `json` is valid JSON.
std::string safe_json(std::string_view json);

}  // namespace dormouse
