// Who a worker is, for the registry and for every claim. Made by worker/identity.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/uuid.h"

namespace dormouse::store {

struct Identity {
    Uuid id;
    std::string pool;
    std::vector<std::string> queues;
    std::string unit;  ///< empty: none
    std::string host;
    int pid = 0;
    std::int64_t pid_start = 0;
    std::int64_t pid_namespace = 0;  ///< 0: unknown
    Uuid boot_id;
    Uuid instance_id;  ///< of the pool's state directory; nil: none
    std::string version;
    int concurrency = 0;      ///< how many runs it executes at once by its configuration; 0: unknown
    int concurrency_max = 0;  ///< what `dormouse scale` can bring that to at most; 0: whatever it likes
    std::optional<Uuid> run;  ///< it executes this one alone
    bool rests = false;       ///< closes its session on purpose (database.close_after)
};

}  // namespace dormouse::store
