// Timers of the loop: which fire when, on which clock, and that none of them can hold up what else the loop does.
#include "loop/timer.h"

#include <sys/resource.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>

#include "base/unique_fd.h"
#include "loop/poll.h"
#include "restless.h"
#include "support/ahead.h"

using namespace dormouse;
using dormouse::testing::readable_event;
using dormouse::testing::Restless;
using loop::Loop;
using loop::Timer;

namespace {

Millis cpu_time() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    return Millis{(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1'000 +
                  (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1'000};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(timer)

BOOST_AUTO_TEST_CASE(a_timer_that_is_armed_again_in_its_callback_lets_a_descriptor_be_served) {
    Loop loop;
    const UniqueFd event = readable_event();
    Restless restless(loop, "restless");
    loop::Poll poll(loop, event.get(), "event");
    bool served = false;
    poll.watch(loop::Poll::readable, [&](int) {
        served = true;
        poll.stop();
        return loop::Poll::Did::something;
    });
    for (int turn = 0; turn < 2; ++turn) loop.turn();
    BOOST_TEST(served);
    BOOST_TEST(restless.fired <= 2);
}

BOOST_AUTO_TEST_CASE(a_turn_fires_each_timer_once_and_none_that_was_armed_meanwhile) {
    Loop loop;
    std::string fired;
    Timer first(loop, "first");
    Timer second(loop, "second");
    Timer late(loop, "late");
    first.once(Millis{0}, [&] {
        fired += "1";
        late.once(Millis{0}, [&] { fired += "l"; });
    });
    second.once(Millis{0}, [&] { fired += "2"; });
    loop.turn(false);
    BOOST_TEST(fired == "12");
    loop.turn(false);
    BOOST_TEST(fired == "12l");
    BOOST_TEST(loop.armed_timers().empty());
}

BOOST_AUTO_TEST_CASE(a_timer_that_a_descriptor_arms_waits_for_the_next_turn) {
    Loop loop;
    const UniqueFd event = readable_event();
    Timer timer(loop, "timer");
    bool fired = false;
    loop::Poll poll(loop, event.get(), "event");
    poll.watch(loop::Poll::readable, [&](int) {
        poll.stop();
        timer.once(Millis{0}, [&] { fired = true; });
        return loop::Poll::Did::something;
    });
    loop.turn();
    BOOST_TEST(!fired);
    loop.turn();
    BOOST_TEST(fired);
}

BOOST_AUTO_TEST_CASE(timers_fire_in_the_order_of_their_times_and_then_of_their_arming) {
    Loop loop;
    std::string fired;
    Timer a(loop, "a");
    Timer b(loop, "b");
    Timer c(loop, "c");
    Timer d(loop, "d");
    a.once(Millis{30}, [&] { fired += "a"; });
    b.once(Millis{10}, [&] { fired += "b"; });
    c.once(Millis{20}, [&] { fired += "c"; });
    d.once(Millis{-5}, [&] { fired += "d"; });
    loop.run();  // ends when nothing is left to wait for
    BOOST_TEST(fired == "dbca");
}

BOOST_AUTO_TEST_CASE(an_earlier_time_that_is_armed_later_is_waited_for_first) {
    Loop loop;
    Timer far(loop, "far");
    Timer near(loop, "near");
    bool fired = false;
    far.once(std::chrono::hours(1), [] { BOOST_ERROR("an hour has not passed"); });
    loop.turn(false);  // waits for the hour from now on
    near.once(Millis{5}, [&] { fired = true; });
    while (!fired) loop.turn();
    far.once(Millis{5}, [&] { loop.stop(); });
    loop.run();
    BOOST_TEST(loop.armed_timers().empty());
}

BOOST_AUTO_TEST_CASE(a_callback_may_stop_arm_and_destroy_timers_that_are_due_with_it) {
    Loop loop;
    std::string fired;
    auto own = std::make_unique<Timer>(loop, "own");
    auto other = std::make_unique<Timer>(loop, "other");
    Timer stopped(loop, "stopped");
    Timer postponed(loop, "postponed");
    own->once(Millis{0}, [&] {
        fired += "o";
        other.reset();
        stopped.stop();
        postponed.once(Millis{0}, [&] { fired += "p"; });
        own.reset();
    });
    other->once(Millis{0}, [&] { fired += "!"; });
    stopped.once(Millis{0}, [&] { fired += "!"; });
    postponed.once(Millis{0}, [&] { fired += "!"; });
    loop.turn();
    BOOST_TEST(fired == "o");
    loop.run();
    BOOST_TEST(fired == "op");
}

BOOST_AUTO_TEST_CASE(a_period_goes_on_until_it_is_stopped) {
    Loop loop;
    Timer timer(loop, "period");
    int fired = 0;
    timer.every(Millis{2}, [&] {
        BOOST_TEST(timer.armed());
        if (++fired == 3) timer.stop();
    });
    loop.run();
    BOOST_TEST(fired == 3);
    timer.every(Millis{0}, [&] { ++fired; });  // no period: once
    loop.run();
    BOOST_TEST(fired == 4);
}

BOOST_AUTO_TEST_CASE(nothing_fires_after_stop_in_the_same_turn) {
    Loop loop;
    Timer first(loop, "first");
    Timer second(loop, "second");
    bool fired = false;
    first.once(Millis{0}, [&] { loop.stop(); });
    second.once(Millis{0}, [&] { fired = true; });
    loop.run();
    BOOST_TEST(!fired);
    loop.run();
    BOOST_TEST(fired);
}

BOOST_AUTO_TEST_CASE(a_time_beyond_what_the_clock_can_say_is_far_away) {
    Loop loop;
    Timer timer(loop, "never");
    timer.once(Millis::max(), [] { BOOST_ERROR("for ever has not passed"); });
    loop.turn(false);
    BOOST_TEST(timer.armed());
}

#ifdef DORMOUSE_CRASH_POINTS
BOOST_AUTO_TEST_CASE(what_is_due_a_day_later_fires_when_the_clock_has_moved_by_a_day) {
    Loop loop;
    Timer day(loop, "day");
    Timer month(loop, "month");
    bool fired = false;
    day.once(std::chrono::hours(24), [&] { fired = true; });
    month.once(std::chrono::hours(24 * 30), [] { BOOST_ERROR("a month has not passed"); });
    loop.turn(false);
    BOOST_TEST(!fired);
    const dormouse::testing::Ahead ahead(std::chrono::hours(24) - Millis{20});
    while (!fired) loop.turn();  // and the descriptor is set anew for the rest
    BOOST_TEST(loop.armed_timers() == std::vector<std::string>{"month"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(periods_that_were_slept_through_are_not_made_up_for) {
    Loop loop;
    Timer timer(loop, "period");
    int fired = 0;
    timer.every(std::chrono::hours(1), [&] { ++fired; });
    const dormouse::testing::Ahead ahead(std::chrono::hours(10));
    for (int turn = 0; turn < 3; ++turn) loop.turn(false);
    BOOST_TEST(fired == 1);
}
#endif

BOOST_AUTO_TEST_CASE(a_loop_that_waits_for_a_timer_uses_no_processor) {
    Loop loop;
    Timer timer(loop, "timer");
    Timer stopped(loop, "stopped");
    stopped.once(Millis{50}, [] {});
    loop.turn(false);
    stopped.stop();  // the descriptor stays set: the loop wakes once for nothing
    timer.once(Millis{400}, [] {});
    const Millis before = cpu_time();
    int turns = 0;
    while (timer.armed()) {
        loop.turn();
        ++turns;
    }
    BOOST_TEST(turns <= 3);
    BOOST_TEST_MESSAGE("400 ms of waiting took " << (cpu_time() - before).count() << " ms of the processor (aim: 0)");
}

BOOST_AUTO_TEST_SUITE_END()
