// A worker that is there for something in particular: one run, what is due now, so many runs, so long. It ends by
// itself.
#include <algorithm>

#include "base/log.h"
#include "worker/worker.h"

namespace dormouse::worker {

void Worker::start_errand() {
    if (circumstances_.errand.timeout > Millis{0})
        errand_timer_.once(circumstances_.errand.timeout,
                           [this] { end_errand(ErrandEnd::timed_out, "its time is over"); });
}

int Worker::slots_of_errand(int free) const {
    const Errand& errand = circumstances_.errand;
    if (errand.run) return flights_.empty() && shelf_.empty() ? std::min(free, 1) : 0;
    if (errand.max_runs > 0) return std::clamp(errand.max_runs - attempts_made_, 0, free);
    return free;
}

void Worker::take_standing(const store::Round& asked, const store::Answer& answer) {
    if (answer.standing.empty()) return end_errand(ErrandEnd::run_not_found, "there is no such run");
    if (answer.standing == "completed") return end_errand(ErrandEnd::done, "its run is completed");
    if (answer.standing == "failed") return end_errand(ErrandEnd::run_failed, "its run has failed");
    if (answer.standing == "canceled") return end_errand(ErrandEnd::run_canceled, "its run is canceled");
    take_due(asked, answer);
    // Somebody else's: its end is told, but not that it went back to its queue.
    if (answer.standing == "running" && answer.claimed.empty() && flights_.empty() && shelf_.empty())
        due_at_ = BootClock::now() + config_.worker.lease;
}

void Worker::end_errand_if_done() {
    const Errand& errand = circumstances_.errand;
    if (state_ != State::idle || !looks_.ever_answered() || !flights_.empty() || !shelf_.empty() || !outbox_.empty())
        return;
    if (errand.max_runs > 0 && attempts_made_ >= errand.max_runs)
        return end_errand(ErrandEnd::done, "it has made its attempts");
    if (errand.drain && !imports_.at_work() && !retains_first()) return end_errand(ErrandEnd::done, "nothing is due");
}

void Worker::end_errand(ErrandEnd end, const char* reason) {
    if (state_ >= State::leaving) return;
    errand_end_ = end;
    leave(reason);
    if (end == ErrandEnd::timed_out) stop_handlers();
}

}  // namespace dormouse::worker
