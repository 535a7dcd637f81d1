// Runs that were claimed ahead of the slots: nobody waits for them in vain, and nothing of them is left behind.
#include <boost/test/unit_test.hpp>

#include "support/paths.h"
#include "support/pool_bench.h"
#include "support/process.h"

namespace worker_shelf {

using namespace dormouse;
using namespace dormouse::testing;

namespace {

struct Fixture {
    TestDatabase database;
    PoolBench bench{database.url(), {.worker = "concurrency = 1", .starts = false}};

    std::string count(const std::string& status) {
        return database.value("SELECT count(*) FROM dormouse.runs WHERE status = $1", {status});
    }
    /// Short runs, so that it fetches ahead; then one that takes the only slot, with others behind it.
    void is_held_up_with_runs_on_the_shelf() {
        database.exec("SELECT dormouse.enqueue('echo', priority => 0) FROM generate_series(1, 300)");
        database.exec("SELECT dormouse.enqueue('hold', priority => 1)");
        database.exec("SELECT dormouse.enqueue('echo', priority => 2) FROM generate_series(1, 40)");
        bench.worker().start();
        BOOST_TEST_REQUIRE(bench.until([&] { return bench.tasks().started().size() == 1; }));
    }
};

}  // namespace

}  // namespace worker_shelf

BOOST_FIXTURE_TEST_SUITE(worker_shelf, Fixture, *boost::unit_test::precondition(has_postgres))

BOOST_AUTO_TEST_CASE(a_run_never_waits_in_one_worker_while_another_is_idle) {
    is_held_up_with_runs_on_the_shelf();
    const Process other({{dormouse_binary, "worker", "--config", bench.file()}, {}, {}, {}, Millis{60'000}});
    // Once it has held up, in 200 ms; the rest is the start of the other one.
    BOOST_TEST(bench.until([&] { return count("completed") == "340"; }, Millis{5'000}), count("completed")
                                                                                            << " completed");
    BOOST_TEST(count("running") == "1");
    // It had more than its slot, and gave that back; on a busy machine that may be over before anybody looks.
    BOOST_TEST(database.value("SELECT count(*) > 0 FROM dormouse.attempt_log WHERE outcome = 'handed_back'") == "t");
    BOOST_TEST(database.value("SELECT count(*) FROM dormouse.attempt_log WHERE outcome <> 'handed_back'") == "0");
    bench.tasks().release();
    BOOST_TEST(bench.until([&] { return count("completed") == "341"; }));
    BOOST_TEST(database.value("SELECT max(attempts) FROM dormouse.runs") == "1");
}

BOOST_AUTO_TEST_CASE(alone_it_gives_them_back_as_well_and_asks_for_no_more_than_it_can_start) {
    is_held_up_with_runs_on_the_shelf();
    BOOST_TEST(bench.until([&] { return count("running") == "1"; }));
    bench.turns_within(Millis{300});
    const auto statements = bench.statements();
    bench.turns_within(Millis{1'000});
    BOOST_TEST(bench.statements() == statements);
    bench.tasks().release();
    BOOST_TEST(bench.until([&] { return count("completed") == "341"; }));
    BOOST_TEST(database.value("SELECT max(attempts) FROM dormouse.runs") == "1");
}

BOOST_AUTO_TEST_CASE(a_worker_that_leaves_gives_them_back_at_once) {
    is_held_up_with_runs_on_the_shelf();
    bench.worker().terminate();
    BOOST_TEST(bench.until([&] { return count("running") == "1"; }));
    bench.tasks().release();
    BOOST_TEST_REQUIRE(bench.until([&] { return bench.farewell().has_value(); }));
    BOOST_TEST(bench.farewell()->graceful);
    BOOST_TEST(count("running") == "0");
    BOOST_TEST(count("queued") == std::to_string(341 - std::stoi(count("completed"))));
    BOOST_TEST(database.value("SELECT max(attempts) FROM dormouse.runs WHERE status = 'queued'") == "0");
}

BOOST_AUTO_TEST_CASE(one_that_was_canceled_there_is_never_started) {
    is_held_up_with_runs_on_the_shelf();
    database.exec("UPDATE dormouse.runs SET status = 'canceled' WHERE priority = 2");
    BOOST_TEST(bench.until([&] { return count("running") == "1"; }));
    bench.tasks().release();
    BOOST_TEST(bench.until_idle());
    BOOST_TEST(count("completed") == "301");
    BOOST_TEST(count("canceled") == "40");
}

BOOST_AUTO_TEST_SUITE_END()
