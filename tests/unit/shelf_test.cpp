#include "worker/shelf.h"

#include <boost/test/unit_test.hpp>

namespace shelf {

using dormouse::Millis;
using dormouse::Uuid;
using dormouse::store::ClaimedRun;
using dormouse::store::Held;
using dormouse::worker::Shelf;

namespace {

struct Fixture {
    Shelf shelf;
    Shelf::Time now = dormouse::BootClock::now();
    std::int64_t fence = 0;

    std::vector<ClaimedRun> runs(int number, const std::string& task = "t") {
        std::vector<ClaimedRun> claimed;
        for (int i = 0; i < number; ++i) {
            ClaimedRun run;
            run.held = Held{Uuid::random(), ++fence};
            run.task = task;
            claimed.push_back(run);
        }
        return claimed;
    }
    /// A claim's answer comes after `passed`; then so many are started.
    void answer(Millis passed, int number, int started) {
        now += passed;
        shelf.put(runs(number), now, now);
        for (int i = 0; i < started; ++i) static_cast<void>(shelf.take());
    }
};

}  // namespace

}  // namespace shelf

BOOST_FIXTURE_TEST_SUITE(shelf, Fixture)

BOOST_AUTO_TEST_CASE(they_come_off_in_the_order_in_which_they_came) {
    shelf.put(runs(2), now, now);
    shelf.put(runs(1), now, now);
    for (std::int64_t wanted = 1; wanted <= 3; ++wanted) BOOST_TEST(shelf.take()->run.held.fence == wanted);
    BOOST_TEST(!shelf.take().has_value());
}

BOOST_AUTO_TEST_CASE(nothing_is_fetched_ahead_before_anything_was_started) {
    BOOST_TEST(shelf.ahead(4) == 0);
    answer(Millis{5}, 4, 4);
    BOOST_TEST(shelf.ahead(4) == 0);
}

BOOST_AUTO_TEST_CASE(it_doubles_while_all_of_it_is_started_between_two_answers) {
    int in_hand = 4;
    shelf.put(runs(in_hand), now, now);
    for (int round = 0; round < 12; ++round) {
        const int claimed = std::max(shelf.ahead(in_hand), in_hand);  // sent at once, and all is gone before its answer
        for (int i = 0; i < in_hand; ++i) static_cast<void>(shelf.take());
        now += Millis{5};
        shelf.put(runs(claimed), now, now);
        BOOST_TEST(shelf.ahead(0) == std::min(3 * claimed, Shelf::most_in_hand));
        in_hand = claimed;
    }
    BOOST_TEST(shelf.ahead(100) == Shelf::most_in_hand - 100);
}

BOOST_AUTO_TEST_CASE(with_something_left_it_is_what_they_take_until_the_next_answer_and_twice_that_then) {
    shelf.put(runs(1'000), now, now);
    for (int round = 0; round < 10; ++round) {
        const int claimed = std::max(0, shelf.ahead(0) - shelf.count());
        for (int i = 0; i < 50; ++i) static_cast<void>(shelf.take());
        now += Millis{5};
        shelf.put(runs(claimed), now, now);
        BOOST_TEST(shelf.ahead(0) == 150);
    }
    BOOST_TEST(shelf.count() <= 700);
}

BOOST_AUTO_TEST_CASE(slow_handlers_get_none) {
    answer(Millis{1}, 4, 4);
    for (int round = 0; round < 10; ++round) answer(Millis{250}, 1, 1);  // four slots, a second each
    BOOST_TEST(shelf.ahead(4) == 0);
    BOOST_TEST(shelf.ahead(0) == 0);
}

BOOST_AUTO_TEST_CASE(what_waits_is_no_more_than_what_is_started_in_the_horizon) {
    for (int round = 0; round < 10; ++round) answer(Millis{400}, 400, 400);  // slow rounds, 1,000 a second
    now += Millis{400};
    shelf.put({}, now, now);
    BOOST_TEST(shelf.ahead(0) == 100);
}

BOOST_AUTO_TEST_CASE(a_pause_does_not_count_as_slowness_for_longer_than_one_answer) {
    answer(Millis{5}, 100, 100);
    answer(Millis{60'000}, 100, 100);
    BOOST_TEST(shelf.ahead(0) == 0);
    answer(Millis{5}, 0, 0);
    BOOST_TEST(shelf.ahead(0) == 300);
}

BOOST_AUTO_TEST_CASE(when_one_has_waited_too_long_all_go_back_and_none_is_fetched_ahead) {
    answer(Millis{5}, 100, 50);
    answer(Millis{5}, 10, 0);
    BOOST_TEST(shelf.ahead(0) == 150);
    BOOST_TEST((shelf.wait(now) == Shelf::longest_wait - Millis{5}));
    BOOST_TEST(shelf.overdue(now + Shelf::longest_wait - Millis{6}).empty());
    BOOST_TEST(shelf.overdue(now + Shelf::longest_wait - Millis{5}).size() == 60U);
    BOOST_TEST(shelf.empty());
    BOOST_TEST(!shelf.wait(now).has_value());
    BOOST_TEST(shelf.ahead(0) == 0);
}

BOOST_AUTO_TEST_CASE(what_was_taken_away_is_forgotten_and_the_others_stay) {
    shelf.put(runs(3), now, now);
    std::vector<Held> held;
    shelf.add_held(held);
    BOOST_TEST(held.size() == 3U);
    shelf.put(runs(1), now, now);  // not asked about
    shelf.keep_only(held, {held[1].id});
    BOOST_TEST(shelf.count() == 2);
    BOOST_TEST(shelf.take()->run.held.fence == 2);
    BOOST_TEST(shelf.take()->run.held.fence == 4);
}

BOOST_AUTO_TEST_CASE(a_tasks_own_are_counted) {
    shelf.put(runs(3, "a"), now, now);
    shelf.put(runs(2, "b"), now, now);
    BOOST_TEST(shelf.count("a") == 3);
    BOOST_TEST(shelf.count("c") == 0);
}

BOOST_AUTO_TEST_SUITE_END()
