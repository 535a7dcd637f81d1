// A doorbell whose rings cannot be accepted: a look is owed all the same, and the loop does not turn for it.
#include "worker/doorbell.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>

#include "loop/timer.h"
#include "support/pool_bench.h"

namespace doorbell {

using namespace dormouse;
using namespace dormouse::testing;

namespace {

/// No descriptor can be had in this process, as long as it lives.
class NoDescriptors {
  public:
    NoDescriptors() {
        ::getrlimit(RLIMIT_NOFILE, &before_);
        const UniqueFd next(::open("/dev/null", O_RDONLY | O_CLOEXEC));
        rlimit none = before_;
        none.rlim_cur = static_cast<rlim_t>(next.get());  // every smaller number is taken
        BOOST_REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
    }
    ~NoDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }
    NoDescriptors(const NoDescriptors&) = delete;
    NoDescriptors& operator=(const NoDescriptors&) = delete;

  private:
    rlimit before_{};
};

struct Scene {
    TemporaryDirectory directory;
    std::string bell = directory.path() + "/bell";
    loop::Loop loop;
    loop::Timer tick{loop, "test.tick"};
    int rings = 0;

    std::vector<UniqueFd> listeners() const {
        std::vector<UniqueFd> all;
        all.push_back(listen_at(bell));
        return all;
    }
    int turns_within(Millis time) {
        bool over = false;
        tick.once(time, [&] { over = true; });
        int turns = 0;
        for (; !over; ++turns) loop.turn();
        return turns;
    }
};

}  // namespace

}  // namespace doorbell

BOOST_FIXTURE_TEST_SUITE(doorbell, Scene)

BOOST_AUTO_TEST_CASE(a_reserve_is_enough_to_answer_without_any_other_descriptor) {
    worker::Doorbell door(loop, listeners());
    door.answer([&] { ++rings; });
    BOOST_TEST_REQUIRE(ring_at(bell));
    {
        const NoDescriptors none;
        loop.turn();
        BOOST_TEST(rings == 1);
    }
    BOOST_TEST(!door.empty_now());
}

BOOST_AUTO_TEST_CASE(rings_that_cannot_be_accepted_are_answered_by_looks_and_watched_again_after_a_pause) {
    auto sockets = listeners();
    BOOST_TEST_REQUIRE(ring_at(bell));
    std::optional<worker::Doorbell> door;
    {
        const NoDescriptors none;
        door.emplace(loop, std::move(sockets));  // without a reserve
        door->answer([&] { ++rings; });
        const int turns = turns_within(Millis{1'000});
        BOOST_TEST(rings >= 1);  // whoever rang is served
        BOOST_TEST(rings <= 6);
        BOOST_TEST(turns <= 20);
        BOOST_TEST(loop.armed_timers() == std::vector<std::string>{"doorbell.pause"}, boost::test_tools::per_element());
    }
    const int before = rings;
    while (rings == before) loop.turn();
    BOOST_TEST(!door->empty_now());
    BOOST_TEST(loop.armed_timers().empty());
    BOOST_TEST_REQUIRE(ring_at(bell));
    loop.turn();
    BOOST_TEST(rings == before + 2);
}

BOOST_AUTO_TEST_CASE(whoever_stops_during_the_pause_does_not_watch_again) {
    auto sockets = listeners();
    BOOST_TEST_REQUIRE(ring_at(bell));
    const NoDescriptors none;
    worker::Doorbell door(loop, std::move(sockets));
    door.answer([&] { ++rings; });
    loop.turn();
    door.stop();
    BOOST_TEST(loop.armed_timers().empty());
    turns_within(Millis{300});
    BOOST_TEST(rings == 1);
}

BOOST_AUTO_TEST_SUITE_END()
