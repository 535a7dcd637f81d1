// The worker's session, and the rounds that go over it: one on the wire, the next one collecting.
#include <algorithm>
#include <utility>

#include "base/backoff.h"
#include "base/log.h"
#include "systemd/notify.h"
#include "worker/worker.h"

namespace dormouse::worker {
namespace {

constexpr Millis first_retry{500};

/// So much of payloads is fetched ahead, in text: a claim beyond the slots leaves larger ones behind.
constexpr std::int64_t ahead_bytes = 64 << 20;

}  // namespace

store::Database::Place Worker::place() const {
    return {config_.database.url, config_.database.passfile, config_.database.connect_timeout,
            circumstances_.errand.run.has_value()};
}

void Worker::open_database() {
    retry_timer_.stop();
    doorbell_.watch_wake_file(false);
    last_try_ = BootClock::now();
    database_.open();
}

void Worker::on_open() {
    log::event(log::Level::info, "listening", "connected to " + database_.where());
    looks_.owe();  // LISTEN, then look
    promise_.opened();
    fronts_.forget();
    rescue_wanted_ = true;
    step();
}

void Worker::on_lost(const Error& error) {
    answer_timer_.stop();
    if (state_ == State::parting) return be_gone(Farewell{true, false, std::nullopt});
    news_.again();
    if (config_.database.close_after > Millis{0} && may_doze()) return database_fell_asleep();
    falling_asleep_ = false;
    if (on_wire_ && on_wire_->claim > 0) looks_.failed();
    if (on_wire_ && on_wire_->retain) retention_.hindered(BootClock::now());
    on_wire_.reset();
    drop_second_session();
    outbox_.again();
    endings_with_ = Carrier::nobody;
    imports_.failed(false, error.message);
    forgotten_wanted_ = ever_claimed_;
    held_in_doubt_ = !flights_.empty() || !shelf_.empty();
    due_at_.reset();
    looks_.owe();
    on_unavailable(error);
}

void Worker::on_unavailable(const Error& error) {
    log_lost(error);
    trouble_ = error.message;
    try_again_in(pause());
    tell_status("no database (tries again by itself): " + trouble_);
    step();
}

/// Once for an outage, in whatever forms it comes: from the first thing that fails to the first round that is answered.
void Worker::log_lost(const Error& error) {
    log::event(lost_was_logged_ ? log::Level::debug : log::Level::warning, "database_lost", error.message,
               {{"kind", to_string(error.kind)}});
    lost_was_logged_ = true;
}

void Worker::log_back() {
    trouble_.clear();
    if (!std::exchange(lost_was_logged_, false)) return;
    log::event(log::Level::info, "database_back", "connected to " + database_.where());
    tell_status("running");
}

/// Before the next try. While something here has a lease it is short enough for several tries before that ends.
Millis Worker::pause() const {
    const bool leased = !flights_.empty() || !shelf_.empty() || !outbox_.empty();
    const Millis longest =
        leased ? std::min(config_.database.retry_max, config_.worker.lease / 10) : config_.database.retry_max;
    return half_jitter(first_retry, longest, tries_);
}

void Worker::try_again_in(Millis delay) {
    ++tries_;
    retry_timer_.once(delay, [this] {
        if (database_.is_open()) return step();
        open_database();
    });
}

void Worker::send_round() {
    if (!database_.is_open() || on_wire_ || retry_timer_.armed() || falling_asleep_) return;
    const auto now = BootClock::now();
    store::Round round = next_round(now);
    if (round.empty()) return;
    if (round.claim > 0) {
        looks_.sent(now);
        fronts_.sent(round.fronts);
        if (flights_.empty()) flights_.expect_start();
        ever_claimed_ = true;
    }
    if (!round.extend.empty()) flights_.extension_sent(now);
    if (!round.ask_held.empty()) held_in_doubt_ = false;  // who is taken away from here on needs another question
    sent_at_ = now;
    put_back_meanwhile_ = false;
    if (!round.retain && !second_.is_open() && endings_with_ == Carrier::nobody) endings_with_ = Carrier::first;
    promise_.sent(round.promise);
    auto endings = std::exchange(round.endings, {});
    auto imports = std::exchange(round.imports, {});
    auto news = std::exchange(round.news, {});
    on_wire_ = round;  // what was asked; endings and news stay here until they are written, imports in their files
    auto questions = std::exchange(round.ask_held, {});
    endings_alone_on_wire_ = round.empty() && imports.empty() && news.empty();
    round.ask_held = std::move(questions);
    round.endings = std::move(endings);
    round.imports = std::move(imports);
    await_answer();
    round.news = std::move(news);
    database_.exchange(std::move(round), [this](Result<store::Answer> answer) {
        answer ? on_answer(std::move(*answer)) : on_round_failed(answer.error());
    });
}

/// What has ended, by the second session, if there is one; else it goes with everything else.
void Worker::send_endings() {
    if (!second_.is_ready() || endings_with_ != Carrier::nobody) return;
    const auto now = BootClock::now();
    store::Round round;
    if (outbox_.has_something_for(now)) outbox_.fill(round, now);
    news_.fill(round, now);
    if (round.empty()) return;
    endings_with_ = Carrier::second;
    second_.exchange(std::move(round), longest_answer());
}

void Worker::take_endings(const store::Answer& answer) {
    news_.answered();
    outbox_.answered(answer, BootClock::now());
    endings_with_ = Carrier::nobody;
    if (!answer.enqueued.empty()) neighbours_.ring(answer.enqueued);
}

void Worker::drop_second_session() {
    second_.close();
    if (endings_with_ != Carrier::second) return;
    endings_with_ = Carrier::nobody;
    outbox_.again();
    news_.again();
}

/// A server that hangs, or something in between that takes bytes and passes none on: TCP sees nothing wrong with it.
/// Late enough for a slow server, and early enough for another session to write what is in hand before its lease ends.
Millis Worker::longest_answer() const {
    constexpr Millis longest{60'000};
    return std::max(config_.database.connect_timeout, std::min(longest, config_.worker.lease / 3));
}

void Worker::await_answer() {
    // Not at once: an answer that came while this process stood still is read before the next turn's timers.
    static constexpr Millis next_turn{1};
    answer_timer_.once(longest_answer(), [this] { answer_timer_.once(next_turn, [this] { on_no_answer(); }); });
}

void Worker::on_no_answer() {
    const std::string where = database_.where();
    database_.close();
    on_lost(Error{ErrorKind::disconnected,
                  "the database at " + where + " has not answered for " + std::to_string(longest_answer().count()) +
                      " ms, the session is given up; see whether it hangs, or what is between"});
}

store::Round Worker::next_round(BootClock::time_point now) {
    store::Round round;
    const bool endings = endings_with_ == Carrier::nobody && !second_.is_open();
    if (endings && news_.wants_to_go_alone()) {  // before the endings, which take the fences away
        news_.fill_alone(round);
        return round;
    }
    const bool alone = endings && outbox_.wants_to_go_alone();
    if (!alone && fill_retention(round, now)) return round;
    if (endings && outbox_.has_something_for(now)) outbox_.fill(round, now);
    if (alone) {
        news_.fill_endings(round);
        return round;
    }
    if (held_in_doubt_) {
        flights_.add_held(round.ask_held);
        shelf_.add_held(round.ask_held);
    }
    if (flights_.extension_wanted(now)) {
        flights_.add_held(round.extend);
        outbox_.add_held(round.extend);
    }
    round.release_forgotten = forgotten_wanted_;
    const bool for_one = circumstances_.errand.run.has_value();
    if (state_ < State::leaving) imports_.fill(round, now);
    if (circumstances_.predecessors != nullptr) round.dead = circumstances_.predecessors->dead();
    // The first look is the claim alone: whoever rang waits for a handler to start, not for the registry.
    const bool chores = looks_.ever_answered() && state_ < State::leaving;
    if (chores) {
        round.arrive = !registered_;
        round.rescue = rescue_wanted_ && !for_one;
    }
    if (may_look(now)) {
        const int cap = config_.worker.batch_size;
        round.claim = cap > 0 ? std::min(cap, wanted()) : wanted();
        round.payload_bytes = config_.limits.payload_bytes;
        if (round.claim > free_slots()) round.payload_bytes = std::min(round.payload_bytes, ahead_bytes / round.claim);
        round.only_run = circumstances_.errand.run;
        round.ask_due = chores && !last_claim_full_ && !for_one;
    } else if (chores && !look_owed() && !due_known_ && !for_one) {
        round.ask_due = true;
    }
    add_promise(round, now);
    if (round.claim > 0 || round.ask_due) round.rooms = rooms();
    // Who goes silent after this has looked everywhere; and what a task at its limit leaves behind stays claimable.
    if (round.claim > 0 && round.rooms.empty() && !for_one && !round.promise.rest) round.fronts = fronts_.next(now);
    if (round.claim > 0 && fronts_.slow()) round.ask_due = false;  // by itself, when nothing is left to claim
    if (round.ask_due || round.release_forgotten) fill_fences(round);
    if (endings && (news_may_ask() || !round.empty())) news_.fill(round, now, !news_may_ask());
    return round;
}

/// The lease of a run that is ours in the database and not here, however that came about, is everybody's business.
void Worker::fill_fences(store::Round& round) const {
    std::vector<store::Held> held;
    flights_.add_held(held);
    shelf_.add_held(held);
    outbox_.add_held(held);
    for (const store::Held& run : held) round.fences.push_back(run.fence);
}

void Worker::on_answer(store::Answer answer) {
    if (state_ >= State::parting) return;  // of a step of retention that was not waited for
    const store::Round asked = std::exchange(on_wire_, std::nullopt).value_or(store::Round{});
    answer_timer_.stop();
    tries_ = 0;
    log_back();
    registered_ = registered_ || asked.arrive;
    if (endings_with_ == Carrier::first) take_endings(answer);
    promise_.answered(asked.promise, answer, BootClock::now());
    if (asked.claim > 0) promise_.looked(!answer.claimed.empty(), BootClock::now());
    if (asked.claim > 0) fronts_.answered(asked.fronts, config_.worker.queues.size(), answer, BootClock::now());
    imports_.answered(answer.imported);
    if (!asked.extend.empty()) {
        flights_.extended(asked.extend, answer.extended, sent_at_);
        if (answer.extended.size() < asked.extend.size()) held_in_doubt_ = true;
    }
    if (!asked.ask_held.empty()) {
        shelf_.keep_only(asked.ask_held, answer.still_held);
        flights_.keep_only(asked.ask_held, answer.still_held);
    }
    if (asked.release_forgotten) forgotten_wanted_ = false;
    if (answer.released > 0)
        log::event(log::Level::warning, "runs_released",
                   std::to_string(answer.released) + " runs whose claim was never answered go back to their queues");
    if (asked.rescue) rescue_wanted_ = false;
    if (!asked.dead.empty()) {
        circumstances_.predecessors->settled();
        neighbours_.ring_all();  // they may have died between a commit and its rings
    }
    if (answer.rescued > 0) looks_.owe();
    if (answer.rescued > 0)
        log::event(log::Level::warning, "runs_rescued",
                   std::to_string(answer.rescued) + " runs of workers that are gone were taken back");
    just_retained_ = asked.retain.has_value();
    if (asked.retain) take_retained(answer);
    if (asked.ask_due) take_due(asked, answer);
    if (asked.only_run) take_standing(asked, answer);
    if (asked.claim > 0) {
        second_.claimed(static_cast<int>(answer.claimed.size()));
        take_claimed(asked, std::move(answer));
    }
    step();
}

/// The claim has brought a task to its own limit, and left out what was beyond: there may be others behind that.
static bool fills_a_task(const store::Round& asked, const std::vector<store::ClaimedRun>& claimed) {
    return std::any_of(asked.rooms.begin(), asked.rooms.end(), [&](const store::Room& room) {
        return room.slots > 0 && room.slots == std::count_if(claimed.begin(), claimed.end(),
                                                             [&](const auto& run) { return run.task == room.task; });
    });
}

/// Fetched ahead their payloads would be too much for this process: they go back, to be claimed when slots are free.
static std::vector<store::ClaimedRun> without_payload(std::vector<store::ClaimedRun>& claimed) {
    const auto large =
        std::stable_partition(claimed.begin(), claimed.end(), [](const auto& run) { return run.payload.has_value(); });
    std::vector<store::ClaimedRun> left_behind(std::make_move_iterator(large), std::make_move_iterator(claimed.end()));
    claimed.erase(large, claimed.end());
    return left_behind;
}

void Worker::take_claimed(const store::Round& asked, store::Answer answer) {
    looks_.answered(!answer.claimed.empty());
    const bool full = static_cast<int>(answer.claimed.size()) == asked.claim || fills_a_task(asked, answer.claimed);
    last_claim_full_ = full && !asked.only_run;
    if (last_claim_full_) looks_.owe();
    if (!asked.ask_due && !asked.only_run) due_known_ = false;
    if (state_ >= State::leaving) return give_back(std::move(answer.claimed));  // claimed before the decision
    if (!answer.claimed.empty()) ran_anything_ = true;
    attempts_made_ += static_cast<int>(answer.claimed.size());
    std::vector<store::ClaimedRun> large;
    if (asked.payload_bytes < config_.limits.payload_bytes) large = without_payload(answer.claimed);
    // A run that has to be alone stops all others from starting: those that came with it go first.
    const auto alone = std::stable_partition(answer.claimed.begin(), answer.claimed.end(),
                                             [](const auto& run) { return run.lost == 0; });
    one_at_a_time_ = alone != answer.claimed.end();  // there may be more of them: what else comes would only go back
    shelf_.put(std::move(answer.claimed), sent_at_, BootClock::now());
    if (large.empty()) return;
    shelf_.fetch_no_more();
    give_back(std::move(large));
}

void Worker::take_due(const store::Round& asked, const store::Answer& answer) {
    constexpr Millis locked_pause{100};
    constexpr Millis longest_pause{5'000};
    constexpr Millis longest_wait{std::chrono::hours{24 * 365}};  // a time that is years away must not overflow
    due_known_ = !put_back_meanwhile_;                            // else the answer may be from before that
    if (due_known_) due_at_.reset();
    if (!answer.due_in) return;
    // Due at once, and yet a look with room for it did not bring it: somebody holds the row, so look again, but slowly.
    const bool looked = asked.claim > 0 || fronts_.slow();
    const bool locked =
        *answer.due_in == Millis{0} && looked && static_cast<int>(answer.claimed.size()) < std::max(asked.claim, 1);
    fruitless_dues_ = locked ? fruitless_dues_ + 1 : 0;
    const Millis wait = locked ? half_jitter(locked_pause, longest_pause, fruitless_dues_) : *answer.due_in;
    const auto due_at = BootClock::now() + std::min(wait, longest_wait);
    due_at_ = due_at_ ? std::min(*due_at_, due_at) : due_at;
}

/// An ending that was written has put its run back: nobody will tell us when that is due.
void Worker::put_back_until(Millis delay) {
    put_back_meanwhile_ = put_back_meanwhile_ || endings_with_ == Carrier::second;
    const auto at = BootClock::now() + delay;
    if (!due_at_ || at < *due_at_) due_at_ = at;
}

void Worker::on_round_failed(const Error& error) {
    if (state_ >= State::parting) return;
    const store::Round asked = std::exchange(on_wire_, std::nullopt).value_or(store::Round{});
    answer_timer_.stop();
    if (asked.claim > 0) looks_.failed();
    promise_.failed(asked.promise);
    if (!asked.ask_held.empty()) held_in_doubt_ = true;
    const bool here = endings_with_ == Carrier::first;
    if (here) endings_with_ = Carrier::nobody;
    const bool endings_sent = here && outbox_.is_on_wire();
    const bool news_sent = here && news_.is_on_wire();
    if (asked.retain) retention_.hindered(BootClock::now());
    imports_.failed(error.kind == ErrorKind::invalid && !endings_sent && !news_sent, error.message);
    if (error.kind == ErrorKind::invalid && (endings_sent || news_sent)) {
        if (news_sent) news_.rejected(error.message);
        if (endings_sent) outbox_.rejected(error.message, endings_alone_on_wire_);
        try_again_in(Millis{0});  // by itself, or a half of it
        return step();
    }
    if (here) {
        outbox_.again();
        news_.again();
    }
    if (error.kind == ErrorKind::denied || error.kind == ErrorKind::incompatible ||
        error.kind == ErrorKind::disconnected) {
        database_.close();
        return on_lost(error);
    }
    constexpr int tries_at_once = 3;
    if (error.kind == ErrorKind::conflict && tries_ < tries_at_once) {
        try_again_in(Millis{0});
    } else {
        if (error.kind == ErrorKind::transient) log_lost(error);  // it is there, and of no use: disk full, read-only
        log::event(error.message == trouble_ ? log::Level::debug : log::Level::warning, "claim_failed", error.message,
                   {{"kind", to_string(error.kind)}});
        trouble_ = error.message;
        tell_status("the database refuses (tries again by itself): " + error.message);
        try_again_in(pause());
    }
    step();
}

}  // namespace dormouse::worker
