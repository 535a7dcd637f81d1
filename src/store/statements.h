// Turns a Round into statements and their results into an Answer: the only place that knows sql/queries by name and by
// column. Pure: no session, no loop.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "postgres/session.h"
#include "store/round.h"

namespace dormouse::store {

/// Who this worker is, for the registry and for every claim.
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
};

/// `lease`: how long a claim or an extension holds.
std::vector<postgres::Statement> statements_for(const Round& round, const Identity& identity, Millis lease);

/// `results` are those of statements_for(round, …), in its order.
Answer answer_from(const Round& round, const std::vector<postgres::Reply>& results, const Identity& identity);

}  // namespace dormouse::store
