// Tasks that have a concurrency of their own within the pool's.
#include <boost/test/unit_test.hpp>

#include "support/pool_bench.h"

namespace worker_capped {

using namespace dormouse;
using namespace dormouse::testing;

namespace {

struct Fixture {
    TestDatabase database;
    PoolTasks tasks;
    /// Four at once, but of `single`, which is `hold` by another name, one.
    PoolBench bench{database.url(),
                    {.worker = "concurrency = 4",
                     .rest = "[task.single]\ncommand = [\"" + tasks.directory() + "/hold\"]\nconcurrency = 1",
                     .starts = false},
                    &tasks};

    std::string running(const std::string& task) {
        return database.value("SELECT count(*) FROM dormouse.runs WHERE status = 'running' AND task = $1", {task});
    }
    std::string completed(const std::string& task) {
        return database.value("SELECT count(*) FROM dormouse.runs WHERE status = 'completed' AND task = $1", {task});
    }
};

}  // namespace

}  // namespace worker_capped

BOOST_FIXTURE_TEST_SUITE(worker_capped, Fixture, *boost::unit_test::precondition(has_postgres))

BOOST_AUTO_TEST_CASE(no_more_of_a_task_than_its_own_limit_is_even_claimed_and_the_others_go_past) {
    database.exec("SELECT dormouse.enqueue('single') FROM generate_series(1, 10)");
    database.exec("SELECT dormouse.enqueue('echo') FROM generate_series(1, 10)");
    bench.worker().start();
    BOOST_TEST(bench.until([&] { return completed("echo") == "10"; }));
    BOOST_TEST(bench.tasks().started().size() == 1U);
    BOOST_TEST(running("single") == "1");
    BOOST_TEST(database.value("SELECT count(*) FROM dormouse.attempt_log") == "0");  // nothing was claimed and put back
}

BOOST_AUTO_TEST_CASE(the_next_one_starts_when_one_has_ended) {
    database.exec("SELECT dormouse.enqueue('single') FROM generate_series(1, 3)");
    bench.worker().start();
    for (std::size_t i = 1; i <= 3; ++i) {
        BOOST_TEST_REQUIRE(bench.until([&] { return bench.tasks().started().size() == i; }));
        BOOST_TEST(running("single") == "1");
        bench.tasks().release();
    }
    BOOST_TEST(bench.until([&] { return completed("single") == "3"; }));
}

BOOST_AUTO_TEST_CASE(a_task_at_its_limit_with_runs_in_its_queue_costs_no_statement) {
    database.exec("SELECT dormouse.enqueue('single') FROM generate_series(1, 3)");
    bench.worker().start();
    BOOST_TEST_REQUIRE(bench.until([&] { return bench.tasks().started().size() == 1; }));
    BOOST_TEST_REQUIRE(bench.until([&] { return bench.worker().state() == worker::State::running; }));
    bench.turns_within(Millis{300});  // the registry, the due time
    const auto statements = bench.statements();
    bench.turns_within(Millis{1'000});
    BOOST_TEST(bench.statements() == statements);
}

BOOST_AUTO_TEST_CASE(what_is_due_later_of_another_task_is_not_forgotten_for_one_at_its_limit) {
    database.exec("SELECT dormouse.enqueue('single') FROM generate_series(1, 3)");
    database.exec("SELECT dormouse.enqueue('echo', delay => '1 second')");
    bench.worker().start();
    BOOST_TEST(bench.until([&] { return completed("echo") == "1"; }));
    BOOST_TEST(bench.tasks().started().size() == 1U);
}

BOOST_AUTO_TEST_SUITE_END()
