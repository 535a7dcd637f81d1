#include "rounds/second_wire.h"

#include <utility>

namespace dormouse::rounds {
namespace {

store::Wire::Terms for_reports(store::Wire::Terms terms) {
    terms.listens = false;
    terms.opens_again = false;
    return terms;
}

}  // namespace

SecondWire::SecondWire(loop::Loop& loop, store::Wire::Terms terms, int worth_it, store::Wire::Events events)
    : worth_it_(worth_it),
      wire_(loop, for_reports(std::move(terms)),
            {.on_open = events.on_open,
             .on_lost =
                 [this, on_lost = events.on_lost](const Error& error) {
                     large_claims_ = 0;
                     quiet_timer_.stop();
                     trouble_timer_.once(pause_after_trouble, [] {});
                     on_lost(error);
                 }}),
      quiet_timer_(loop, "second.quiet"),
      trouble_timer_(loop, "second.trouble") {}

void SecondWire::claimed(int runs) {
    if (runs > 0) quiet_timer_.stop();
    large_claims_ = worth_it_ > 0 && runs >= worth_it_ ? large_claims_ + 1 : 0;
    if (large_claims_ >= in_a_row && !trouble_timer_.armed()) wire_.open();
}

void SecondWire::quiet() {
    large_claims_ = 0;
    if (wire_.state() == store::Wire::State::closed || quiet_timer_.armed()) return;
    quiet_timer_.once(quiet_while, [this] {
        if (wire_.state() == store::Wire::State::waiting) return quiet();  // never under a round
        close();
    });
}

void SecondWire::close() {
    large_claims_ = 0;
    quiet_timer_.stop();
    wire_.close();
}

}  // namespace dormouse::rounds
