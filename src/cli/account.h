// The account of the pools' workers: what root tries for a pool is tried as that account, and files are given to it.
// And how a command is typed as somebody else. Used by `dormouse setup` and `dormouse new`, and by commands that may
// not.
#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cli/exit_code.h"

namespace dormouse::cli {

inline constexpr const char* worker_account = "dormouse";

/// The account of that pool's worker: User= of its unit, if systemd answers; else, and for "", the one above.
std::string account_of_pool(const std::string& pool);

/// Whether there is such an account here, and this process may act as it: it is root's. Not for a configuration
/// directory of somebody's own.
bool acts_for_account();

/// "sudo -u ACCOUNT " where that is needed to act as the account; else empty.
std::string sudo_words(const std::string& account);

/// Root acts as another account until the end of the scope; "" and any caller but root: as before. Only the effective
/// user, the groups and HOME change, so it can be taken back: for what a server sees of a connection, not for the code
/// of others. Not while there is another thread.
class AsAccount {
  public:
    explicit AsAccount(const std::string& account);
    ~AsAccount();
    AsAccount(const AsAccount&) = delete;
    AsAccount& operator=(const AsAccount&) = delete;

  private:
    bool changed_ = false;
    gid_t group_ = 0;
    std::vector<gid_t> groups_;
    std::optional<std::string> home_;
};

/// Calls `work` in a child, which acts as `account` if acts_for_account(), in /, and ends with what it returns.
/// Returns the child's exit code, or 128 and the signal's number. Errors: the child cannot be made. Not while there is
/// an open database session or another thread.
Try<int> in_account(const std::string& account, const std::function<int()>& work);

/// A word of a shell command.
std::string shell_word(const std::string& text);

/// What this process was called with; once, at its start.
void remember_command(int argc, char** argv);
/// Who called it: by sudo, or the user; empty for root, and before remember_command().
const std::string& person();
/// The same command, to be typed as that account, or as root: "sudo -u dormouse dormouse runs". `variable` of the
/// environment, if one is named, comes along.
std::string command_as(const std::string& account, const std::string& variable = {});
std::string command_as_root();

/// Why a pool's file cannot be used; where it may not be read, with the command to type instead.
tl::unexpected<Failure> no_config(const Error& error);

}  // namespace dormouse::cli
