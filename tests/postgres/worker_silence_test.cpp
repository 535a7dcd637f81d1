// W8: silence is silent. An idle worker arms no timer but those named here, and sends no statement.
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <fstream>

#include "support/pool_bench.h"
#include "worker/pool.h"

BOOST_AUTO_TEST_SUITE(worker_silence, *boost::unit_test::precondition(dormouse::testing::has_postgres))

using namespace dormouse;
using namespace dormouse::testing;

namespace {

using Names = std::vector<std::string>;

void require_timers(PoolBench& bench, const Names& expected) {
    Names names = bench.loop().armed_timers();
    std::erase(names, "exec.orphans");  // where there is no cgroup for each run, as long as handlers are at work
    BOOST_TEST(names == expected, boost::test_tools::per_element());
}

}  // namespace

BOOST_AUTO_TEST_CASE(an_idle_worker_arms_nothing_but_its_exit) {
    TestDatabase database;
    PoolBench bench(database.url(), {.leaves_when_idle = true});
    BOOST_TEST_REQUIRE(bench.until_idle());
    require_timers(bench, {"worker.exit"});
}

// From outside in, as its unit starts it: what systemd asks for is one timer more.
BOOST_AUTO_TEST_CASE(an_idle_worker_of_a_unit_arms_its_watchdog_besides) {
    const TestDatabase database;
    const TemporaryDirectory directory;
    const PoolTasks tasks;
    const std::string here = directory.path();
    std::ofstream(here + "/p.toml") << pool_toml(
        database.url(), {.rest = "[paths]\nspool_directory = \"" + here + "\"\nwake_directory = \"" + here + "\""},
        tasks);
    ::setenv("RUNTIME_DIRECTORY", (here + "/p").c_str(), 1);
    ::setenv("WATCHDOG_USEC", "60000000", 1);
    {
        loop::Loop loop;
        config::Sources sources;
        sources.pool = "p";
        sources.environment = {{"DORMOUSE_PATHS_RUNTIME_DIRECTORY", here}};
        sources.file = here + "/p.toml";
        worker::Pool pool(loop, sources);
        pool.start();
        loop::Timer deadline(loop, "test.deadline");
        bool over = false;
        deadline.once(Millis{20'000}, [&] { over = true; });
        while (!over && (pool.worker() == nullptr || pool.worker()->state() != worker::State::idle)) loop.turn();
        deadline.stop();
        BOOST_TEST(loop.armed_timers() == (Names{"pool.watchdog", "worker.exit"}), boost::test_tools::per_element());
    }
    ::unsetenv("RUNTIME_DIRECTORY");
    ::unsetenv("WATCHDOG_USEC");
}

BOOST_AUTO_TEST_CASE(an_idle_worker_in_the_foreground_arms_nothing) {
    TestDatabase database;
    PoolBench bench(database.url());
    BOOST_TEST_REQUIRE(bench.until_idle());
    require_timers(bench, {});
}

BOOST_AUTO_TEST_CASE(a_run_put_off_is_one_timer) {
    TestDatabase database;
    database.exec("SELECT dormouse.enqueue('echo', delay => '1 hour')");
    PoolBench bench(database.url());
    BOOST_TEST_REQUIRE(bench.until_idle());
    require_timers(bench, {"worker.next"});
}

BOOST_AUTO_TEST_CASE(a_running_handler_is_a_lease_and_a_timeout) {
    TestDatabase database;
    PoolBench bench(database.url());
    database.exec("SELECT dormouse.enqueue('hold')");
    BOOST_TEST_REQUIRE(bench.until([&] { return bench.tasks().started().size() == 1; }));
    BOOST_TEST_REQUIRE(bench.until([&] { return bench.worker().state() == worker::State::running; }));
    BOOST_TEST_REQUIRE(bench.until([&] {  // the round that registers the worker has been answered
        const Names names = bench.loop().armed_timers();
        return std::find(names.begin(), names.end(), "wire.answer") == names.end();
    }));
    require_timers(bench, {"handler.attempt", "worker.next"});
    const auto statements = bench.statements();
    BOOST_TEST(bench.turns_within(Millis{500}) < 10);
    BOOST_TEST(bench.statements() == statements);
    bench.tasks().release();
    BOOST_TEST_REQUIRE(bench.until_idle());
    require_timers(bench, {});
}

BOOST_AUTO_TEST_CASE(an_idle_worker_sends_no_statement_and_its_loop_does_not_turn) {
    TestDatabase database;
    database.exec("SELECT dormouse.enqueue('echo')");
    PoolBench bench(database.url(), {.leaves_when_idle = true});
    BOOST_TEST_REQUIRE(bench.until(
        [&] { return database.value("SELECT count(*) FROM dormouse.runs WHERE status = 'completed'") == "1"; }));
    BOOST_TEST_REQUIRE(bench.until_idle());
    const auto statements = bench.statements();
    BOOST_TEST(bench.turns_within(Millis{2'000}) < 5);
    BOOST_TEST(bench.statements() == statements);
}

BOOST_AUTO_TEST_CASE(after_a_burst_of_rings_and_notifications_it_is_silent_again) {
    TestDatabase database;
    PoolBench bench(database.url());
    BOOST_TEST_REQUIRE(bench.until_idle());
    for (int i = 0; i < 50; ++i) bench.ring();
    database.exec("SELECT pg_notify(dormouse.channel('queue:default'), '')");
    BOOST_TEST_REQUIRE(bench.until([&] { return bench.worker().state() == worker::State::claiming; }));
    BOOST_TEST_REQUIRE(bench.until_idle());
    bench.turns_within(Millis{300});
    const auto statements = bench.statements();
    BOOST_TEST(bench.turns_within(Millis{1'000}) < 5);
    BOOST_TEST(bench.statements() == statements);
    require_timers(bench, {});
}

BOOST_AUTO_TEST_SUITE_END()
