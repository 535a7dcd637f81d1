// Ending a process that is not our child, without ever hitting another one that has got its pid. Used by reap.
#pragma once

#include <sys/types.h>

#include <cstdint>

#include "base/clock.h"
#include "base/error.h"

namespace dormouse::cli {

/// SIGTERM (and SIGCONT, in case it is stopped), after `patience` SIGKILL, through a pidfd; returns when it is gone.
/// The start time is compared after the pidfd has been opened: from then on the pidfd means that process and no other.
/// True: ended; false: it was gone already, or the pid means another process. Errors: denied; transient (the kernel
/// cannot end it: an uninterruptible wait). Source: pidfd_open(2).
Result<bool> end_process(pid_t pid, std::int64_t start, Millis patience);

}  // namespace dormouse::cli
