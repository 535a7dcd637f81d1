#include "worker/retry_policy.h"

#include "base/backoff.h"

namespace dormouse::worker {
namespace {

using handlers::Outcome;
using store::Ending;

constexpr Millis not_started_base{5'000};
constexpr Millis not_started_max{300'000};

}  // namespace

store::Ending judge(const store::Held& held, const handlers::Outcome& outcome, const Tries& tries,
                    const config::Task& task) {
    const config::Backoff& backoff = task.backoff;
    store::Ending ending;
    ending.held = held;
    ending.error_class = outcome.error_class;
    ending.error_message = outcome.error_message;
    ending.exit_code = outcome.exit_code;
    ending.signal = outcome.signal;
    if (outcome.cpu) ending.cpu_ms = outcome.cpu->count();
    ending.peak_memory_bytes = outcome.peak_memory_bytes;
    switch (outcome.kind) {
        case Outcome::completed:
            ending.kind = Ending::completed;
            ending.result = outcome.result;
            ending.enqueue = outcome.enqueue;
            break;
        case Outcome::failed:
        case Outcome::timed_out:
            ending.kind = outcome.permanent || tries.used + 1 >= tries.allowed ? Ending::failed : Ending::retry;
            if (ending.kind == Ending::retry)
                ending.delay = outcome.retry_in.value_or(full_jitter(backoff.base, backoff.max, tries.used));
            break;
        case Outcome::try_again:
            ending.kind = task.snooze_counts && tries.used + 1 >= tries.allowed ? Ending::failed : Ending::put_off;
            ending.counts = task.snooze_counts;
            if (ending.kind == Ending::put_off) {
                ending.delay = outcome.retry_in.value_or(backoff.base);
            } else {
                ending.error_class = "attempts_used_up";
                ending.error_message = "it asked to be retried later, but that was its last attempt (snooze_counts)";
            }
            break;
        case Outcome::stopped:
            // shown behind its class, which it need not name as well
            if (ending.error_message.starts_with(ending.error_class + ": "))
                ending.error_message.erase(0, ending.error_class.size() + 2);
            ending.kind = Ending::handed_back;
            ending.counts = false;
            break;
        case Outcome::not_started:
            ending.kind = Ending::not_started;
            ending.counts = false;
            ending.delay = half_jitter(not_started_base, not_started_max, tries.not_started);
            break;
    }
    return ending;
}

Millis least_pause_of_not_started(int times) {
    constexpr int enough = 10;  // doublings
    return std::min(not_started_max, not_started_base * (1 << std::clamp(times, 0, enough))) / 2;
}

store::Ending refuse(const store::Held& held, std::string error_class, std::string message) {
    store::Ending ending;
    ending.held = held;
    ending.kind = Ending::failed;
    ending.counts = false;
    ending.error_class = std::move(error_class);
    ending.error_message = std::move(message);
    return ending;
}

}  // namespace dormouse::worker
