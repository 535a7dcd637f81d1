#include "worker/claims.h"

#include <algorithm>
#include <utility>

#include "base/backoff.h"
#include "base/log.h"
#include "worker/failure_hook.h"
#include "worker/retry_policy.h"

namespace dormouse::worker {
namespace {

/// At most so many bytes of payloads, as text, are fetched ahead: a claim beyond the slots leaves out what exceeds it.
constexpr std::int64_t ahead_bytes = 64 << 20;
constexpr Millis pause_after_refused_due{30'000};

/// The claim has brought a task to its own limit, and left out what was beyond: there may be others behind that.
bool fills_a_task(const store::Claim& asked, const std::vector<store::ClaimedRun>& claimed) {
    return std::any_of(asked.rooms.begin(), asked.rooms.end(), [&](const store::Room& room) {
        return room.slots < asked.most && room.slots == std::count_if(
                                                            claimed.begin(), claimed.end(),
                                                            [&](const auto& run) { return run.task == room.task; });
    });
}

/// Fetched ahead their payloads would be too much for this process: they go back, to be claimed when slots are free.
std::vector<store::ClaimedRun> without_payload(std::vector<store::ClaimedRun>& claimed) {
    const auto large =
        std::stable_partition(claimed.begin(), claimed.end(), [](const auto& run) { return run.payload.has_value(); });
    std::vector<store::ClaimedRun> left_behind(std::make_move_iterator(large), std::make_move_iterator(claimed.end()));
    claimed.erase(large, claimed.end());
    return left_behind;
}

}  // namespace

Claims::Claims(const config::Config& config, const Errand& errand, const Scale& scale, Flights& flights,
               Reports& reports, Events events)
    : config_(config),
      errand_(errand),
      scale_(scale),
      flights_(flights),
      reports_(reports),
      events_(std::move(events)),
      search_([this](const store::ClaimedRun& run, const std::string& error_class, const std::string& message) {
          store::Ending ending = refuse(run.held, error_class, message);
          if (const auto task = config_.tasks.find(run.task); task != config_.tasks.end())
              add_failure_hook(ending, task->second, run.queue, run.attempts);
          reports_.outbox().add(Parcel{std::move(ending), run.task, run.attempts + 1});
      }) {
    const bool capped = std::any_of(config.tasks.begin(), config.tasks.end(),
                                    [](const auto& task) { return task.second.concurrency > 0; });
    if (!capped) all_tasks_ = flights.rooms();
}

int Claims::free_slots() const {
    if (flights_.exclusive()) return 0;
    return std::max(0, scale_.at_once() - static_cast<int>(flights_.count() + flights_.taken()));
}

int Claims::slots_of_errand(int free) const {
    if (errand_.run) return flights_.empty() && shelf_.empty() ? std::min(free, 1) : 0;
    if (errand_.max_runs > 0) return std::clamp(errand_.max_runs - attempts_made_, 0, free);
    return free;
}

int Claims::wanted() const {
    if (flights_.exclusive() || !flights_.any_room()) return 0;
    const int slots = scale_.at_once() - static_cast<int>(flights_.count() + flights_.taken());
    const bool for_all = !errand_.run && errand_.max_runs == 0;
    const int ahead = for_all ? shelf_.ahead(scale_.at_once()) : 0;
    // Runs are not claimed faster than they are completed: what waits to be written needs its lease, and room here.
    const int behind = static_cast<int>(reports_.outbox().waiting()) - Shelf::most_in_hand;
    return slots_of_errand(std::max(0, slots + ahead - shelf_.count() - std::max(0, behind)));
}

void Claims::fill_slots(int most) {
    for (int i = 0; i < most && free_slots() > 0 && !shelf_.empty(); ++i) {
        auto next = shelf_.take();
        if (auto parcel = flights_.start(std::move(next->run), next->claimed_at))
            reports_.outbox().add(std::move(*parcel));
    }
}

void Claims::give_back_all() {
    for (const store::ClaimedRun& run : shelf_.take_all()) reports_.give_back(run);
}

void Claims::put_back_in(Millis delay) {
    put_back_ = true;
    const auto at = BootClock::now() + delay;
    if (!due_.at || at < *due_.at) due_.at = at;
}

void Claims::take_due(std::optional<Millis> due_in) {
    constexpr Millis longest_wait{std::chrono::hours{24 * 365}};  // a time that is years away must not overflow
    due_.known = !std::exchange(put_back_, false);                // else the answer may be from before that
    if (due_.known) due_.at.reset();
    if (!due_in) return;
    const Time at = BootClock::now() + std::min(*due_in, longest_wait);
    due_.at = due_.at ? std::min(*due_.at, at) : at;
}

store::Parts Claims::parts() const {
    using store::Part;
    return store::parts({Part::release_forgotten, Part::claim, Part::candidates, Part::claim_ids, Part::refuse,
                         Part::standing, Part::due});
}

void Claims::opened(Time) {
    looks_.owe();  // LISTEN, then look
}

void Claims::tick(Time now) {
    for (const store::ClaimedRun& run : shelf_.overdue(now)) reports_.give_back(run);
    if (full_for(now) >= config_.worker.lease) {
        full_since_ = now;
        events_.on_due();
    }
    if (!due_.at || now < *due_.at || looks_.owed()) return;
    due_.at.reset();
    looks_.owe();
    events_.on_due();
}

/// With every slot taken it asks for nothing, and still looks whether others have lost runs: once in a lease.
Millis Claims::full_for(Time now) {
    const bool full = wanted() == 0 && !for_one() && !flights_.empty();
    if (!full) full_since_.reset();
    if (full && !full_since_) full_since_ = now;
    return full ? std::chrono::floor<Millis>(now - *full_since_) : Millis{0};
}

std::optional<Millis> Claims::due_in(Time now) const {
    if (!due_.at || looks_.owed() || wanted() == 0) return std::nullopt;
    return std::max(Millis{0}, std::chrono::ceil<Millis>(*due_.at - now));
}

std::optional<Millis> Claims::next_tick(Time now) const {
    auto next = due_in(now);
    const auto sooner = [&](std::optional<Millis> other) {
        if (other && (!next || *other < *next)) next = other;
    };
    sooner(shelf_.wait(now));
    if (full_since_) sooner(std::max(Millis{0}, std::chrono::ceil<Millis>(*full_since_ + config_.worker.lease - now)));
    return next;
}

store::Claim Claims::claim_for(Time now) {
    store::Claim claim;
    const int cap = config_.worker.batch_size;
    claim.most = std::min(cap > 0 ? std::min(cap, wanted()) : wanted(), static_cast<int>(portion_.most()));
    claim.payload_bytes = config_.limits.payload_bytes;
    if (claim.most > free_slots())
        claim.payload_bytes = std::min(claim.payload_bytes, ahead_bytes / std::max(claim.most, 1));
    claim.rooms = all_tasks_;
    if (claim.rooms.empty()) {
        claim.rooms = flights_.rooms();
        for (store::Room& room : claim.rooms) room.slots -= shelf_.count(room.task);
        std::erase_if(claim.rooms, [](const store::Room& room) { return room.slots <= 0; });
    }
    claim.except = search_.passed_over(now);
    return claim;
}

bool Claims::fill(store::Round& round, const Moment& moment) {
    if (moment.leaving) return false;
    const bool look = wanted() > 0 && (search_.active() || (looks_.owed() && looks_.wait(moment.now) <= Millis{0}));
    const bool may_ask = !moment.first_look && !for_one() && moment.now >= no_due_before_;
    round.release_forgotten = asked_forgotten_ = forgets_;
    if (look) {
        looks_.sent(moment.now);
        ever_claimed_ = true;
        on_wire_ = claim_for(moment.now);
        if (flights_.empty()) flights_.expect_start();
        if (search_.active()) {
            search_.fill(round, *on_wire_, moment.now);
        } else if (for_one()) {
            round.claim_ids = store::ClaimIds{{*errand_.run}, on_wire_->payload_bytes, true};
            round.standing = errand_.run;
        } else {
            round.claim = on_wire_;
        }
    }
    // Who goes silent after this round has to know what is due, or to look again.
    const bool must_ask = round.promise.rest && !look;
    asked_due_ = may_ask && !search_.active() && (look ? !last_full_ : must_ask || (!looks_.owed() && !due_.known));
    if (asked_due_) fill_due(round);
    if (must_ask && !asked_due_) looks_.owe();
    return look || asked_due_ || asked_forgotten_;
}

void Claims::fill_due(store::Round& round) {
    round.due = claim_for(BootClock::now());
    put_back_ = false;
}

void Claims::answered(store::Answer& answer, Time sent_at) {
    if (std::exchange(asked_forgotten_, false)) forgets_ = false;
    if (answer.released > 0)
        log::event(log::Level::warning, "runs_released",
                   std::to_string(answer.released) + " runs whose claim was never answered go back to their queues");
    const auto asked = std::exchange(on_wire_, std::nullopt);
    const bool short_of = !asked || static_cast<int>(answer.claimed.size()) < std::max(asked->most, 1);
    if (std::exchange(asked_due_, false)) {
        // Due at once, and yet a look with room for it did not bring it: somebody holds the row, so look again, but
        // slowly.
        const bool locked = asked && short_of && answer.due_in == Millis{0};
        fruitless_ = locked ? fruitless_ + 1 : 0;
        constexpr Millis locked_pause{100};
        constexpr Millis longest_pause{5'000};
        take_due(locked ? half_jitter(locked_pause, longest_pause, fruitless_) : answer.due_in);
    } else if (asked && !for_one()) {
        due_.known = false;
    }
    if (!asked) return;
    portion_.answered();
    const bool searched = search_.active();
    const std::size_t brought = answer.claimed.size();
    search_.answered(answer);
    if (searched) looks_.owe();
    last_full_ = !searched && !for_one() && (!short_of || fills_a_task(*asked, answer.claimed));
    if (last_full_) looks_.owe();
    looks_.answered(brought > 0 || searched);
    events_.on_claimed(answer.claimed);
    take_claimed(answer, sent_at);
    if (for_one() && !searched) take_standing(answer);
}

void Claims::take_claimed(store::Answer& answer, Time sent_at) {
    attempts_made_ += static_cast<int>(answer.claimed.size());
    std::vector<store::ClaimedRun> large;
    if (static_cast<int>(answer.claimed.size()) > free_slots()) large = without_payload(answer.claimed);
    shelf_.put(std::move(answer.claimed), sent_at, BootClock::now());
    if (!large.empty()) shelf_.fetch_no_more();
    for (const store::ClaimedRun& run : large) reports_.give_back(run);
}

void Claims::take_standing(const store::Answer& answer) {
    events_.on_standing(answer.standing);
    if (answer.due_in) due_.at = BootClock::now() + std::min<Millis>(*answer.due_in, std::chrono::hours{24 * 365});
    // Somebody else's: its end is told, but not that it went back to its queue.
    if (answer.standing == "running" && flights_.empty() && shelf_.empty())
        due_.at = BootClock::now() + config_.worker.lease;
}

void Claims::undone() {
    const bool asked = on_wire_ || asked_due_;
    if (std::exchange(on_wire_, std::nullopt)) looks_.failed();
    asked_due_ = asked_forgotten_ = false;
    if (asked) due_.known = false;
}

void Claims::lost() {
    forgets_ = forgets_ || ever_claimed_;  // also the answer before may have been lost on its way
    if (on_wire_) portion_.lost(static_cast<std::size_t>(on_wire_->most));
    undone();
}

Next Claims::refused(const store::Refused& refused) {
    const bool claimed = on_wire_.has_value();
    undone();
    const Time now = BootClock::now();
    if (refused.part == store::Part::due) {
        no_due_before_ = now + pause_after_refused_due;
        due_.at = no_due_before_;  // nobody says when to look, so it looks then
        log::event(log::Level::warning, "due_unknown", "the query for due runs failed: " + refused.message);
        return Next::again;
    }
    if (refused.part == store::Part::release_forgotten || refused.part == store::Part::standing || !claimed)
        return Next::later;
    if (!search_.active() && for_one()) {
        search_.begin({*errand_.run});
        return Next::again;
    }
    return search_.refused(refused, now);
}

std::optional<Millis> Claims::wait(const Moment& moment) const {
    if (moment.leaving) return std::nullopt;
    if (forgets_ && moment.open) return Millis{0};
    if (wanted() > 0 && search_.active()) return Millis{0};
    if (wanted() > 0 && looks_.owed()) return looks_.wait(moment.now);
    const bool asks = moment.open && !looks_.owed() && !due_.known && !moment.first_look && !for_one();
    if (asks) return std::max(Millis{0}, std::chrono::ceil<Millis>(no_due_before_ - moment.now));
    return std::nullopt;
}

}  // namespace dormouse::worker
