// From a task's config and a run to what is started: program file, arguments, environment, directory. Used by
// exec and warm. Starts nothing.
#pragma once

#include <chrono>
#include <string>

#include "base/error.h"
#include "config/config.h"
#include "handlers/handler.h"
#include "handlers/run_cgroup.h"
#include "handlers/spawn.h"

namespace dormouse::handlers {

/// Finds the program and reads the environment file, so that edits take effect with the next run; either may hang with
/// its disk, so this is called on another thread than the loop's. The run's timeout counts from `begun`. The
/// environment is small and listed: PATH, HOME, USER, LOGNAME, LANG, LC_ALL, TZ, TMPDIR and SHELL from ours,
/// the environment file over them, and DORMOUSE_* and TRACEPARENT of the run over both; nothing else of ours
/// gets through. Errors: invalid or denied, naming the thing, the place and the remedy.
Result<Launch> launch_for(const config::Task& task, const RunSpec& run, std::chrono::system_clock::time_point begun);

/// The same for a process that gets its runs later: DORMOUSE_PROCESS, by which its orphans are recognised, is `name`,
/// and DORMOUSE_RESULT_BYTES what it is told of the limits, so that it need not say what it would be killed for.
Result<Launch> launch_for_process(const config::Task& task, const config::Limits& limits, const std::string& name);

/// The same without anything: whether it could be started now.
Status check_command(const config::Task& task);

/// What the task's configuration allows a process tree of it.
CgroupLimits limits_of(const config::Task& task);
/// Why the kernel killed one.
std::string out_of_memory_text(const config::Task& task);

}  // namespace dormouse::handlers
