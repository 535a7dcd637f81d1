#include "cli/archive.h"

#include "sql/embedded.h"

namespace dormouse::cli {

Outcome archive(const OperateOptions& options) {
    return operate({"archive",
                    "archived",
                    sql::cli::archive,
                    sql::cli::archive_runs,
                    {"completed", "failed", "canceled", "queued", "running", "retry", "blocked"},
                    {"completed", "failed", "canceled"},
                    false},
                   options);
}

}  // namespace dormouse::cli
