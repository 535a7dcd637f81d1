#include "worker/fronts.h"

#include <algorithm>
#include <tuple>

namespace dormouse::worker {

std::vector<store::Front> Fronts::next(Time now) const {
    std::vector<store::Front> fronts;
    if (!slow() || lines_.size() > most_lines || now - last_whole_ >= pause_) return fronts;
    for (const Line& line : lines_) fronts.push_back(line.marks.front().place);
    return fronts;
}

void Fronts::sent(const std::vector<store::Front>& fronts) {
    owed_ = owed_ || !fronts.empty();
}

void Fronts::answered(const std::vector<store::Front>& fronts, std::size_t queues, const store::Answer& answer,
                      Time now) {
    if (fronts.empty()) {
        owed_ = false;
        last_whole_ = now;
        if (answer.finding_took) {
            const auto expected = brief + brief_for_each_run * static_cast<long>(answer.claimed.size()) +
                                  brief_for_each_queue * static_cast<long>(queues);
            slow_ = *answer.finding_took > expected ? slow_ + 1 : 0;
            pause_ =
                std::clamp(std::chrono::ceil<Millis>(*answer.finding_took * times_as_long), Millis{soonest}, latest);
        }
    }
    if (slow_ == 0) {
        lines_.clear();
    } else {
        note(answer.reached, now);
    }
}

void Fronts::note(const std::vector<store::Reached>& reached, Time now) {
    const auto key = [](const auto& line) { return std::tie(line.queue, line.priority); };
    for (const store::Reached& one : reached) {
        auto line = std::lower_bound(lines_.begin(), lines_.end(), one.last,
                                     [&](const Line& a, const store::Front& b) { return key(a) < key(b); });
        if (line == lines_.end() || key(*line) != key(one.last)) {
            if (lines_.size() > most_lines) continue;
            line = lines_.insert(line, Line{one.last.queue, one.last.priority, {}});
        }
        const auto place = [](const store::Front& front) { return std::tie(front.run_at, front.id); };
        const bool first = line->marks.empty();
        // A claim may bring what came late, from before the others.
        const store::Front& farthest =
            first || place(line->marks.back().place) < place(one.last) ? one.last : line->marks.back().place;
        line->marks.push_back({now, farthest, (first ? 0 : line->marks.back().runs) + one.runs});
    }
    for (Line& line : lines_) {
        const auto is_behind = [&](const Mark& mark) {
            return now - mark.at >= behind || line.marks.back().runs - mark.runs >= runs_behind;
        };
        while (line.marks.size() > 1 && is_behind(line.marks[1])) line.marks.pop_front();
    }
}

std::optional<Millis> Fronts::wait(Time now) const {
    if (!owed_) return std::nullopt;
    return std::max(Millis{0}, std::chrono::ceil<Millis>(last_whole_ + pause_ - now));
}

void Fronts::forget() {
    lines_.clear();
    slow_ = 0;
    owed_ = false;
}

}  // namespace dormouse::worker
