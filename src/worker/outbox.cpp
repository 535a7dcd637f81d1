#include "worker/outbox.h"

#include <algorithm>
#include <iterator>
#include <unordered_set>
#include <utility>

#include "base/crash_point.h"

namespace dormouse::worker {
namespace {

using Ids = std::unordered_set<Uuid>;

constexpr const char* rejected_class = "result_rejected";

std::size_t size_of(const Parcel& parcel) {
    return parcel.ending.result.size() + parcel.ending.enqueue.size() + parcel.ending.error_message.size() +
           parcel.said;
}

template <typename From, typename To>
void move_to_front(From& from, To& to) {
    to.insert(to.begin(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
    from.clear();
}

}  // namespace

// A run that comes again was claimed again: what an earlier attempt left here unwritten shows a fence that is gone.
void Outbox::add(Parcel parcel) {
    for (auto* parcels : {&doubtful_, &locked_})
        std::erase_if(*parcels, [&](const Parcel& old) {
            const bool same = old.ending.held.id == parcel.ending.held.id;
            if (same) events_.on_refused(old);
            return same;
        });
    waiting_.push_back(std::move(parcel));
    crash_point("ending.waiting");
}

void Outbox::fill(store::Round& round, Time now) {
    if (!locked_.empty() && now >= locked_until_) move_to_front(locked_, waiting_);
    std::size_t bytes = 0;
    while (!waiting_.empty() && sent_.size() < limit_ && bytes < most_bytes_in_a_round) {
        bytes += size_of(waiting_.front());
        sent_.push_back(std::move(waiting_.front()));
        waiting_.pop_front();
    }
    for (const Parcel& parcel : sent_) round.endings.push_back(parcel.ending);
    asked_ = std::exchange(doubtful_, {});
    for (const Parcel& parcel : asked_) round.ask_held.push_back(parcel.ending.held);
}

void Outbox::answered(const store::Answer& answer, Time now) {
    const Ids ended(answer.ended.begin(), answer.ended.end());
    for (Parcel& parcel : sent_) {
        if (ended.contains(parcel.ending.held.id)) {
            events_.on_written(parcel);
        } else {
            doubtful_.push_back(std::move(parcel));
        }
    }
    sent_.clear();
    const Ids held(answer.still_held.begin(), answer.still_held.end());
    bool any_locked = false;
    for (Parcel& parcel : asked_) {
        if (held.contains(parcel.ending.held.id)) {
            locked_.push_back(std::move(parcel));
            locked_until_ = now + lock_pause_;
            any_locked = true;
        } else {
            events_.on_refused(parcel);
        }
    }
    if (any_locked) {
        lock_pause_ = std::min(lock_pause_ * 2, longest_lock_pause);
    } else if (locked_.empty() && doubtful_.empty()) {
        lock_pause_ = first_lock_pause;
    }
    asked_.clear();
    limit_ = std::min(limit_ * 2, most_in_a_round);
    alone_ = alone_ && limit_ < most_in_a_round;
}

void Outbox::rejected(const std::string& why, bool were_alone) {
    alone_ = true;
    if (!were_alone) {
        limit_ = std::max<std::size_t>(sent_.size(), 1);  // without what has come since, and may bring more along
        return again();
    }
    if (sent_.size() == 1) {
        Parcel& parcel = sent_.front();
        if (parcel.ending.error_class == rejected_class) {  // not even the bare failure: the lease will end it
            events_.on_refused(parcel);
            sent_.clear();
        } else {
            parcel.ending.fate = store::Fate::failed;
            parcel.ending.result.clear();
            parcel.ending.enqueue.clear();
            parcel.ending.error_class = rejected_class;
            parcel.ending.error_message = "the database does not take what the handler returned: " + why;
        }
    }
    limit_ = std::max<std::size_t>(sent_.size() / 2, 1);
    again();
}

void Outbox::again() {
    move_to_front(sent_, waiting_);
    move_to_front(asked_, doubtful_);
}

bool Outbox::has_something_for(Time now) const {
    return !waiting_.empty() || !doubtful_.empty() || (!locked_.empty() && now >= locked_until_);
}

std::optional<Millis> Outbox::wait(Time now) const {
    if (locked_.empty()) return std::nullopt;
    return std::max(Millis{0}, std::chrono::ceil<Millis>(locked_until_ - now));
}

void Outbox::add_held(std::vector<store::Held>& into) const {
    const auto add = [&](const auto& parcels) {
        for (const Parcel& parcel : parcels) into.push_back(parcel.ending.held);
    };
    add(waiting_);
    add(sent_);
    add(doubtful_);
    add(asked_);
    add(locked_);
}

}  // namespace dormouse::worker
