// For whoever in this process listens to the log's events: the pool's alerts. What they tell is what the log says, so
// that the two cannot disagree.
#pragma once

#include "base/log.h"

namespace dormouse::log {

/// `take` also gets each event of this thread's log, of whatever level, before it is written; an empty function takes
/// that back. It must not log.
void tap(Take take);

}  // namespace dormouse::log
