#include "handlers/account.h"

#include <algorithm>
#include <utility>

#include "base/deadline.h"
#include "config/duration.h"
#include "handlers/json_text.h"

namespace dormouse::handlers {

Account::Account(loop::Loop& loop, const Uuid& id, RunListener& listener, const config::Limits& limits, Means& means)
    : loop_(loop), id_(id), listener_(&listener), limits_(limits), means_(means) {
    budget_.limit = static_cast<std::size_t>(limits.log_bytes);
}

void Account::begin(Millis timeout, Millis grace) {
    grace_ = grace;
    timeout_ = timeout;
    if (timeout <= Millis{0}) return;
    timeout_at_ = after(BootClock::now(), timeout);
    arm();
}

Status Account::hear(Message&& message) {
    switch (message.type) {
        case Message::Type::hello:
            return fail(ErrorKind::invalid, "hello comes once, and first, from a warm process");
        case Message::Type::completed:
        case Message::Type::failed:
        case Message::Type::retry:
            if (answer_) return fail(ErrorKind::invalid, "the run has been answered before");
            answer_ = std::move(message);
            answer_came_first_ = cause_ == Cause::nothing;
            return {};
        case Message::Type::progress:
            listener_->on_progress(id_, std::move(message.progress));
            return {};
        case Message::Type::log:
            log(message.level, message.text);
            return {};
        case Message::Type::heartbeat:
            within_ = message.in.value_or(Millis{0});
            heartbeat_at_.reset();
            if (within_ > Millis{0}) heartbeat_at_ = after(BootClock::now(), within_);
            arm();
            return {};
    }
    return {};
}

void Account::log(Level level, std::string_view text) {
    if (budget_.cut_said) {
        budget_.missed += text.size() + 1;
        return;
    }
    Lines lines(budget_, [&](std::string_view line) { listener_->on_line(id_, {level, line}); });
    lines.add(text);
    lines.finish();
}

void Account::end_log() {
    if (const std::string rest = budget_.rest(); !rest.empty()) listener_->on_line(id_, {Level::warning, rest});
    budget_.missed = 0;
}

void Account::stop(StopReason reason, Millis patience) {
    if (cause_ == Cause::nothing) reason_ = reason;
    ask(Cause::stop, to_string(reason), patience);
}

void Account::settle() {
    if (timer_) timer_->stop();
}

void Account::give_up() {
    cause_ = Cause::message_too_large;
    if (timer_) timer_->stop();
    means_.kill();
}

void Account::ask(Cause why, std::string_view reason, Millis patience) {
    const Time kill_at = after(BootClock::now(), patience);
    if (cause_ == Cause::nothing) {
        cause_ = why;
        means_.ask(reason, patience);
    } else if (!kill_at_ || kill_at >= *kill_at_) {
        return;  // only sooner, never later
    }
    kill_at_ = kill_at;
    if (patience > Millis{0}) return arm();
    if (timer_) timer_->stop();
    means_.kill();
}

void Account::arm() {
    std::optional<Time> next = kill_at_;
    if (cause_ == Cause::nothing) {
        next = timeout_at_;
        if (heartbeat_at_ && (!next || *heartbeat_at_ < *next)) next = heartbeat_at_;
    }
    if (!next) return;
    // Too early is no harm, as on_time() looks what time it is: most heartbeats leave the timer alone.
    if (timer_ && timer_->armed() && armed_for_ <= *next) return;
    if (!timer_) timer_ = std::make_unique<loop::Timer>(loop_, "handler.attempt");
    armed_for_ = *next;
    const auto delay = std::chrono::ceil<Millis>(*next - BootClock::now());
    timer_->once(std::max(delay, Millis{0}), [this] { on_time(); });
}

void Account::on_time() {
    const Time now = BootClock::now();
    if (cause_ != Cause::nothing) {
        if (kill_at_ && now >= *kill_at_) return means_.kill();
    } else if (timeout_at_ && now >= *timeout_at_) {
        return ask(Cause::timeout, "timeout", grace_);
    } else if (heartbeat_at_ && now >= *heartbeat_at_) {
        return ask(Cause::no_heartbeat, "timeout", grace_);
    }
    arm();
}

bool Account::answer_counts() const {
    if (!answer_) return false;
    return answer_came_first_ || (cause_ == Cause::stop && has_completed());
}

Outcome Account::answered() {
    Message& said = *answer_;
    Outcome outcome;
    if (said.type == Message::Type::completed) {
        const auto limit = static_cast<std::size_t>(limits_.result_bytes);
        if (said.result.size() > limit) return result_too_large("the result", limits_.result_bytes);
        if (said.enqueue.size() > limit) return result_too_large("what it enqueues", limits_.result_bytes);
        outcome.kind = Outcome::completed;
        outcome.result = without_nul(std::move(said.result));
        outcome.enqueue = without_nul(std::move(said.enqueue));
        return outcome;
    }
    outcome.kind = said.type == Message::Type::retry ? Outcome::try_again : Outcome::failed;
    outcome.permanent = said.permanent;
    outcome.retry_in = said.in;
    outcome.error_class = std::move(said.error_class);
    if (outcome.error_class.empty()) outcome.error_class = said.type == Message::Type::retry ? "retry" : "failed";
    outcome.error_message = std::move(said.text);
    return outcome;
}

Outcome Account::ended() const {
    Outcome outcome;
    switch (cause_) {
        case Cause::nothing:
            break;
        case Cause::timeout:
            outcome.kind = Outcome::timed_out;
            outcome.error_class = "timeout";
            outcome.error_message = "timed out after " + config::duration_text(timeout_);
            break;
        case Cause::no_heartbeat:
            outcome.kind = Outcome::timed_out;
            outcome.error_class = "timeout";
            outcome.error_message = "no heartbeat within " + config::duration_text(within_);
            break;
        case Cause::stop:
            outcome.kind = Outcome::stopped;
            outcome.error_class = "stopped";
            outcome.error_message = stopped_text(reason_);
            break;
        case Cause::message_too_large:
            outcome.error_class = "message_too_large";
            outcome.permanent = true;  // the same work would come to the same
            outcome.error_message = "a message is longer than limits.result_bytes and 64 KiB (" +
                                    std::to_string(message_bytes(limits_)) + " bytes); the handler was killed";
            break;
    }
    return outcome;
}

}  // namespace dormouse::handlers
