// When to look: each ring needs a look that is sent after it, and rings alone make looks rare.
#include "worker/looks.h"

#include <boost/test/unit_test.hpp>

BOOST_AUTO_TEST_SUITE(looks)

using namespace dormouse;
using namespace dormouse::worker;

BOOST_AUTO_TEST_CASE(who_wakes_looks_at_once) {
    const Looks looks;
    BOOST_TEST(looks.owed());
    BOOST_TEST(looks.wait(BootClock::now()).count() <= 0);
    BOOST_TEST(!looks.ever_answered());
}

BOOST_AUTO_TEST_CASE(what_is_owed_while_a_look_is_on_the_wire_stays_owed) {
    Looks looks;
    looks.sent(BootClock::now());
    BOOST_TEST(!looks.owed());
    looks.owe();
    looks.answered(false);
    BOOST_TEST(looks.owed());
}

BOOST_AUTO_TEST_CASE(a_look_without_an_answer_is_owed_again) {
    Looks looks;
    looks.sent(BootClock::now());
    looks.failed();
    BOOST_TEST(looks.owed());
}

BOOST_AUTO_TEST_CASE(a_flood_of_rings_is_at_most_a_dozen_looks_a_second) {
    Looks looks;
    auto now = BootClock::now();
    const auto end = now + Millis{10'000};
    int sent = 0;
    while (now < end) {
        looks.owe();
        if (looks.wait(now) <= Millis{0}) {
            looks.sent(now);
            looks.answered(false);
            ++sent;
        }
        now += std::chrono::microseconds(100);
    }
    BOOST_TEST(sent < 120);
    BOOST_TEST(sent > 90);
}

BOOST_AUTO_TEST_CASE(looks_that_find_something_are_never_held_up) {
    Looks looks;
    const auto now = BootClock::now();
    for (int i = 0; i < 100; ++i) {
        looks.sent(now);
        looks.answered(false);
    }
    looks.sent(now);
    looks.answered(true);
    looks.owe();
    BOOST_TEST(looks.wait(now).count() <= 0);
}

BOOST_AUTO_TEST_CASE(after_a_second_of_peace_a_ring_is_answered_at_once_and_so_is_the_next) {
    Looks looks;
    auto now = BootClock::now();
    for (int i = 0; i < 20; ++i) {
        looks.sent(now);
        looks.answered(false);
    }
    BOOST_TEST(looks.wait(now).count() == 100);
    now += Millis{1'500};
    BOOST_TEST(looks.wait(now).count() <= 0);
    looks.sent(now);
    looks.answered(false);
    BOOST_TEST(looks.wait(now).count() == 5);
}

BOOST_AUTO_TEST_SUITE_END()
