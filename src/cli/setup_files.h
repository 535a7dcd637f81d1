// The files of `dormouse setup`: the pool's, and the passfile with the pool's password, which are never written over;
// and drop-ins, also of `dormouse sandbox`, which are.
#pragma once

#include <optional>
#include <string>

#include "cli/exit_code.h"

namespace dormouse::cli {

/// Writes a new file of that mode, all of it or nothing; its group, if `owned` also its owner, is that of `account`.
/// Errors: config when it is there already, denied with the remedy.
Try<void> write_new_file(const std::string& path, const std::string& text, unsigned mode, const std::string& account,
                         bool owned);

/// Writes a drop-in of ours, its directory too, in place of an older one. Errors: denied.
Try<void> replace_unit_file(const std::string& path, const std::string& text);

/// One line of a passfile, for any database of that server.
struct PassEntry {
    std::string host;
    std::string port;
    std::string login;
};
/// "HOST:PORT:*:LOGIN:", with what the format wants escaped.
std::string start_of(const PassEntry& entry);

/// The password for `entry` in the passfile; none: no such file or line. Errors: the file cannot be read.
Try<std::optional<std::string>> find_password(const std::string& passfile, const PassEntry& entry);

/// Appends a line with a new random password; makes the file (0600, the account's) if there is none. Returns the
/// password. Errors: denied.
Try<std::string> add_password(const std::string& passfile, const PassEntry& entry, const std::string& account);

}  // namespace dormouse::cli
