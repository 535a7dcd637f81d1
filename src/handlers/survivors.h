// Ends what handlers of workers that are dead have left behind: processes that carry DORMOUSE_FENCE (N:WORKER) or
// DORMOUSE_PROCESS (UUID:WORKER) of one of them. Used before the runs of such a worker are given back: by its successor
// and by `dormouse reap`. A unit's cgroup has ended them already; in the foreground nobody else does. What has emptied
// its environment is not found. Knows no store: whoever asks knows that the workers are dead.
#pragma once

#include <string>
#include <vector>

#include "base/clock.h"

namespace dormouse::handlers {

struct Survivors {
    int ended = 0;
    int left = 0;  ///< are not ours to end, or do not end, not even by SIGKILL
};

/// SIGKILL at once, through pidfds: nobody is there any more who would read what they say, and their run starts anew.
/// Looks again until none is found, so that none is forked away meanwhile; blocks for `patience` at most, and for some
/// milliseconds as a rule. Reads the environments that it may read: those of this account's processes, or of all for
/// root. Never ends this process.
Survivors end_survivors(const std::vector<std::string>& workers, Millis patience);

}  // namespace dormouse::handlers
