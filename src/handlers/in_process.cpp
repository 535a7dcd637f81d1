#include "handlers/in_process.h"

#include <algorithm>
#include <utility>

#include "base/crash_point.h"
#include "base/deadline.h"
#include "config/duration.h"
#include "handlers/json_text.h"

namespace dormouse::handlers {
namespace {

Outcome failure(std::string error_class, std::string message, bool permanent = false) {
    Outcome outcome;
    outcome.permanent = permanent;
    outcome.error_class = std::move(error_class);
    outcome.error_message = std::move(message);
    return outcome;
}

Outcome spawn_failure(std::string message) {
    Outcome outcome = failure("spawn", std::move(message));
    outcome.kind = Outcome::not_started;
    return outcome;
}

}  // namespace

InProcess::InProcess(loop::Loop& loop, Functions functions)
    : functions_(std::move(functions)),
      timer_(loop, "in_process.times"),
      hand_over_timer_(loop, "in_process.hand_over"),
      help_timer_(loop, "in_process.help"),
      knock_(loop, [this] { hear(); }),
      threads_([this](InProcessRun& run) { execute(run); }) {}

InProcess::~InProcess() {
    for (const auto& [id, run] : runs_) run->stop_.request_stop();
}

void InProcess::configure(int most_threads, const config::Limits& limits) {
    limits_ = limits;
    set_most_threads(most_threads);
}

void InProcess::set_most_threads(int most) {
    threads_.set_most(static_cast<std::size_t>(std::max(1, most)));
}

const Function* InProcess::find(const std::string& task) const {
    const auto found = functions_.find(task);
    return found == functions_.end() ? nullptr : &found->second;
}

void InProcess::on_return(std::function<void(const Uuid&, const std::string&)> on_return) {
    on_return_ = std::move(on_return);
}

void InProcess::start(const Function& function, RunSpec spec, RunListener& listener) {
    const Uuid id = spec.id;
    const Millis timeout = spec.timeout;
    const auto [place, is_new] = runs_.try_emplace(id);
    if (is_new) {
        place->second = std::make_unique<InProcessRun>(*this, function, std::move(spec), listener, limits_);
        if (timeout > Millis{0}) place->second->times_out_at_ = after(BootClock::now(), timeout);
        if (fresh_.empty()) hand_over_timer_.once(Millis{0}, [this] { hand_over(); });
        fresh_.push_back(place->second.get());
        return look_at(place->second->times_out_at_);
    }
    refuse(id, listener, "this run is still being executed by this worker");
}

/// All that were started in one go at once: one by one they would meet the threads at their lock, and wait there.
void InProcess::hand_over() {
    if (threads_.add(fresh_)) {
        if (!help_timer_.armed()) help_in_a_moment();
    } else {
        for (const InProcessRun* run : fresh_) {
            refuse(run->spec_.id, run->listener_, "no thread can be made (threads-max, TasksMax=)");
            runs_.erase(Uuid(run->spec_.id));
        }
    }
    fresh_.clear();
}

void InProcess::refuse(const Uuid& id, RunListener& listener, const char* why) {
    refusals_.push_back({id, &listener, why});
    look_at(Time::min());
}

void InProcess::help_in_a_moment() {
    help_timer_.once(Millis{1}, [this] {
        if (threads_.help_those_who_wait()) help_in_a_moment();
    });
}

void InProcess::stop(const Uuid& id, StopReason reason, Millis patience) {
    const auto found = runs_.find(id);
    if (found == runs_.end() || found->second->given_up_) return;
    if (found->second->cause_ == InProcessRun::Cause::nothing) found->second->reason_ = reason;
    end(*found->second, InProcessRun::Cause::stop, to_string(reason), patience);
}

void InProcess::end(InProcessRun& run, InProcessRun::Cause why, const char* name, Millis patience) {
    run.given_up_at_ = std::min(run.given_up_at_, after(BootClock::now(), patience));  // only sooner, never later
    if (run.cause_ == InProcessRun::Cause::nothing) {
        run.cause_ = why;
        run.why_stopped_ = name;
        run.stop_.request_stop();
    }
    look_at(run.given_up_at_);
}

// --- the times -------------------------------------------------------------------------------------------------------

/// One timer for all: armed for the earliest time that was ever asked for. Runs that end do not touch it; when it comes
/// in vain it finds out the next, which for runs that are short beside their timeout is rarely.
void InProcess::look_at(Time when) {
    if (when >= looks_at_) return;
    looks_at_ = when;
    const auto now = BootClock::now();
    const Millis wait = when <= now ? Millis{0} : std::chrono::ceil<Millis>(when - now);
    timer_.once(wait, [this] { on_time(); });
}

void InProcess::on_time() {
    using Cause = InProcessRun::Cause;
    looks_at_ = Time::max();
    for (const Refusal& refusal : std::exchange(refusals_, {}))
        refusal.listener->on_done(refusal.id, spawn_failure(refusal.why));
    const auto now = BootClock::now();
    std::vector<Uuid> over;
    Time next = Time::max();
    for (const auto& [id, run] : runs_) {
        if (run->given_up_) continue;
        if (run->cause_ == Cause::nothing && now >= run->times_out_at_)
            end(*run, Cause::timeout, "timeout", run->spec_.grace);
        if (run->cause_ == Cause::nothing && now >= run->beats_until_)
            end(*run, Cause::heartbeat, "timeout", run->spec_.grace);
        if (now >= run->given_up_at_) {
            over.push_back(id);
        } else if (run->cause_ == Cause::nothing) {
            next = std::min({next, run->times_out_at_, run->beats_until_});
        } else {
            next = std::min(next, run->given_up_at_);
        }
    }
    look_at(next);
    for (const Uuid& id : over) give_up(id);
}

void InProcess::give_up(const Uuid& id) {
    const auto found = runs_.find(id);
    if (found == runs_.end()) return;
    InProcessRun& run = *found->second;
    Outcome outcome = judge(run);
    outcome.error_message += "; its function has not returned and was abandoned: its thread is occupied until it does";
    run.given_up_ = true;
    ++given_up_;
    run.listener_.on_line(id, {Level::warning, outcome.error_message});
    run.listener_.on_done(id, std::move(outcome));
}

// --- on the threads --------------------------------------------------------------------------------------------------

void InProcess::execute(InProcessRun& run) {
    crash_point("function.taken");
    if (!run.stop_.stop_requested()) {
        run.outcome_ = checked(run.function_(run), run.limits_.result_bytes);
    } else {
        run.outcome_ = failure("stopped", "it was stopped before its function was called");
    }
    crash_point("function.returned");
    say({Word::Kind::done, &run});
}

Outcome InProcess::checked(Outcome outcome, std::int64_t limit) {
    if (outcome.kind == Outcome::completed) {
        if (static_cast<std::int64_t>(outcome.result.size()) > limit) return result_too_large("the result", limit);
        if (static_cast<std::int64_t>(outcome.enqueue.size()) > limit)
            return result_too_large("what it enqueues", limit);
        if (!outcome.result.empty() && !is_json(outcome.result))
            return failure("bad_result", "the result is not JSON that Postgres accepts", true);
        outcome.result = without_nul(std::move(outcome.result));
        outcome.enqueue = without_nul(std::move(outcome.enqueue));
        return outcome;
    }
    outcome.error_class = clean_text(cut(outcome.error_class, class_bytes));
    outcome.error_message = clean_text(cut(outcome.error_message, error_bytes));
    return outcome;
}

void InProcess::say(Word word) {
    {
        const std::lock_guard lock(inbox_mutex_);
        inbox_.push_back(std::move(word));
        if (std::exchange(knocked_, true)) return;
    }
    knock_.knock();
}

// --- what was said ---------------------------------------------------------------------------------------------------

void InProcess::hear() {
    std::vector<Word> words;
    {
        const std::lock_guard lock(inbox_mutex_);
        words.swap(inbox_);
        knocked_ = false;
    }
    for (const Word& word : words) {
        InProcessRun& run = *word.run;
        switch (word.kind) {
            case Word::Kind::line:
                if (!run.given_up_) run.listener_.on_line(run.spec_.id, {word.level, word.text});
                break;
            case Word::Kind::progress: {
                std::unique_lock lock(inbox_mutex_);
                run.progress_told_ = false;
                Progress latest = run.progress_;
                lock.unlock();
                if (!run.given_up_) run.listener_.on_progress(run.spec_.id, std::move(latest));
                break;
            }
            case Word::Kind::heartbeat: {
                const std::lock_guard lock(inbox_mutex_);
                run.beat_told_ = false;
                run.beats_within_ = run.beat_within_;
                run.beats_until_ = run.beat_within_ > Millis{0} ? after(run.beat_at_, run.beat_within_) : Time::max();
                look_at(run.beats_until_);
                break;
            }
            case Word::Kind::done:
                finish(run);
                break;
        }
    }
}

void InProcess::finish(InProcessRun& run) {
    const Uuid id = run.spec_.id;
    const auto node = runs_.extract(id);  // before the listener, who may start the same run again
    if (runs_.empty() && refusals_.empty()) {
        timer_.stop();
        looks_at_ = Time::max();
    }
    if (!run.given_up_) {
        if (const std::string rest = run.rest_of_log(); !rest.empty())
            run.listener_.on_line(id, {Level::warning, rest});
        return run.listener_.on_done(id, judge(run));
    }
    --given_up_;
    if (on_return_) on_return_(id, run.spec_.task);
}

Outcome InProcess::judge(InProcessRun& run) const {
    using Cause = InProcessRun::Cause;
    const bool returned = !runs_.contains(run.spec_.id);
    Outcome outcome;
    switch (run.cause_) {
        case Cause::nothing:
            return std::move(run.outcome_);
        case Cause::timeout:
            outcome = failure("timeout", "timed out after " + config::duration_text(run.spec_.timeout));
            outcome.kind = Outcome::timed_out;
            return outcome;
        case Cause::heartbeat:
            outcome = failure("timeout", "timed out: no heartbeat within " + config::duration_text(run.beats_within_));
            outcome.kind = Outcome::timed_out;
            return outcome;
        case Cause::stop:
            if (returned && run.outcome_.kind == Outcome::completed) return std::move(run.outcome_);
            outcome = failure("stopped", stopped_text(run.reason_));
            outcome.kind = Outcome::stopped;
            return outcome;
    }
    return outcome;
}

// --- one task's view -------------------------------------------------------------------------------------------------

InProcessHandler::InProcessHandler(loop::Loop& loop, std::string task, InProcess* in_process, const Function* function)
    : task_(std::move(task)),
      in_process_(in_process),
      function_(function),
      refusal_timer_(loop, "in_process.refusal") {}

std::string InProcessHandler::check() const {
    if (function_ != nullptr) return {};
    const std::string what = "task " + task_ + R"(: handler = "in_process" is a function of a program )";
    return in_process_ == nullptr ? what +
                                        "that links libdormouse; start that program as this pool's worker "
                                        "(docs/embedding.md), or give the task a command"
                                  : what + "that registers it, and this one does not; add worker.task(\"" + task_ +
                                        "\", …), or remove the table";
}

void InProcessHandler::start(RunSpec spec, RunListener& listener) {
    if (function_ != nullptr) return in_process_->start(*function_, std::move(spec), listener);
    refused_.emplace_back(spec.id, &listener);
    refusal_timer_.once(Millis{0}, [this] {
        for (const auto& [id, who] : std::exchange(refused_, {})) who->on_done(id, spawn_failure(check()));
    });
}

void InProcessHandler::stop(const Uuid& id, StopReason reason, Millis patience) {
    if (in_process_ != nullptr) in_process_->stop(id, reason, patience);
}

}  // namespace dormouse::handlers
