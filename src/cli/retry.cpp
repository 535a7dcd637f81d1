#include "cli/retry.h"

#include "sql/embedded.h"

namespace dormouse::cli {

Outcome retry(const OperateOptions& options) {
    return operate({"retry",
                    "started again",
                    sql::cli::retry,
                    sql::cli::retry_runs,
                    {"completed", "failed", "canceled", "retry"},
                    {"failed", "retry"},
                    true},
                   options);
}

}  // namespace dormouse::cli
