// Many files at once: a worker takes the limit that it may have, the programs it starts have the one it was given, and
// a doorbell is answered when there is no descriptor left.
#include "base/open_files.h"

#include <fcntl.h>

#include <boost/test/unit_test.hpp>
#include <cerrno>

#include "support/cluster.h"
#include "support/pool_bench.h"
#include "systemd/ring.h"
#include "unit/exec_fixture.h"
#include "worker/doorbell.h"

BOOST_AUTO_TEST_SUITE(open_files)

using namespace dormouse;
using namespace dormouse::handlers::test;

namespace {

rlimit limit_now() {
    rlimit limit{};
    BOOST_REQUIRE(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
    return limit;
}

/// Sets the soft limit, and puts back what was there.
class SoftLimit {
  public:
    explicit SoftLimit(rlim_t files) : before_(limit_now()) {
        const rlimit lower{files, before_.rlim_max};
        BOOST_REQUIRE(::setrlimit(RLIMIT_NOFILE, &lower) == 0);
    }
    ~SoftLimit() { ::setrlimit(RLIMIT_NOFILE, &before_); }
    SoftLimit(const SoftLimit&) = delete;
    SoftLimit& operator=(const SoftLimit&) = delete;

  private:
    rlimit before_;
};

}  // namespace

BOOST_AUTO_TEST_CASE(more_runs_than_the_soft_limit_allows_and_each_has_the_limit_the_worker_was_started_with) {
    BOOST_REQUIRE(limit_now().rlim_max > 400);
    const SoftLimit low(200);
    raise_open_files();
    BOOST_TEST(limit_now().rlim_cur == limit_now().rlim_max);
    Bench bench(shell("ulimit -n"));
    std::vector<Uuid> runs;
    for (int i = 0; i < 60; ++i)
        runs.push_back(bench.start());  // five descriptors each: 300, and none is closed before the loop turns
    for (const Uuid& run : runs) {
        const handlers::Outcome outcome = bench.wait(run);
        BOOST_TEST(outcome.error_message == "");
        BOOST_TEST(outcome.result == "200\n");
    }
}

BOOST_AUTO_TEST_CASE(a_ring_is_answered_with_no_descriptor_left_and_does_not_come_back) {
    const testing::TemporaryDirectory directory;
    loop::Loop loop;
    std::vector<UniqueFd> bells;
    bells.push_back(testing::listen_at(directory.path() + "/pool.sock"));
    worker::Doorbell doorbell(loop, std::move(bells));
    int rings = 0;
    doorbell.answer([&rings] { ++rings; });
    for (int i = 0; i < 2; ++i) BOOST_TEST(systemd::ring(directory.path() + "/pool.sock").has_value());
    loop::Timer end(loop, "test.end");
    bool over = false;
    end.once(Millis{200}, [&over] { over = true; });

    std::vector<UniqueFd> all;  // all that there are
    {
        const SoftLimit low(64);
        for (int fd = 0; (fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0;) all.emplace_back(fd);
        BOOST_TEST(errno == EMFILE);
        int turns = 0;
        while (!over) {
            loop.turn();
            ++turns;
        }
        BOOST_TEST(rings == 1);  // both at once
        BOOST_TEST(turns <= 5);  // one for them, one for the timer: the loop does not spin
        all.clear();
    }
    BOOST_TEST(!doorbell.empty_now());
}

BOOST_AUTO_TEST_SUITE_END()
