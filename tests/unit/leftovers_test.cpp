// What ends the processes that a run of a warm process has left behind.
#include "handlers/leftovers.h"

#include <limits>

#include "exec_fixture.h"

BOOST_AUTO_TEST_SUITE(leftovers)

using namespace dormouse;
using namespace dormouse::handlers;
using namespace dormouse::handlers::test;

namespace {

constexpr auto later = std::numeric_limits<std::uint64_t>::max();

/// A process that has started one that does not end when it is asked to.
struct Stubborn {
    loop::Loop loop;
    RunCgroups cgroups{"/nowhere"};
    Launcher launcher{loop, cgroups};
    Orphans orphans{loop, launcher};
    std::string said;
    bool gone = false;
    std::unique_ptr<Child> child;
    Leftovers leftovers{loop};
    loop::Timer ticker{loop, "test.ticker"};

    Stubborn() {
        orphans.adopt();
        ticker.every(Millis{1}, [] {});
        const std::string script = "read go <&3; (trap '' TERM; echo there >&3; sleep 1000) & exec cat <&3";
        Launch launch{"/bin/sh", {"/bin/sh", "-c", script}, {"PATH=/usr/bin:/bin"}, ""};
        launch.control = Control::socket;
        child = std::make_unique<Child>(
            ChildHost{loop, launcher, orphans}, Order{"it", [launch] { return launch; }, {}}, "", "1:x",
            Child::Events{[](std::string_view /*piece*/) {}, [](std::string_view /*piece*/) {},
                          [this](std::string_view piece) { said += piece; },
                          [this](const ChildExit& /*exit*/) { gone = true; }});
        until([this] { return child->running(); });
        leftovers.keep_present(*child);
        child->send("go\n");
        until([this] { return said == "there\n"; });
    }
    template <typename Happened>
    void until(const Happened& happened) {
        const auto begin = BootClock::now();
        while (!happened() && since(begin) < deadline) loop.turn();
        BOOST_REQUIRE(happened());
    }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(who_does_not_end_is_ended, Stubborn) {
    bool done = false;
    leftovers.end(*child, 0, {}, [&] { done = true; });
    BOOST_TEST(leftovers.at_work());
    until([&] { return done; });
    BOOST_TEST(!leftovers.at_work());
    BOOST_TEST(child->running());
}

// A function answers as soon as the command that it waited for has got the signal.
BOOST_FIXTURE_TEST_CASE(an_answer_that_comes_while_they_are_being_ended_takes_over, Stubborn) {
    leftovers.end_between(*child, 0, later);
    BOOST_TEST(leftovers.at_work());
    int done = 0;
    leftovers.end(*child, later, {}, [&] { ++done; });  // none of them is this one's
    BOOST_TEST(done == 1);
    BOOST_TEST(!leftovers.at_work());
    const auto begin = BootClock::now();
    until([&] { return since(begin) > Millis{100}; });  // longer than the pauses between two looks
    BOOST_TEST(done == 1);
    BOOST_TEST(!leftovers.at_work());
}

BOOST_AUTO_TEST_SUITE_END()
