// Reads an environment file as systemd's EnvironmentFile= does, without what nobody should rely on: no
// expansion, no command is run, nothing is inherited. The file is hostile until checked. Called by exec at
// every start, so that an edit takes effect with the next run.
//
//   NAME=value            blanks around the value are cut; an empty value is one
//   NAME="a \"b\" c"      double quotes: \" \\ \` \$ lose the backslash, a line break may be inside
//   NAME='a b'            single quotes: nothing is special
//   export NAME=value     the same as without the word, for files that shells read, too
//   # comment             also with ;
//   a \ at the end of a line joins it with the next
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"

namespace dormouse::handlers {

using Variables = std::vector<std::pair<std::string, std::string>>;

/// `name` is for messages. The last one wins where a name is there twice: the result has each name once.
/// Errors: invalid, with file and line: bad name, no "=", open quote, NUL byte, a name that starts with
/// DORMOUSE_, more than 64 KiB. The value is never in the message. Source: EnvironmentFile= in
/// systemd.exec(5).
Result<Variables> parse_environment(std::string_view text, const std::string& name);

/// The same for a file. Errors: also what open and read say.
Result<Variables> read_environment_file(const std::string& path);

/// What a reader of such a file may have meant otherwise: a # behind a blank in a value that is not quoted, which is no
/// comment there. One line with the remedy, without the value; empty: nothing, or the file cannot be read.
std::string doubtful_in_environment(std::string_view text, const std::string& name);
std::string doubtful_in_environment_file(const std::string& path);

}  // namespace dormouse::handlers
