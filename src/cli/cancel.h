// dormouse cancel: runs that have not finished end now.
#pragma once

#include "cli/operate.h"

namespace dormouse::cli {

Outcome cancel(const OperateOptions& options);

}  // namespace dormouse::cli
