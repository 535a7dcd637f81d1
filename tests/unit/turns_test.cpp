// A loop that turns without any change in the world: timers of 0 ms, descriptors that nobody empties.
#include "loop/turns.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <csignal>

#include "base/unique_fd.h"
#include "loop/async.h"
#include "loop/poll.h"
#include "loop/signal.h"
#include "loop/timer.h"
#include "restless.h"

using namespace dormouse;
using dormouse::testing::readable_event;
using dormouse::testing::Restless;
using loop::Loop;
using loop::Poll;
using loop::Timer;
using Did = Poll::Did;

namespace {

/// Ready for ever, and nobody does anything about it.
struct Unheeded {
    explicit Unheeded(Loop& loop, std::string name)
        : event(readable_event()), poll(loop, event.get(), std::move(name)) {
        poll.watch(Poll::readable, [this](int) {
            ++told;
            return Did::nothing;
        });
    }
    UniqueFd event;
    Poll poll;
    int told = 0;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(turns)

BOOST_AUTO_TEST_CASE(a_loop_that_turns_for_nothing_rests_and_says_which_timers_made_it_turn) {
    Loop loop;
    std::vector<std::string> said;
    loop.turns().on_idle([&](const std::string& timers) { said.push_back(timers); });
    Restless one(loop, "one");
    Restless two(loop, "two");
    const auto begin = BootClock::now();
    while (said.empty()) loop.turn();
    BOOST_TEST(said.front() == "one, two");
    BOOST_TEST(loop.turns().are_idle());
    BOOST_TEST(one.fired == 100);
    for (int turn = 0; turn < 4; ++turn) loop.turn();
    BOOST_TEST(one.fired <= 104);
    BOOST_TEST(since(begin).count() >= 100);
    BOOST_TEST(said.size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_loop_that_rests_goes_on_at_once_when_something_happens) {
    Loop loop;
    Restless restless(loop, "restless");
    while (!loop.turns().are_idle()) loop.turn();
    bool idle = true;

    const UniqueFd event = readable_event();
    Poll poll(loop, event.get(), "event");
    poll.watch(Poll::readable, [&](int) {
        idle = loop.turns().are_idle();
        poll.stop();
        return Did::something;
    });
    while (idle) loop.turn();

    while (!loop.turns().are_idle()) loop.turn();
    idle = true;
    loop::Async knocked(loop, [&] { idle = loop.turns().are_idle(); });
    knocked.knock();
    while (idle) loop.turn();

    while (!loop.turns().are_idle()) loop.turn();
    idle = true;
    const loop::Signal signal(loop, SIGUSR1, [&] { idle = loop.turns().are_idle(); });
    ::raise(SIGUSR1);
    while (idle) loop.turn();

    while (!loop.turns().are_idle()) loop.turn();
    Timer waited(loop, "waited");
    bool then = false;
    waited.once(Millis{1}, [&] { then = loop.turns().are_idle(); });
    while (waited.armed()) loop.turn();
    BOOST_TEST(then);  // a watchdog's timer must not see its own firing as a change
    BOOST_TEST(!loop.turns().are_idle());
}

BOOST_AUTO_TEST_CASE(a_loop_with_work_of_its_own_may_turn_as_often_as_it_likes) {
    Loop loop;
    loop.turns().on_idle([](const std::string& timers) { BOOST_ERROR("not idle: " + timers); });
    const UniqueFd event = readable_event();
    Poll poll(loop, event.get(), "event");
    poll.watch(Poll::readable, [](int) { return Did::something; });
    Restless restless(loop, "restless");
    for (int turn = 0; turn < 300; ++turn) loop.turn();
    BOOST_TEST(restless.fired >= 299);
}

BOOST_AUTO_TEST_CASE(a_descriptor_that_nobody_empties_is_left_alone_after_a_hundred_turns_and_named) {
    Loop loop;
    std::vector<std::string> said;
    loop.turns().on_idle([&](const std::string& names) { said.push_back(names); });
    Unheeded door(loop, "door");
    while (said.empty()) loop.turn();
    BOOST_TEST(said.front() == "door");
    BOOST_TEST(loop.turns().are_idle());
    const auto begin = BootClock::now();
    const int before = door.told;
    while (since(begin) < Millis{450}) loop.turn();
    BOOST_TEST(door.told - before >= 2);
    BOOST_TEST(door.told - before <= 6);
    BOOST_TEST(loop.turns().are_idle());
    BOOST_TEST(said.size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_descriptor_that_nobody_empties_beside_a_timer_makes_a_loop_that_turns_for_nothing) {
    Loop loop;
    std::string said;
    loop.turns().on_idle([&](const std::string& names) { said = names; });
    Unheeded door(loop, "door");
    Unheeded window(loop, "window");
    Restless restless(loop, "restless");
    while (said.empty()) loop.turn();
    BOOST_TEST(said == "door, window, restless");
    const auto begin = BootClock::now();
    const int before = door.told + restless.fired;
    while (since(begin) < Millis{450}) loop.turn();
    BOOST_TEST(door.told + restless.fired - before <= 12);
}

BOOST_AUTO_TEST_CASE(whatever_happens_beside_it_is_served_at_once_and_without_lengthened_timers) {
    Loop loop;
    Unheeded door(loop, "door");
    while (!loop.turns().are_idle()) loop.turn();
    const UniqueFd event(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
    Poll poll(loop, event.get(), "event");
    Timer soon(loop, "soon");
    bool done = false;
    poll.watch(Poll::readable, [&](int) {
        std::uint64_t times = 0;
        if (::read(event.get(), &times, sizeof times) < 0) return Did::nothing;
        soon.once(Millis{0}, [&] { done = true; });
        return Did::something;
    });
    const auto begin = BootClock::now();
    const std::uint64_t one = 1;
    BOOST_TEST_REQUIRE(::write(event.get(), &one, sizeof one) == sizeof one);
    while (!done) loop.turn();
    BOOST_TEST(since(begin).count() < 90);
    while (!loop.turns().are_idle()) loop.turn();  // and then it turns for nothing again
}

BOOST_AUTO_TEST_CASE(one_that_was_left_alone_may_be_changed_stopped_and_destroyed) {
    Loop loop;
    auto door = std::make_unique<Unheeded>(loop, "door");
    while (!loop.turns().are_idle()) loop.turn();
    loop.turn(false);
    const int before = door->told;
    door->poll.stop();
    door->poll.change(Poll::readable);
    loop.turn(false);
    BOOST_TEST(door->told == before + 1);  // whoever watches it anew is heard at once
    door.reset();
    loop.turn(false);
}

BOOST_AUTO_TEST_SUITE_END()
