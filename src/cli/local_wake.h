// dormouse migrate --local-wake and --no-local-wake: whether Postgres wakes the pools of its own host by itself. Which
// pools those are is found out here; how they are woken is in sql/local_wake.sql.
#pragma once

#include <string>
#include <vector>

#include "cli/migrate.h"
#include "postgres/patience.h"

namespace dormouse::cli {

/// A pool to be woken: through the file `path`, by runs of these queues.
struct WokenPool {
    std::string pool;
    std::string path;
    std::vector<std::string> queues;
};

struct LocalWakeRequest {
    std::vector<WokenPool> install;  ///< each instead of what there is for that pool
    std::vector<std::string> remove;
    bool remove_all = false;
};

/// What is in the database afterwards.
struct LocalWakeReport {
    std::vector<std::string> installed;  ///< pools, also of earlier calls
    std::vector<std::string> removed;
    std::vector<std::string> missing;  ///< directories of the request that the server does not see
    std::string role_stays;            ///< why the role was to go and did not; empty: it did, or is needed
};

/// Applies sql/local_wake.sql in one transaction. Errors: denied, with who can do it; incompatible without a schema.
Result<LocalWakeReport> apply_local_wake(postgres::BlockingConnection& connection, const LocalWakeRequest& request,
                                         const postgres::Patience& patience = {});

/// Both commands.
Outcome local_wake(postgres::BlockingConnection& connection, const MigrateOptions& options,
                   const postgres::Patience& patience);

}  // namespace dormouse::cli
