#include "worker/measures.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/log.h"
#include "config/duration.h"

namespace dormouse::worker {
namespace {

using metrics::Metric;

Metric metric_of(store::Ending::Kind kind) {
    switch (kind) {
        case store::Ending::completed:
            return Metric::runs_completed;
        case store::Ending::failed:
            return Metric::runs_failed;
        case store::Ending::canceled:
            return Metric::runs_canceled;
        case store::Ending::retry:
            return Metric::runs_retried;
        case store::Ending::put_off:
            return Metric::runs_put_off;
        case store::Ending::not_started:
        case store::Ending::handed_back:
        case store::Ending::cut_off:
            return Metric::runs_handed_back;
    }
    return Metric::runs_failed;
}

constexpr Millis between_scrapes{15'000};
constexpr Millis between_judgements{60'000};
/// Of one queue, as backlog.sql does.
std::int64_t most_counted(std::size_t queues) {
    return std::clamp<std::int64_t>(50'000 / static_cast<std::int64_t>(std::max<std::size_t>(queues, 1)), 100, 10'000);
}

/// Often enough for what is to be told after `age`, however short that is.
Millis between(bool measured, Millis age) {
    const Millis judged = std::clamp(age / 5, Millis{1'000}, between_judgements);
    if (age == Millis{0}) return between_scrapes;
    return measured ? std::min(between_scrapes, judged) : judged;
}

std::string runs_due(std::int64_t due, std::int64_t most) {
    if (due >= most) return (most == 10'000 ? "10,000" : std::to_string(most)) + std::string(" or more runs are due");
    return std::to_string(due) + (due == 1 ? " run is due" : " runs are due");
}

std::string for_long(Millis time) {
    using namespace std::chrono;
    return config::duration_text(time < 10min ? Millis(floor<seconds>(time))
                                 : time < 10h ? Millis(floor<minutes>(time))
                                              : Millis(floor<hours>(time)));
}

double unix_now() {
    return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

Measures::Measures(metrics::Tally* tally, const config::Config& config)
    : tally_(tally),
      age_(config.alerts.any() ? config.alerts.backlog_age : Millis{0}),
      repeat_(config.alerts.repeat),
      between_questions_(between(tally != nullptr, age_)) {
    if (!asks()) return;
    for (const auto& [name, task] : config.tasks) tasks_.push_back(name);
    if (tally_ != nullptr) tally_->expect(config.worker.concurrency, tasks_);
}

void Measures::ended(const Parcel& parcel) {
    if (tally_ == nullptr) return;
    tally_->add(metric_of(parcel.ending.kind), 1, parcel.task);
    if (parcel.took) tally_->observe(Metric::run_duration, *parcel.took, parcel.task);
}

void Measures::refused(const Parcel& parcel) {
    if (tally_ != nullptr) tally_->add(Metric::results_refused, 1, parcel.task);
}

void Measures::looked(const std::vector<store::ClaimedRun>& runs) {
    if (tally_ == nullptr) return;
    tally_->add(runs.empty() ? Metric::empty_looks : Metric::claims);
    for (const store::ClaimedRun& run : runs) tally_->observe(Metric::run_wait, run.waited, run.task);
}

void Measures::runs_lost(std::int64_t runs) {
    if (tally_ != nullptr) tally_->add(Metric::runs_lost, static_cast<double>(runs));
}

void Measures::rung() {
    if (tally_ != nullptr) tally_->add(Metric::rings);
}

void Measures::scaled(int pool_size) {
    if (tally_ != nullptr) tally_->set(Metric::pool_size, pool_size);
}

void Measures::sampled(Time now, std::optional<std::size_t> busy, const store::Wire& first, const store::Wire& second) {
    if (busy.value_or(1) > 0) {
        well_asked_ = idle_judged_ = false;
    } else if (!idle_judged_) {
        well_asked_ = std::any_of(told_.begin(), told_.end(), [](const auto& one) { return one.second.has_value(); });
    }
    if (tally_ == nullptr) return;
    if (busy) tally_->set(Metric::slots_busy, static_cast<double>(*busy));
    tally_->sessions(sessions_, now, {first.is_open(), second.is_open()},
                     {first.statements_sent(), second.statements_sent()});
}

void Measures::ask(store::Round& round) const {
    if (taken_) round.backlog = tasks_;
}

void Measures::take_backlog(const std::vector<store::Backlog>& backlog) {
    well_asked_ = false;
    idle_judged_ = true;
    for (const store::Backlog& queue : backlog) {
        if (age_ > Millis{0}) judge(queue, most_counted(backlog.size()));
        if (tally_ == nullptr) continue;
        tally_->set(Metric::runs_queued, static_cast<double>(queue.due), queue.queue);
        tally_->set(Metric::oldest_due_age, std::chrono::duration<double>(queue.oldest).count(), queue.queue);
    }
    if (tally_ != nullptr && !backlog.empty()) tally_->set(Metric::backlog_time, unix_now());
}

/// Alerts hear of these events. One that is well at the first answer may have been told by the worker before.
void Measures::judge(const store::Backlog& queue, std::int64_t most) {
    const auto [known, is_first] = told_.try_emplace(queue.queue);
    std::optional<Time>& told = known->second;
    const Time now = BootClock::now();
    if (queue.oldest < age_) {
        if (told || is_first)
            log::event(told ? log::Level::info : log::Level::debug, "backlog_over",
                       "queue " + queue.queue + ": no run is due for that long any more", {{"queue", queue.queue}});
        told.reset();
    } else if (!told || now - *told >= repeat_) {
        log::event(
            told ? log::Level::debug : log::Level::warning, "backlog",
            "queue " + queue.queue + ": " + runs_due(queue.due, most) + ", the first one for " + for_long(queue.oldest),
            {{"queue", queue.queue}});
        told = now;
    }
}

/// Not with the first look: whoever rang waits for a handler.
bool Measures::fill(store::Round& round, const Moment& moment) {
    if (!asks() || tasks_.empty() || moment.first_look || moment.leaving || moment.now < not_before_) return false;
    if (store::parts_of(round).none() && !well_asked_) return false;
    round.backlog = tasks_;
    on_wire_ = true;
    not_before_ = moment.now + between_questions_;
    return true;
}

std::optional<Millis> Measures::wait(const Moment& moment) const {
    if (!well_asked_ || on_wire_ || moment.first_look || moment.leaving) return std::nullopt;
    return std::max(Millis{0}, std::chrono::ceil<Millis>(not_before_ - moment.now));
}

void Measures::answered(store::Answer& answer, Time) {
    taken_ = true;
    if (std::exchange(on_wire_, false)) take_backlog(answer.backlog);
}

/// The others go on; this one is not asked for a while.
Next Measures::refused(const store::Refused& refused) {
    if (refused.part == store::Part::backlog) {
        log::event(log::Level::warning, "metrics",
                   "the query of the backlog failed, metrics and alerts continue without it: " + refused.message);
        not_before_ = BootClock::now() + pause_after_refusal;
    }
    on_wire_ = taken_ = well_asked_ = false;
    return Next::again;
}

}  // namespace dormouse::worker
