// dormouse archive: runs that nobody wants to see any more.
#pragma once

#include "cli/operate.h"

namespace dormouse::cli {

Outcome archive(const OperateOptions& options);

}  // namespace dormouse::cli
