#include "worker/shelf.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

namespace dormouse::worker {

void Shelf::put(std::vector<store::ClaimedRun> runs, Time claimed_at, Time now) {
    using Seconds = std::chrono::duration<double>;
    const Seconds passed = std::max<Seconds>(now - last_answer_, Millis{1});
    const int in_horizon = static_cast<int>(started_ * (Seconds(horizon) / passed));
    const int taken_next = waiting_.empty() ? std::max(started_, static_cast<int>(runs.size())) : started_;
    in_hand_ = std::min({3 * taken_next, in_horizon, most_in_hand});
    started_ = 0;
    last_answer_ = now;
    for (store::ClaimedRun& run : runs) waiting_.push_back({std::move(run), claimed_at, now});
}

std::optional<Shelf::Waiting> Shelf::take() {
    if (waiting_.empty()) return std::nullopt;
    Waiting first = std::move(waiting_.front());
    waiting_.pop_front();
    ++started_;
    return first;
}

int Shelf::ahead(int slots) const {
    return std::max(0, in_hand_ - slots);
}

std::vector<store::ClaimedRun> Shelf::overdue(Time now) {
    if (wait(now).value_or(Millis{1}) > Millis{0}) return {};
    fetch_no_more();
    return take_all();
}

std::vector<store::ClaimedRun> Shelf::take_all() {
    std::vector<store::ClaimedRun> runs;
    for (Waiting& one : std::exchange(waiting_, {})) runs.push_back(std::move(one.run));
    return runs;
}

std::optional<Millis> Shelf::wait(Time now) const {
    if (waiting_.empty()) return std::nullopt;
    return std::max(Millis{0}, std::chrono::ceil<Millis>(waiting_.front().since + longest_wait - now));
}

void Shelf::keep_only(const std::vector<store::Held>& asked, const std::vector<Uuid>& still_held) {
    if (waiting_.empty()) return;
    const std::unordered_set<Uuid> held(still_held.begin(), still_held.end());
    std::unordered_set<std::int64_t> lost;
    for (const store::Held& run : asked)
        if (!held.contains(run.id)) lost.insert(run.fence);
    std::erase_if(waiting_, [&](const Waiting& one) { return lost.contains(one.run.held.fence); });
}

int Shelf::count(const std::string& task) const {
    return static_cast<int>(
        std::count_if(waiting_.begin(), waiting_.end(), [&](const Waiting& one) { return one.run.task == task; }));
}

void Shelf::add_held(std::vector<store::Held>& into) const {
    for (const Waiting& one : waiting_) into.push_back(one.run.held);
}

}  // namespace dormouse::worker
