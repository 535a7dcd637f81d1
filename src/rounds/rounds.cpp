#include "rounds/rounds.h"

#include <algorithm>
#include <utility>

#include "base/backoff.h"
#include "base/log.h"

namespace dormouse::rounds {
namespace {

constexpr Millis first_pause{1'000};
constexpr Millis longest_pause{300'000};
constexpr int tries_at_once = 3;  ///< after a deadlock or a lock that was not to be had

bool is_about_the_server(ErrorKind kind) {
    return kind == ErrorKind::transient || kind == ErrorKind::disconnected;
}

std::optional<Millis> sooner(std::optional<Millis> a, std::optional<Millis> b) {
    if (!a || !b) return a ? a : b;
    return std::min(*a, *b);
}

}  // namespace

Rounds::Rounds(loop::Loop& loop, const store::Wire::Terms& terms, store::Wire::Events notifications, int second_at,
               Events events)
    : events_(std::move(events)),
      lease_(terms.lease),
      retry_max_(terms.retry_max),
      first_(loop, terms,
             [&] {
                 notifications.on_open = [this] {
                     for (Seat& seat : seats_) seat.who->opened(BootClock::now());
                     events_.on_open();
                 };
                 notifications.on_lost = [this](const Error& error) {
                     second_.close();
                     trip_ = second_trip_ = Trip{};
                     for (Seat& seat : seats_) seat.who->lost();
                     events_.on_lost(error);
                 };
                 return std::move(notifications);
             }()),
      second_(loop, terms, second_at,
              {.on_open = [this] { events_.on_change(); },
               .on_lost =
                   [this](const Error& error) {
                       log::event(log::Level::info, "second_session", error.message);
                       for (Seat* seat : std::exchange(second_trip_.seats, {})) seat->who->lost();
                       events_.on_change();
                   }}) {}

void Rounds::add(Participant& participant, bool may_use_second) {
    Seat seat;
    seat.who = &participant;
    seat.may_use_second = may_use_second;
    seats_.push_back(std::move(seat));
}

void Rounds::send(const Moment& moment) {
    if (second_.wire().state() == store::Wire::State::open) send_over(second_.wire(), second_trip_, moment);
    if (first_.state() == store::Wire::State::open) send_over(first_, trip_, moment);
}

void Rounds::send_over(store::Wire& wire, Trip& trip, const Moment& moment) {
    store::Round round = compose(wire, trip, moment);
    if (trip.seats.empty()) return find_empty_wishes(wire, moment);
    events_.on_compose(round);
    trip.sent_at = moment.now;
    wire.exchange(round, [this, &trip](auto answer) { on_done(trip, std::move(answer)); });
}

void Rounds::send_last(const store::Round& round, store::Wire::Done done) {
    trip_ = Trip{};
    first_.exchange(round, std::move(done));
}

bool Rounds::belongs(const Seat& seat, const store::Wire& wire) const {
    const bool by_second = seat.may_use_second && second_.wire().is_open();
    return by_second == (&wire == &second_.wire());
}

/// Two rounds of somebody alone never follow each other while others want one.
store::Round Rounds::compose(const store::Wire& wire, Trip& trip, const Moment& moment) {
    const bool was_alone = trip.alone;
    trip = Trip{};
    store::Round round;
    if (!was_alone && compose_alone(wire, round, trip, moment)) return round;
    compose_together(wire, round, trip, moment);
    if (trip.seats.empty() && was_alone) compose_alone(wire, round, trip, moment);
    return round;
}

bool Rounds::compose_alone(const store::Wire& wire, store::Round& round, Trip& trip, const Moment& moment) {
    for (Seat& seat : seats_) {
        const bool alone =
            seat.standing != Seat::Standing::together || seat.who->company() == Participant::Company::none;
        if (!alone || seat.who->company() == Participant::Company::others || !belongs(seat, wire)) continue;
        if (moment.now < seat.not_before || !seat.who->fill(round, moment)) continue;
        trip.seats.push_back(&seat);
        trip.alone = true;
        return true;
    }
    return false;
}

void Rounds::compose_together(const store::Wire& wire, store::Round& round, Trip& trip, const Moment& moment) {
    for (Seat& seat : seats_) {
        const bool others = seat.who->company() == Participant::Company::others;
        const bool together =
            seat.standing == Seat::Standing::together && seat.who->company() == Participant::Company::any;
        if (!(together || others) || !belongs(seat, wire) || moment.now < seat.not_before) continue;
        if (seat.who->fill(round, moment)) trip.seats.push_back(&seat);
    }
    if (trip.seats.empty()) return;
    for (Seat& seat : seats_)
        if (seat.standing == Seat::Standing::together && belongs(seat, wire) && seat.who->fill_along(round, moment) &&
            std::find(trip.seats.begin(), trip.seats.end(), &seat) == trip.seats.end())
            trip.seats.push_back(&seat);
}

/// Whoever asks for a round and has nothing for it would make the loop turn for ever.
void Rounds::find_empty_wishes(const store::Wire& wire, const Moment& moment) {
    for (Seat& seat : seats_) {
        if (!belongs(seat, wire) || moment.now < seat.not_before) continue;
        if (seat.who->wait(moment).value_or(Millis{1}) > Millis{0}) continue;
        log::event(log::Level::error, "empty_wish",
                   std::string(seat.who->name()) + " asks for a round and has nothing for it; it waits for a second");
        pause(seat, first_pause);
    }
}

void Rounds::on_done(Trip& trip, tl::expected<store::Answer, store::Refused> answer) {
    if (answer) {
        const Trip done = trip;
        trip.seats.clear();
        for (Seat* seat : done.seats) seat->who->answered(*answer, done.sent_at);
        for (Seat* seat : done.seats)
            if (!seat->who->searching()) passed(*seat);
    } else {
        on_refused(trip, answer.error());
    }
    events_.on_change();
}

void Rounds::passed(Seat& seat) {
    seat.standing = Seat::Standing::together;
    seat.tries = 0;
    seat.not_before = {};
    seat.told.clear();
    if (std::any_of(seats_.begin(), seats_.end(),
                    [](const Seat& one) { return one.standing == Seat::Standing::refusing; }))
        return;
    if (trouble_.empty() && !outage_) return;
    trouble_.clear();
    if (std::exchange(outage_, std::nullopt))
        log::event(log::Level::info, "database_back", "connected to " + first_.where());
    events_.on_trouble();
}

void Rounds::on_refused(Trip& trip, const store::Refused& refused) {
    const std::vector<Seat*> seats = std::exchange(trip.seats, {});
    std::vector<Seat*> guilty;
    for (Seat* seat : seats)
        if (seats.size() == 1 || (refused.part && store::has(seat->who->parts(), *refused.part)))
            guilty.push_back(seat);
    for (Seat* seat : seats) {
        const bool blamed = std::find(guilty.begin(), guilty.end(), seat) != guilty.end();
        if (blamed) {
            blame(*seat, refused);
        } else {
            seat->who->undone();
            // At the commit it may have been anybody: each goes alone once.
            if (guilty.empty()) seat->standing = Seat::Standing::alone;
        }
    }
}

void Rounds::blame(Seat& seat, const store::Refused& refused) {
    if (seat.standing != Seat::Standing::refusing) seat.standing = Seat::Standing::alone;
    ++seat.tries;
    const bool again = refused.kind == ErrorKind::conflict && seat.tries <= tries_at_once;
    if (again && !seat.who->seeks(refused)) return seat.who->conflicted();
    if (is_about_the_server(refused.kind)) {
        seat.who->undone();
        seat.standing = Seat::Standing::refusing;
        tell_refusal(seat, refused);
        tell_outage(refused);
        return pause(seat, pause_after(seat.tries - 1));
    }
    switch (seat.who->refused(refused)) {
        case Next::again:
            return;
        case Next::later:
            tell_refusal(seat, refused);
            return pause(seat, pause_after(seat.tries - 1));
        case Next::everyone:
            seat.standing = Seat::Standing::refusing;
            tell_refusal(seat, with_remedy(refused));
            tell_outage(with_remedy(refused));
            pause(seat, pause_after(seat.tries - 1));
            // Only a new session can find that a right is back, or another schema.
            if (refused.kind == ErrorKind::denied || refused.kind == ErrorKind::incompatible) first_.give_up(refused);
    }
}

Millis Rounds::pause_after(int tries) const {
    return half_jitter(std::min(first_pause, retry_max_),
                       std::min(retry_max_, held().empty() ? longest_pause : lease_ / 10), tries);
}

void Rounds::pause(Seat& seat, Millis pause) {
    if (seat.standing == Seat::Standing::together) seat.standing = Seat::Standing::alone;
    seat.not_before = BootClock::now() + pause;
}

store::Refused Rounds::with_remedy(store::Refused refused) {
    if (refused.kind == ErrorKind::denied)
        refused.message += "; does the login lack the role dormouse_worker? dormouse worker --check tells";
    return refused;
}

void Rounds::tell_refusal(Seat& seat, const store::Refused& refused) {
    const bool is_claim = seat.who->name() == std::string_view("claims");
    log::event(seat.told == refused.message ? log::Level::debug : log::Level::warning,
               is_claim ? "claim_failed" : "round_refused", std::string(seat.who->name()) + ": " + refused.message,
               {{"kind", to_string(refused.kind)}});
    seat.told = refused.message;
    trouble_ = refused.message;
    events_.on_trouble();
}

/// Once; and again where what was an outage has become a refusal, which a person has to lift.
void Rounds::tell_outage(const Error& error) {
    const bool refusal = error.kind == ErrorKind::denied || error.kind == ErrorKind::incompatible;
    const bool is_news = !outage_ || (refusal && error.kind != *outage_);
    log::event(is_news ? log::Level::warning : log::Level::debug, "database_lost", error.message,
               {{"kind", to_string(error.kind)}});
    if (is_news) outage_ = error.kind;
    trouble_ = error.message;
    events_.on_trouble();
}

void Rounds::close_second() {
    second_.close();
    for (Seat* seat : std::exchange(second_trip_.seats, {})) seat->who->lost();
}

void Rounds::close() {
    second_.close();
    first_.close();
    trip_ = second_trip_ = Trip{};
    for (Seat& seat : seats_) seat.who->undone();
    for (Seat& seat : seats_) seat.who->closed();
}

std::optional<Millis> Rounds::wait(const Moment& moment) const {
    std::optional<Millis> wait;
    for (const Seat& seat : seats_) {
        const bool second = second_.wire().is_open() && seat.may_use_second;
        const store::Wire& wire = second ? second_.wire() : first_;
        const bool possible = wire.state() == store::Wire::State::open ||
                              (wire.state() == store::Wire::State::closed && seat.who->opens_session());
        auto wish = possible ? seat.who->wait(moment) : std::nullopt;
        if (wish) wish = std::max({*wish, Millis{0}, std::chrono::ceil<Millis>(seat.not_before - moment.now)});
        wait = sooner(wait, wish);
    }
    return wait;
}

std::optional<Millis> Rounds::next_tick(Time now) const {
    std::optional<Millis> wait;
    for (const Seat& seat : seats_) wait = sooner(wait, seat.who->next_tick(now));
    return wait;
}

void Rounds::tick(Time now) {
    for (Seat& seat : seats_) seat.who->tick(now);
}

bool Rounds::quiet() const {
    return !awaits_answer() &&
           std::all_of(seats_.begin(), seats_.end(), [](const Seat& seat) { return seat.who->quiet(); });
}

bool Rounds::may_close(const Moment& moment) const {
    return trip_.seats.empty() && second_trip_.seats.empty() && wait(moment).value_or(Millis{1}) > Millis{0} &&
           std::none_of(seats_.begin(), seats_.end(), [](const Seat& seat) { return seat.who->keeps_session(); });
}

bool Rounds::awaits_answer() const {
    const bool retains = trip_.seats.size() == 1 && trip_.seats.front()->who->company() == Participant::Company::none;
    return (!trip_.seats.empty() && !retains) || !second_trip_.seats.empty();
}

std::vector<store::Held> Rounds::held() const {
    std::vector<store::Held> held;
    for (const Seat& seat : seats_) seat.who->add_held(held);
    return held;
}

}  // namespace dormouse::rounds
