// How many runs of each task have ended within an hour and a day, for `dormouse status`: as counted by what ended them
// (dormouse.endings), so that nothing finished is read.
#pragma once

#include "cli/overview.h"

namespace dormouse::cli {

/// At most 1,000 tasks, those with the most first.
Try<std::vector<TaskEndings>> endings_by_task(postgres::BlockingConnection& connection);

/// As a table of at most 12 tasks, all others in one line; empty: nothing has ended.
std::string endings_text(const std::vector<TaskEndings>& all);

}  // namespace dormouse::cli
