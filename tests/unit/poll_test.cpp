// A descriptor that has an error and still something to read: who reads it piece by piece must get to the error.
#include "loop/poll.h"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/test/unit_test.hpp>

#include "base/unique_fd.h"
#include "loop/resolve.h"
#include "loop/timer.h"

BOOST_AUTO_TEST_SUITE(poll)

using namespace dormouse;

BOOST_AUTO_TEST_CASE(watching_goes_on_after_an_error_until_it_has_been_met) {
    std::array<int, 2> ends{};
    BOOST_TEST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()) == 0);
    const UniqueFd ours(ends[0]);
    UniqueFd theirs(ends[1]);
    BOOST_TEST_REQUIRE(::write(ours.get(), "unread", 6) == 6);
    BOOST_TEST_REQUIRE(::write(theirs.get(), "ab", 2) == 2);
    theirs.reset();  // with something of ours unread: that is ECONNRESET for us
    loop::Loop loop;
    std::string got;
    bool over = false;
    loop::Timer deadline(loop, "deadline");
    deadline.once(Millis{5'000}, [&] { over = true; });
    loop::Poll watch(loop, ours.get(), "ours");
    watch.watch(loop::Poll::readable, [&](int) {
        char c = 0;
        const ssize_t count = ::read(ours.get(), &c, 1);
        if (count == 1) got.push_back(c);
        if (count <= 0) {
            over = true;
            watch.stop();
            deadline.stop();
        }
        return loop::Poll::Did::something;
    });
    while (!over) loop.turn();
    BOOST_TEST(got == "ab");
    BOOST_TEST(deadline.armed() == false);
}

BOOST_AUTO_TEST_CASE(a_name_that_cannot_be_one_is_refused_on_a_turn_of_its_own) {
    loop::Loop loop;
    std::string error;
    const loop::Resolve resolve(loop, std::string(400, 'x'), [&](Result<std::vector<std::string>> addresses) {
        if (!addresses) error = addresses.error().message;
    });
    BOOST_TEST(error.empty());
    while (error.empty()) loop.turn();
    BOOST_TEST(error.find("cannot resolve") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_resolution_may_be_abandoned) {
    loop::Loop loop;
    {
        const loop::Resolve one(loop, std::string(400, 'x'), [](const auto&) { BOOST_ERROR("answered"); });
    }
    {
        const loop::Resolve two(loop, "localhost", [](const auto&) { BOOST_ERROR("answered"); });
    }
    loop.turn(false);
}

BOOST_AUTO_TEST_SUITE_END()
