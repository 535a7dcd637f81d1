// What becomes of a run after an attempt: the retry policy, and nothing else. Pure: the worker asks, the outbox writes.
#pragma once

#include "config/config.h"
#include "handlers/handler.h"
#include "store/round.h"

namespace dormouse::worker {

/// What the policy needs to know of the run besides its outcome.
struct Tries {
    int used = 0;         ///< attempts used up before this one
    int allowed = 1;      ///< the run's own max_attempts, else its task's
    int not_started = 0;  ///< how often in a row this task's handler could not be started, before this time
};

/// completed ends the run; failed and timed_out retry with full jitter while attempts are left; try_again puts it off
/// and uses up nothing, unless the task says snooze_counts; stopped hands it back to its place in the line; not_started
/// tries again without using up an attempt, since the run has done nothing wrong.
store::Ending judge(const store::Held& held, const handlers::Outcome& outcome, const Tries& tries,
                    const config::Task& task);

/// The least that judge() makes a run wait whose task could not be started so many times in a row before.
Millis least_pause_of_not_started(int times);

/// The end of a run that is never started: no handler, payload over the limit, attempts used up by lost workers.
store::Ending refuse(const store::Held& held, std::string error_class, std::string message);

}  // namespace dormouse::worker
