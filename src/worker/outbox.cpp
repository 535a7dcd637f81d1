#include "worker/outbox.h"

#include <algorithm>
#include <iterator>
#include <unordered_set>
#include <utility>

#include "base/backoff.h"
#include "base/crash_point.h"
#include "rounds/refusal.h"

namespace dormouse::worker {
namespace {

using Ids = std::unordered_set<Uuid>;

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
    const auto same = [&](const Parcel& old) { return old.ending.held.id == parcel.ending.held.id; };
    for (const Parcel& old : doubtful_)
        if (same(old)) events_.on_refused(old);
    for (const Later& old : later_)
        if (same(old.parcel)) events_.on_refused(old.parcel);
    std::erase_if(doubtful_, same);
    std::erase_if(later_, [&](const Later& old) { return same(old.parcel); });
    waiting_.push_back(std::move(parcel));
    crash_point("ending.waiting");
}

void Outbox::take_due(Time now) {
    const auto due =
        std::stable_partition(later_.begin(), later_.end(), [&](const Later& one) { return one.until > now; });
    for (auto one = due; one != later_.end(); ++one) {
        if (one->parcel.kept > 0) bisection_.again(one->parcel.ending.held.id);
        careful_ = true;  // its row may still be locked
        waiting_.push_front(std::move(one->parcel));
    }
    later_.erase(due, later_.end());
}

/// What the search wants to be sent next; of a run that came again meanwhile there is nothing left here.
void Outbox::take_group(const Hold& hold) {
    while (bisection_.active() && !bisection_.next().empty()) {
        const Ids group(bisection_.next().begin(), bisection_.next().end());
        const auto chosen = std::stable_partition(waiting_.begin(), waiting_.end(), [&](const Parcel& parcel) {
            return !group.contains(parcel.ending.held.id);
        });
        sent_.assign(std::make_move_iterator(chosen), std::make_move_iterator(waiting_.end()));
        waiting_.erase(chosen, waiting_.end());
        std::erase_if(sent_, [&](Parcel& parcel) { return held_back(parcel, hold); });
        if (!sent_.empty()) return;
        bisection_.passed();
    }
}

bool Outbox::held_back(Parcel& parcel, const Hold& hold) {
    const auto until = hold ? hold(parcel) : std::nullopt;
    if (until) put_off(std::move(parcel), *until);
    return until.has_value();
}

bool Outbox::fill(store::Round& round, Time now, const Hold& hold) {
    take_due(now);
    take_group(hold);
    const bool searching = bisection_.active();
    std::size_t bytes = 0;
    while (!searching && !waiting_.empty() && sent_.size() < most_in_a_round && bytes < portion_.most()) {
        Parcel parcel = std::move(waiting_.front());
        waiting_.pop_front();
        if (held_back(parcel, hold)) continue;
        bytes += size_of(parcel);
        sent_.push_back(std::move(parcel));
    }
    if (searching || !sent_.empty()) round.endings.emplace();
    round.careful = careful_ || searching;
    if ((searching || hurried_) && !sent_.empty()) round.patience = patience_of_a_search;
    for (const Parcel& parcel : sent_) round.endings->push_back(parcel.ending);
    if (!searching) asked_ = std::exchange(doubtful_, {});
    for (const Parcel& parcel : asked_) round.ask_held.push_back(parcel.ending.held);
    return round.endings.has_value() || !asked_.empty();
}

void Outbox::lost() {
    std::size_t bytes = 0;
    for (const Parcel& parcel : sent_) bytes += size_of(parcel);
    if (!sent_.empty()) portion_.lost(bytes);
}

void Outbox::last_try() {
    for (Later& one : later_) one.until = {};
}

void Outbox::each_kept(const std::function<void(const Parcel&)>& tell) const {
    for (const Later& one : later_) tell(one.parcel);
}

void Outbox::put_off(Parcel parcel, Time until) {
    later_.push_back({std::move(parcel), until});
}

/// After a minute, and then less and less often.
void Outbox::tell_if_held_for_long(Parcel& parcel, Time now) {
    constexpr Millis first_pause{60'000};
    constexpr Millis longest_pause{3'600'000};
    if (!parcel.tell_at) parcel.tell_at = now + first_pause;
    if (now < *parcel.tell_at) return;
    const Millis pause = std::min(longest_pause, first_pause * (1 << std::min(++parcel.told, 6)));
    parcel.tell_at = now + pause;
    events_.on_held_up(parcel);
}

/// Somebody's trigger undoes the write and says nothing; or a lock that was gone when it was asked for.
void Outbox::wait_for_repair(Parcel parcel, const std::string& remedy, Time now) {
    constexpr Millis first_pause{1'000};
    constexpr Millis longest_pause{300'000};
    constexpr int tries_at_once = 3;
    ++parcel.passed_over;
    if (parcel.passed_over <= tries_at_once) return put_off(std::move(parcel), now + lock_pause_);
    const Millis pause = half_jitter(first_pause, longest_pause, parcel.passed_over - tries_at_once);
    ++parcel.kept;  // so that it goes alone, and who leaves does not wait for it
    events_.on_passed_over(parcel, remedy, pause);
    put_off(std::move(parcel), now + pause);
}

void Outbox::answered(const store::Answer& answer, Time now) {
    if (bisection_.active()) bisection_.passed();
    if (!sent_.empty()) careful_ = hurried_ = false, portion_.answered();
    const Ids ended(answer.ended.begin(), answer.ended.end());
    for (Parcel& parcel : std::exchange(sent_, {})) {
        if (ended.contains(parcel.ending.held.id)) {
            events_.on_written(parcel);
        } else {
            doubtful_.push_back(std::move(parcel));
        }
    }
    const Ids held(answer.still_held.begin(), answer.still_held.end());
    bool any_locked = false;
    for (Parcel& parcel : std::exchange(asked_, {})) {
        if (held.contains(parcel.ending.held.id) && !answer.passed_over_by.empty()) {
            wait_for_repair(std::move(parcel), answer.passed_over_by, now);
            any_locked = true;
        } else if (held.contains(parcel.ending.held.id)) {
            tell_if_held_for_long(parcel, now);
            put_off(std::move(parcel), now + lock_pause_);
            any_locked = true;
        } else {
            events_.on_refused(parcel);
        }
    }
    if (any_locked) {
        lock_pause_ = std::min(lock_pause_ * 2, longest_lock_pause);
    } else if (later_.empty() && doubtful_.empty()) {
        lock_pause_ = first_lock_pause;
    }
}

Next Outbox::refused(const store::Refused& refused, Time now) {
    using Found = Bisection<Uuid>::Found;
    if (!bisection_.active()) {
        std::vector<Uuid> ids;
        for (const Parcel& parcel : sent_) ids.push_back(parcel.ending.held.id);
        again();
        bisection_.suspect(std::move(ids));
        return Next::again;
    }
    const Found found = bisection_.refused();
    if (found == Found::one && !sent_.empty()) resort(sent_.front(), refused, now);
    again();
    return found == Found::everyone && !wait_for_others(refused, now) ? Next::everyone : Next::again;
}

/// Somebody has locked a table that only some endings write: these wait for it, and the others go.
bool Outbox::wait_for_others(const store::Refused& refused, Time now) {
    if (refused.kind != ErrorKind::conflict) return false;
    const auto writes_it = [&](const Parcel& parcel) {
        return (refused.part == store::Part::put_back && !ends_run(parcel.ending.kind)) ||
               (refused.part == store::Part::enqueue && !parcel.ending.enqueue.empty());
    };
    bool any = false;
    for (std::size_t left = waiting_.size(); left > 0; --left) {
        Parcel parcel = std::move(waiting_.front());
        waiting_.pop_front();
        if (writes_it(parcel)) {
            any = true;
            const int times = parcel.kept++;
            put_off(std::move(parcel), now + half_jitter(longest_lock_pause, longest_wait_for_a_lock, times));
        } else {
            waiting_.push_back(std::move(parcel));
        }
    }
    return any;
}

/// The database does not take this one as it is.
void Outbox::resort(Parcel& parcel, const store::Refused& refused, Time now) {
    constexpr Millis first_pause{60'000};
    constexpr Millis longest_pause{3'600'000};
    using Resort = Parcel::Resort;
    store::Ending& ending = parcel.ending;
    constexpr int conflicts_of_nobody = 3;  // alone, a row that is not locked has none
    if (refused.kind == ErrorKind::conflict &&
        (refused.sqlstate == "55P03" ||
         parcel.kept < conflicts_of_nobody)) {  // a lock of somebody's, for long: alone from now on, it holds up nobody
        put_off(std::move(sent_.front()), now + half_jitter(longest_lock_pause, first_pause, parcel.kept++));
        sent_.clear();
        return;
    }
    if (refused.kind == ErrorKind::denied && !refused.of_a_function) {  // a right of ours is missing: not this run's
        const Millis pause = half_jitter(longest_lock_pause, first_pause, parcel.kept++);
        events_.on_kept(parcel, refused.message, pause);
        put_off(std::move(sent_.front()), now + pause);
        sent_.clear();
        return;
    }
    const bool has_values = !ending.result.empty() || !ending.error_class.empty();
    const std::string name = refusal_class(refused, has_values ? "result_rejected" : nullptr);
    if (parcel.resort == Resort::as_it_is) {
        parcel.resort = Resort::bare_failure;
        ending.error_message = "the database does not take how the run ended (" + std::string(to_string(ending.kind)) +
                               "): " + refused.message;
        if (ends_run(ending.kind)) ending.kind = store::Ending::failed;
        ending.result.clear();
        ending.enqueue.clear();
        ending.error_class = name;
    } else if (parcel.resort == Resort::bare_failure) {
        parcel.resort = Resort::other_way;
        const bool ends = ends_run(ending.kind);
        ending.kind = ends ? store::Ending::retry : store::Ending::failed;
        ending.counts = true;
        ending.delay = ends ? std::optional(half_jitter(first_pause, longest_pause, parcel.attempt - 1)) : std::nullopt;
    } else {
        parcel.resort = Resort::kept;
        const Millis pause = half_jitter(first_pause / 2, longest_pause / 12, parcel.kept++);
        events_.on_kept(parcel, refused.message, pause);
        put_off(std::move(sent_.front()), now + pause);
        sent_.clear();
        return;
    }
    bisection_.again(ending.held.id);
}

void Outbox::again() {
    move_to_front(sent_, waiting_);
    move_to_front(asked_, doubtful_);
}

/// Who leaves does not wait for a repair, and for a lock of somebody's as long as three tries take.
bool Outbox::may_be_left(const Parcel& parcel) {
    constexpr int tries = 3;
    return parcel.resort == Parcel::Resort::kept || parcel.passed_over > tries || parcel.kept >= tries;
}

bool Outbox::settled() const {
    return waiting_.empty() && sent_.empty() && doubtful_.empty() && asked_.empty() && !bisection_.active() &&
           std::all_of(later_.begin(), later_.end(), [](const Later& one) { return may_be_left(one.parcel); });
}

std::optional<Millis> Outbox::wait(Time now) const {
    if (!waiting_.empty() || !doubtful_.empty() || bisection_.active()) return Millis{0};
    std::optional<Millis> wait;
    for (const Later& one : later_) {
        const Millis until = std::max(Millis{0}, std::chrono::ceil<Millis>(one.until - now));
        if (!wait || until < *wait) wait = until;
    }
    return wait;
}

void Outbox::add_held(std::vector<store::Held>& into) const {
    const auto add = [&](const auto& parcels) {
        for (const Parcel& parcel : parcels) into.push_back(parcel.ending.held);
    };
    add(waiting_);
    add(sent_);
    add(doubtful_);
    add(asked_);
    for (const Later& one : later_) into.push_back(one.parcel.ending.held);
}

}  // namespace dormouse::worker
