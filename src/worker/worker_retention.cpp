// Steps of retention among the rounds of a worker: each is a round of its own, so that no lock of it is held for
// anything else. Without handlers at work nothing is sent for it but on the way to sleep, and a database that is let
// sleep is not kept awake for it.
#include <chrono>
#include <utility>

#include "base/log.h"
#include "worker/worker.h"

namespace dormouse::worker {

/// How long until the next step beside the work; none: not now.
std::optional<Millis> Worker::retention_wait(BootClock::time_point now) const {
    const bool sleepy = config_.database.close_after > Millis{0};
    if (state_ >= State::leaving || sleepy || flights_.empty() || !registered_) return std::nullopt;
    return retention_.wait(now);
}

/// Puts a step into a round that is empty until now.
bool Worker::fill_retention(store::Round& round, BootClock::time_point now) {
    const bool before_sleep = std::exchange(retain_before_sleep_, false);
    if (state_ >= State::leaving || flights_.extension_wanted(now)) return false;
    // A claim between two steps, if one can be made: with all slots busy none can, and whoever waits for it while
    // retention_wait() says "now" makes the loop turn without end.
    if (may_look(now) && (before_sleep || just_retained_)) return false;
    if (!before_sleep && retention_wait(now).value_or(Millis{1}) > Millis{0}) return false;
    store::Retain retain;
    if (config_.retention.finished > Millis{0}) retain.finished = config_.retention.finished;
    retain.now = std::chrono::duration_cast<Millis>(std::chrono::system_clock::now().time_since_epoch());
    round.retain = retain;
    return true;
}

/// On the way to sleep: true when that has to wait for an answer.
bool Worker::retains_first() {
    if (!database_.is_open() || on_wire_ || retry_timer_.armed()) return false;
    if (!retention_.wanted_before_sleep(BootClock::now())) return false;
    retain_before_sleep_ = true;
    send_round();
    if (on_wire_ && on_wire_->retain && config_.database.close_after == Millis{0})
        answer_timer_.once(retention_.time_left(BootClock::now()), [this] {  // who leaves waits no longer
            if (looks_.owed()) return await_answer();
            if (circumstances_.errand.drain) errand_end_ = ErrandEnd::done;
            step_is_too_long_ = true;
            leave("quiet");
        });
    return on_wire_.has_value();
}

/// The last round goes by another session; the step comes to its own end in the server, as it would if we were killed.
void Worker::leave_step_behind() {
    step_is_too_long_ = false;
    on_wire_.reset();
    database_.close();
    open_database();
}

void Worker::take_retained(const store::Answer& answer) {
    const auto now = BootClock::now();
    const std::string& trouble = answer.retention_trouble;
    const std::string& done = answer.retained;
    if (!trouble.empty()) {
        retention_.hindered(now);
        const bool locked = trouble == "locked";  // by whoever reads all of it just then: nothing for a person
        return log::event(locked ? log::Level::debug : log::Level::warning, "retention",
                          locked ? "tries again later: a partition is locked" : trouble);
    }
    retention_.answered(!done.empty(), now);
    if (!done.empty())
        log::event(done.starts_with("dropped") ? log::Level::info : log::Level::debug, "retention", done);
}

}  // namespace dormouse::worker
