// The two files that pass between a worker and the helper that runs after it (due_main.cpp): the worker writes when it
// must be woken next, and reads how often it has failed in a row. The helper trusts the first with digits only; the
// second is root's.
#pragma once

#include <optional>
#include <string>

#include "base/clock.h"
#include "base/error.h"

namespace dormouse::systemd {

/// Writes RUNTIME/POOL/due: the milliseconds until the pool must look again, or `none` when nothing is due, ever.
/// Atomic (written beside, then renamed). Only a clean exit calls this, last of all, after the session has closed.
/// Errors: those of open(2), write(2) and rename(2), with the path; the caller exits as unclean then.
Status write_due_file(const std::string& runtime_directory, const std::string& pool, std::optional<Millis> due_in);

/// Removes what an earlier worker left, so that only this one's word counts. Call at start.
void remove_due_file(const std::string& runtime_directory, const std::string& pool);

/// How many workers of this pool ended badly in a row; 0 when there is no such file or it says nothing sensible.
int failures_in_a_row(const std::string& runtime_directory, const std::string& pool);

/// How long to wait before the first connect after that many failures: nothing for the first two, then 1 s, doubling to
/// 5 min, so that a crash loop cannot keep a database awake.
Millis first_connect_delay(int failures);

}  // namespace dormouse::systemd
