// Whether a worker that registered itself still runs, as far as this machine can tell. Used by status.
#pragma once

#include <cstdint>
#include <string>

namespace dormouse::cli {

struct ProcessMark {
    std::string host;
    std::string boot_id;
    std::int64_t pid = 0;
    std::int64_t start = 0;  ///< clock ticks after boot, as in the registry
};

enum class Alive { yes, no, elsewhere };

/// `elsewhere`: on another host or in an earlier boot of a host of another name. Source: proc(5), stat
/// field 22.
Alive alive(const ProcessMark& mark);

}  // namespace dormouse::cli
