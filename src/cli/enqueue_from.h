// dormouse enqueue --from: as many runs as a file has lines, by COPY, in one transaction. Lines with a key, and all
// lines of a login that may not INSERT, go through dormouse.enqueue() in the same transaction.
#pragma once

#include "cli/enqueue.h"

namespace dormouse::cli {

Outcome enqueue_from(const EnqueueOptions& options, const config::Environment& environment);

}  // namespace dormouse::cli
