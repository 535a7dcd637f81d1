// What people type while a worker is at work on those rows: their word counts, and the handler hears of it.
#include <boost/test/unit_test.hpp>

#include "support/pool_bench.h"

BOOST_AUTO_TEST_SUITE(runbook_live, *boost::unit_test::precondition(dormouse::testing::has_postgres))

using namespace dormouse;
using namespace dormouse::testing;

namespace {

struct Live {
    TestDatabase database;
    PoolBench bench;
    std::string id;

    explicit Live(const std::string& task = "hold") : bench(database.url()) {
        id = database.value("SELECT dormouse.enqueue('" + task + "')");
        BOOST_TEST_REQUIRE(starts(1));
    }
    bool starts(std::size_t times) {
        return bench.until([&] { return bench.tasks().started().size() >= times; });
    }
    bool process_gone(std::size_t which) {
        return bench.until([&] { return !process_lives(bench.tasks().processes().at(which)); });
    }
    std::string status() { return database.value("SELECT status FROM dormouse.runs WHERE id = $1", {id}); }
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_run_set_back_to_queued_is_stopped_and_executed_again) {
    Live live;
    live.database.exec(
        "SET search_path = dormouse; UPDATE runs SET status = 'queued', started_at = NULL WHERE status = 'running'"
        " AND started_at < now() + interval '60 minutes'");
    BOOST_TEST(live.process_gone(0));
    BOOST_TEST(live.starts(2));
    live.bench.tasks().release();
    BOOST_TEST(live.bench.until([&] { return live.status() == "completed"; }));
    BOOST_TEST(
        live.database.value(
            "SELECT string_agg(outcome, ' ' ORDER BY attempt) FROM dormouse.attempts WHERE outcome <> 'not_started'") ==
        "taken_back completed");
    BOOST_TEST(live.database.value("SELECT attempts FROM dormouse.runs") == "1");
}

BOOST_AUTO_TEST_CASE(a_run_set_to_completed_cancels_its_handler_and_takes_no_result) {
    Live live;
    live.database.exec("SET search_path = dormouse; UPDATE runs SET status = 'completed' WHERE id = '" + live.id + "'");
    BOOST_TEST(live.process_gone(0));
    BOOST_TEST(live.bench.until_idle());
    BOOST_TEST(live.status() == "completed");
    BOOST_TEST(live.database.value("SELECT result IS NULL AND error IS NULL FROM dormouse.runs") == "t");
    BOOST_TEST(live.bench.tasks().started().size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_deleted_run_cancels_its_handler) {
    Live live;
    live.database.exec("DELETE FROM dormouse.runs WHERE id = '" + live.id + "'");
    BOOST_TEST(live.process_gone(0));
    BOOST_TEST(live.bench.until_idle());
    BOOST_TEST(live.database.value("SELECT count(*) FROM dormouse.runs") == "0");
}

BOOST_AUTO_TEST_CASE(a_run_that_is_taken_away_under_any_name_of_the_table_ends_its_handler) {
    for (const std::string how :
         {"DELETE FROM dormouse.runs", "DELETE FROM dormouse.runs_live",
          "DELETE FROM ONLY dormouse.runs_live WHERE true", "TRUNCATE dormouse.runs", "TRUNCATE dormouse.runs_live",
          "UPDATE dormouse.runs SET status = 'canceled'",
          "UPDATE dormouse.runs_live SET status = 'queued', run_at = 'infinity'",
          "UPDATE dormouse.runs_live SET status = 'queued', run_at = 'infinity', fence = NULL, lease_until = NULL"}) {
        Live live;
        live.database.exec(how);
        BOOST_TEST(live.process_gone(0), how);
    }
}

BOOST_AUTO_TEST_CASE(a_canceled_run_of_a_stubborn_handler_stays_canceled) {
    Live live("stubborn");
    live.database.exec("UPDATE dormouse.runs SET status = 'canceled' WHERE id = '" + live.id + "'");
    live.bench.turns_within(Millis{300});
    BOOST_TEST(process_lives(live.bench.tasks().processes().at(0)));
    live.bench.tasks().release();  // it has a result after all
    BOOST_TEST(live.bench.until_idle());
    BOOST_TEST(live.status() == "canceled");
}

// The same worker claims it again while the first handler is still there: never two of one run at a time.
BOOST_AUTO_TEST_CASE(a_run_claimed_again_waits_for_its_own_first_handler) {
    Live live("stubborn");
    live.database.exec("UPDATE dormouse.runs SET status = 'queued' WHERE id = '" + live.id + "'");
    BOOST_TEST(live.bench.until([&] {
        return live.database.value("SELECT count(*) FROM dormouse.attempts WHERE outcome = 'not_started'") != "0";
    }));
    BOOST_TEST(live.database.value("SELECT DISTINCT error ->> 'message' FROM dormouse.attempts WHERE outcome = "
                                   "'not_started'") == "its handler of before is still being ended");
    BOOST_TEST(live.bench.tasks().started().size() == 1U);
    live.bench.tasks().release();
    BOOST_TEST(live.starts(2));
    live.bench.tasks().release();
    BOOST_TEST(live.bench.until([&] { return live.status() == "completed"; }));
    BOOST_TEST(live.database.value("SELECT attempts FROM dormouse.runs") == "1");
}

BOOST_AUTO_TEST_CASE(a_taking_away_that_is_heard_of_while_a_round_is_on_the_wire_is_not_forgotten) {
    for (int round = 0; round < 20; ++round) {
        Live live;
        // the question about the first notification may be on its way while the second run is taken away
        const std::string other = live.database.value("SELECT dormouse.enqueue('hold')");
        BOOST_TEST_REQUIRE(live.starts(2));
        live.database.exec("DELETE FROM dormouse.runs WHERE id = '" + live.id + "'");
        live.bench.loop().turn();
        live.database.exec("DELETE FROM dormouse.runs WHERE id = '" + other + "'");
        BOOST_TEST_REQUIRE(live.bench.until_idle());
    }
}

BOOST_AUTO_TEST_CASE(a_run_that_is_made_due_earlier_wakes_the_worker) {
    TestDatabase database;
    const std::string id = database.value("SELECT dormouse.enqueue('echo', delay => '1 hour')");
    PoolBench bench(database.url());
    BOOST_TEST_REQUIRE(bench.until_idle());
    database.exec("UPDATE dormouse.runs SET run_at = now() WHERE id = '" + id + "'");
    BOOST_TEST(bench.until([&] { return database.value("SELECT status FROM dormouse.runs") == "completed"; }));
}

BOOST_AUTO_TEST_CASE(a_run_that_is_made_more_urgent_goes_first) {
    TestDatabase database;
    PoolBench bench(database.url(), {.worker = "concurrency = 1"});
    database.exec("SELECT dormouse.enqueue('hold')");
    BOOST_TEST_REQUIRE(bench.until([&] { return bench.tasks().started().size() == 1; }));
    const std::string first = database.value("SELECT dormouse.enqueue('hold')");
    const std::string second = database.value("SELECT dormouse.enqueue('hold')");
    database.exec("UPDATE dormouse.runs SET priority = -1 WHERE id = '" + second + "'");
    for (int i = 0; i < 3; ++i) bench.tasks().release();
    BOOST_TEST_REQUIRE(bench.until([&] { return bench.tasks().started().size() == 3; }));
    BOOST_TEST(bench.tasks().started().at(1) == second);
    BOOST_TEST(bench.tasks().started().at(2) == first);
}

BOOST_AUTO_TEST_CASE(a_failed_run_that_is_queued_again_is_attempted_again) {
    TestDatabase database;
    PoolBench bench(database.url());
    const std::string id = database.value("SELECT dormouse.enqueue('fail')");
    BOOST_TEST_REQUIRE(bench.until([&] { return database.value("SELECT status FROM dormouse.runs") == "failed"; }));
    database.exec("UPDATE dormouse.runs SET status = 'queued', task = 'echo' WHERE id = '" + id + "'");
    BOOST_TEST(bench.until([&] { return database.value("SELECT status FROM dormouse.runs") == "completed"; }));
}

BOOST_AUTO_TEST_SUITE_END()
