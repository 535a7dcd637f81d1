#include "cli/cancel.h"

#include "cli/queries.h"

namespace dormouse::cli {

Outcome cancel(const OperateOptions& options) {
    return operate({"cancel",
                    "canceled",
                    queries::cancel,
                    queries::cancel_runs,
                    {"queued", "running", "retry", "blocked"},
                    {"queued", "running", "retry", "blocked"},
                    false},
                   options);
}

}  // namespace dormouse::cli
