// The command line of dormouse-due. The options are for user managers and tests; the system's unit needs none
// of them.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace dormouse::systemd {

inline constexpr const char* due_usage =
    "usage: dormouse-due [--user] [--runtime-directory DIR] [--unit SERVICE] [--target TARGET|none] POOL\n";

struct DueOptions {
    std::string pool;
    bool user = false;  ///< the user's manager instead of the system's
    std::string runtime_directory = "/run/dormouse";
    std::string unit;    ///< started when the time has come; default dormouse@POOL.service
    std::string target;  ///< nothing is armed while it is not active; default dormouse@POOL.target; empty:
                         ///< always armed
};

/// Takes the arguments without the program's name. Errors: nullopt, also for a name that no pool may have.
[[nodiscard]] std::optional<DueOptions> parse_due_options(const std::vector<std::string>& arguments);

}  // namespace dormouse::systemd
