#include "cli/cancel.h"

#include "sql/embedded.h"

namespace dormouse::cli {

Outcome cancel(const OperateOptions& options) {
    return operate({"cancel",
                    "canceled",
                    sql::cli::cancel,
                    sql::cli::cancel_runs,
                    {"queued", "running", "retry", "blocked"},
                    {"queued", "running", "retry", "blocked"},
                    false},
                   options);
}

}  // namespace dormouse::cli
