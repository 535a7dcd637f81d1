// The error of a run or an attempt, as one line for people. Used by every command that tells one.
#pragma once

#include <string>
#include <string_view>

namespace dormouse::cli {

/// "KeyError: 'name'": the class and the first line of the message of what stands in the column `error`, JSON text; of
/// a program that has ended badly the last line of what it said as well: "exit: exit 1: no such table". Either alone
/// where there is no other; a program of somebody else may have written any other JSON: as it is. Empty: no error. Not
/// escaped.
std::string error_line(std::string_view json);

}  // namespace dormouse::cli
