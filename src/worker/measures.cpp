#include "worker/measures.h"

#include <chrono>
#include <utility>

#include "base/log.h"

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

double unix_now() {
    return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

Measures::Measures(metrics::Tally* tally, const config::Config& config) : tally_(tally) {
    if (tally_ == nullptr) return;
    for (const auto& [name, task] : config.tasks) tasks_.push_back(name);
    tally_->expect(config.worker.concurrency, tasks_);
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

void Measures::lost(std::int64_t runs) {
    if (tally_ != nullptr) tally_->add(Metric::runs_lost, static_cast<double>(runs));
}

void Measures::rung() {
    if (tally_ != nullptr) tally_->add(Metric::rings);
}

void Measures::sampled(Time now, std::size_t busy, const store::Wire& first, const store::Wire& second) {
    if (tally_ == nullptr) return;
    tally_->set(Metric::slots_busy, static_cast<double>(busy));
    tally_->sessions(now, {first.is_open(), second.is_open()}, {first.statements_sent(), second.statements_sent()});
}

void Measures::ask(store::Round& round) const {
    if (taken_) round.backlog = tasks_;
}

void Measures::take_backlog(const std::vector<store::Backlog>& backlog) {
    if (tally_ == nullptr || backlog.empty()) return;
    for (const store::Backlog& queue : backlog) {
        tally_->set(Metric::runs_queued, static_cast<double>(queue.due), queue.queue);
        tally_->set(Metric::oldest_due_age, std::chrono::duration<double>(queue.oldest).count(), queue.queue);
    }
    tally_->set(Metric::backlog_time, unix_now());
}

/// Not with the first look: whoever rang waits for a handler.
bool Measures::fill(store::Round& round, const Moment& moment) {
    if (tally_ == nullptr || tasks_.empty() || moment.first_look || moment.leaving || moment.now < not_before_)
        return false;
    if (store::parts_of(round).none()) return false;
    round.backlog = tasks_;
    on_wire_ = true;
    not_before_ = moment.now + between_questions;
    return true;
}

void Measures::answered(store::Answer& answer, Time) {
    taken_ = true;
    if (std::exchange(on_wire_, false)) take_backlog(answer.backlog);
}

/// The others go on; this one is not asked for a while.
Next Measures::refused(const store::Refused& refused) {
    if (refused.part == store::Part::backlog) {
        log::event(log::Level::warning, "metrics",
                   "the backlog cannot be asked for, the metrics go on without it: " + refused.message);
        not_before_ = BootClock::now() + pause_after_refusal;
    }
    on_wire_ = taken_ = false;
    return Next::again;
}

}  // namespace dormouse::worker
