// dormouse retry: finished runs start again, waiting ones become due.
#pragma once

#include "cli/operate.h"

namespace dormouse::cli {

Outcome retry(const OperateOptions& options);

}  // namespace dormouse::cli
