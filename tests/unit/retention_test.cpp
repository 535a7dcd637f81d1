#include "worker/retention.h"

#include <boost/test/unit_test.hpp>

BOOST_AUTO_TEST_SUITE(retention)

using namespace dormouse;
using worker::Retention;
using namespace std::chrono_literals;

namespace {

const BootClock::time_point start{1'000h};

}  // namespace

BOOST_AUTO_TEST_CASE(while_there_is_work_a_step_comes_after_a_while_then_hourly) {
    Retention retention(start);
    BOOST_TEST((retention.wait(start) == 10s));
    retention.answered(false, start + 10s);
    BOOST_TEST((retention.wait(start + 10s) == 1h));
    BOOST_TEST((retention.wait(start + 2h) < 0s));
}

BOOST_AUTO_TEST_CASE(a_step_that_did_something_is_followed_by_the_next_but_not_at_once) {
    Retention retention(start);
    retention.answered(true, start + 10s);
    BOOST_TEST((retention.wait(start + 10s) == 1s));
}

BOOST_AUTO_TEST_CASE(on_the_way_to_sleep_steps_go_on_until_nothing_is_left) {
    Retention retention(start);
    BOOST_TEST(retention.wanted_before_sleep(start));
    retention.answered(true, start + 5ms);
    BOOST_TEST(retention.wanted_before_sleep(start + 5ms));
    retention.answered(false, start + 10ms);
    BOOST_TEST(!retention.wanted_before_sleep(start + 10ms));
    BOOST_TEST(!retention.wanted_before_sleep(start + 59min));
    BOOST_TEST(retention.wanted_before_sleep(start + 61min));
}

BOOST_AUTO_TEST_CASE(the_way_to_sleep_ends_within_a_second_however_much_is_left) {
    Retention retention(start);
    auto now = start;
    for (; retention.wanted_before_sleep(now); now += 100ms) retention.answered(true, now);
    BOOST_TEST((now - start < 1s));
    BOOST_TEST((now - start + retention.time_left(now) < 1s));  // the answer to the last one as well
    BOOST_TEST(retention.wanted_before_sleep(start + 10min));   // another way to sleep
}

BOOST_AUTO_TEST_CASE(what_stands_in_the_way_is_not_waited_for) {
    Retention retention(start);
    BOOST_TEST(retention.wanted_before_sleep(start));
    retention.hindered(start + 50ms);
    BOOST_TEST(!retention.wanted_before_sleep(start + 50ms));
    BOOST_TEST((retention.wait(start + 50ms) == 5min));
    BOOST_TEST(retention.wanted_before_sleep(start + 6min));
}

BOOST_AUTO_TEST_SUITE_END()
