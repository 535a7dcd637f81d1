#include "worker/second_session.h"

#include <utility>

namespace dormouse::worker {
namespace {

store::Database::Place for_endings(store::Database::Place place) {
    place.listens = false;
    return place;
}

}  // namespace

SecondSession::SecondSession(loop::Loop& loop, store::Database::Place place, const store::Identity& identity,
                             Millis lease, int worth_it, Events events)
    : worth_it_(worth_it),
      events_(std::move(events)),
      database_(loop, for_endings(std::move(place)), identity, lease,
                store::Database::Events{.on_open = [this] { events_.on_open(); },
                                        .on_refused = [this](const Error& error) { give_up(error); },
                                        .on_lost = [this](const Error& error) { give_up(error); },
                                        .on_queue = [] {},
                                        .on_arrival = [] {},
                                        .on_taken_away = [] {}}),
      answer_timer_(loop, "second.answer"),
      quiet_timer_(loop, "second.quiet"),
      trouble_timer_(loop, "second.trouble") {}

void SecondSession::claimed(int runs) {
    if (runs > 0) quiet_timer_.stop();
    large_claims_ = worth_it_ > 0 && runs >= worth_it_ ? large_claims_ + 1 : 0;
    if (large_claims_ < in_a_row || database_.is_open() || database_.is_opening() || trouble_timer_.armed()) return;
    database_.open();
}

void SecondSession::quiet() {
    large_claims_ = 0;
    const bool there = database_.is_open() || database_.is_opening();
    if (there && !quiet_timer_.armed()) quiet_timer_.once(quiet_while, [this] { close(); });
}

void SecondSession::close() {
    large_claims_ = 0;
    on_wire_ = false;
    answer_timer_.stop();
    quiet_timer_.stop();
    database_.close();
}

void SecondSession::exchange(store::Round round, Millis longest) {
    on_wire_ = true;
    answer_timer_.once(longest,
                       [this] { give_up(Error{ErrorKind::disconnected, "the second session does not answer"}); });
    database_.exchange(std::move(round), [this](const Result<store::Answer>& answer) {
        if (!answer) return give_up(answer.error());
        on_wire_ = false;
        answer_timer_.stop();
        events_.on_answer(*answer);
    });
}

void SecondSession::give_up(const Error& error) {
    close();
    trouble_timer_.once(pause_after_trouble, [] {});
    events_.on_given_up(error);
}

}  // namespace dormouse::worker
