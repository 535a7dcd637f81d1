// What lies where a spool is, below something that was mounted over it while no worker was awake: nobody sees it. Used
// by those who tell people; a worker may not look there itself. Logs nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace dormouse::spool {

struct Hidden {
    std::string mount;       ///< what hides them is mounted there: at the spool, or at a directory above it
    std::string above;       ///< the directory that has it
    std::string rest;        ///< from `above` on, where they lie
    std::int64_t files = 0;  ///< those that would be runs; counted up to 1,000
};

/// The files below what is mounted over the spool `path`; none: there are none, or this process may not look, which
/// takes CAP_SYS_ADMIN. Of several mounts at one place it sees below the first of them. Source: mount_setattr(2),
/// open_tree(2).
std::optional<Hidden> hidden_files(const std::string& path);

}  // namespace dormouse::spool
