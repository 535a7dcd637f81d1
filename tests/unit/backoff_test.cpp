// The pauses between tries: never at once, never longer than said, never all the same.
#include "base/backoff.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <limits>
#include <vector>

BOOST_AUTO_TEST_SUITE(backoff)

using namespace dormouse;

namespace {

std::vector<Millis> thrown(Millis (*dice)(Millis, Millis, int), Millis base, Millis max, int tries) {
    std::vector<Millis> all;
    for (int i = 0; i < 2'000; ++i) all.push_back(dice(base, max, tries));
    return all;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_connections_pause_doubles_to_its_longest_and_is_between_half_and_all_of_it) {
    const std::vector<Millis::rep> ceilings{500, 1'000, 2'000, 4'000, 8'000, 16'000, 30'000, 30'000, 30'000};
    for (std::size_t tries = 0; tries < ceilings.size(); ++tries) {
        const auto all = thrown(half_jitter, Millis{500}, Millis{30'000}, static_cast<int>(tries));
        const auto [least, most] = std::minmax_element(all.begin(), all.end());
        const auto ceiling = ceilings[tries];
        BOOST_TEST(least->count() >= ceiling / 2);
        BOOST_TEST(most->count() <= ceiling);
        BOOST_TEST(least->count() < ceiling * 55 / 100);  // the dice reach both ends
        BOOST_TEST(most->count() > ceiling * 95 / 100);
    }
}

BOOST_AUTO_TEST_CASE(for_ten_minutes_nobody_waits_longer_than_five_seconds_but_for_a_server_that_suspends) {
    BOOST_TEST(longest_pause(Millis{300'000}, Millis{0}, false).count() == 5'000);
    BOOST_TEST(longest_pause(Millis{300'000}, Millis{599'999}, false).count() == 5'000);
    BOOST_TEST(longest_pause(Millis{300'000}, Millis{600'000}, false).count() == 300'000);
    BOOST_TEST(longest_pause(Millis{300'000}, Millis{0}, true).count() == 300'000);
    BOOST_TEST(longest_pause(Millis{1'000}, Millis{0}, false).count() == 1'000);
}

BOOST_AUTO_TEST_CASE(a_runs_pause_is_anywhere_up_to_its_ceiling) {
    const auto all = thrown(full_jitter, Millis{100}, Millis{1'000}, 2);
    const auto [least, most] = std::minmax_element(all.begin(), all.end());
    BOOST_TEST(least->count() < 40);
    BOOST_TEST(most->count() <= 400);
    BOOST_TEST(most->count() > 360);
}

BOOST_AUTO_TEST_CASE(a_million_tries_and_the_longest_pause_there_is_overflow_nothing) {
    for (const Millis max : {Millis{300'000}, Millis{std::numeric_limits<Millis::rep>::max() / 4}}) {
        const Millis pause = half_jitter(Millis{500}, max, 1'000'000);
        BOOST_TEST(pause.count() >= max.count() / 2);
        BOOST_TEST(pause.count() <= max.count());
    }
}

BOOST_AUTO_TEST_SUITE_END()
