#include "worker/scale.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "config/duration.h"

namespace dormouse::worker {
namespace {

constexpr Millis a_moment{2'000};  ///< by so much the same end may differ from one question to the next

std::string runs_at_once(int runs) {
    return std::to_string(runs) + (runs == 1 ? " run" : " runs") + " at once";
}

}  // namespace

/// With the first look: what that brings beyond the number in force waits on the shelf, and is not started.
void Scale::opened(Time) {
    ask();
    not_before_ = {};
}

void Scale::tick(Time now) {
    if (scaled_ && now >= until_) take_nothing("the time of dormouse scale is over");
}

std::optional<Millis> Scale::next_tick(Time now) const {
    if (!scaled_) return std::nullopt;
    return std::max(Millis{0}, std::chrono::ceil<Millis>(until_ - now));
}

std::optional<Millis> Scale::wait(const Moment& moment) const {
    if (!wanted_ || on_wire_ || !moment.open || moment.leaving) return std::nullopt;
    return std::max(Millis{0}, std::chrono::ceil<Millis>(not_before_ - moment.now));
}

bool Scale::fill(store::Round& round, const Moment& moment) {
    if (wait(moment) != Millis{0}) return false;
    wanted_ = false;
    on_wire_ = round.ask_scale = true;
    not_before_ = moment.now + between_questions;
    return true;
}

void Scale::undone() {
    if (std::exchange(on_wire_, false)) ask();
    not_before_ = {};
}

void Scale::answered(store::Answer& answer, Time sent_at) {
    if (!std::exchange(on_wire_, false)) return;
    if (answer.scaled) {
        take(*answer.scaled, sent_at + answer.scaled->left);
    } else if (scaled_) {
        take_nothing("dormouse scale was taken back");
    }
}

void Scale::take(const store::Scaled& scaled, Time until) {
    const int allowed = terms_.most > 0 ? std::min(scaled.concurrency, terms_.most) : scaled.concurrency;
    const bool known = scaled_ && scaled_->concurrency == scaled.concurrency && scaled_->by == scaled.by &&
                       until - until_ < a_moment && until_ - until < a_moment;
    scaled_ = scaled;
    until_ = until;
    if (!known && allowed < scaled.concurrency)
        log::event(log::Level::warning, "scaled",
                   runs_at_once(scaled.concurrency) + " are wanted by " + scaled.by + ", and this program allows " +
                       std::to_string(terms_.most) + " (worker.concurrency in its options)",
                   {{"pool", terms_.pool}});
    if (!known)
        log::event(log::Level::info, "scaled",
                   runs_at_once(allowed) + " for " +
                       config::duration_text(std::chrono::ceil<std::chrono::seconds>(scaled.left)) +
                       " (dormouse scale, " + scaled.by + "); " + std::to_string(terms_.configured) +
                       " by the configuration",
                   {{"pool", terms_.pool}});
    use(allowed);
}

void Scale::take_nothing(const char* why) {
    scaled_.reset();
    log::event(log::Level::info, "scaled", runs_at_once(terms_.configured) + " again: " + why, {{"pool", terms_.pool}});
    use(terms_.configured);
}

void Scale::use(int at_once) {
    if (std::exchange(at_once_, at_once) != at_once) terms_.on_change(at_once);
}

}  // namespace dormouse::worker
