#include "cli/retry.h"

#include "cli/queries.h"

namespace dormouse::cli {

Outcome retry(const OperateOptions& options) {
    return operate({"retry",
                    "started again",
                    queries::retry,
                    queries::retry_runs,
                    {"completed", "failed", "canceled", "retry"},
                    {"failed", "retry"},
                    true},
                   options);
}

}  // namespace dormouse::cli
