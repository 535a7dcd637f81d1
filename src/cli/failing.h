// Which tasks fail, for `dormouse status`: what the database knows of them, and what needs a person.
#pragma once

#include "cli/attention.h"

namespace dormouse::cli {

/// The tasks of which runs wait for another attempt after a failure, or have failed within a day: at most 50, those
/// with the most failures first. Two descents of an index for each.
Try<std::vector<FailingTask>> failing_tasks(postgres::BlockingConnection& connection);

/// What is wrong with it; none: its runs fail now and then, and are tried again, or one or two have failed for good.
std::optional<Attention> attention_of(const Overview& overview, const FailingTask& task);

}  // namespace dormouse::cli
