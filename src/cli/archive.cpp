#include "cli/archive.h"

#include "cli/queries.h"

namespace dormouse::cli {

Outcome archive(const OperateOptions& options) {
    return operate({"archive",
                    "archived",
                    queries::archive,
                    queries::archive_runs,
                    {"completed", "failed", "canceled", "queued", "running", "retry", "blocked"},
                    {"completed", "failed", "canceled"},
                    false},
                   options);
}

}  // namespace dormouse::cli
