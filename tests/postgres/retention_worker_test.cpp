// When workers take steps of retention, and that nothing waits for them: neither the exit nor a completion.
#include "postgres/retention_fixture.h"
#include "support/foreground_worker.h"
#include "support/logged_worker.h"

namespace retention_worker {

using namespace dormouse;
using namespace dormouse::testing;

namespace {

constexpr const char* leaves_soon = "look_exit = \"100ms\"\nidle_exit = \"100ms\"";

/// The exit that follows once the worker is idle, and how long it took: a second more than look_exit is promised, and
/// what a busy machine adds is far from the 20 s or the minute that it would wait otherwise.
Millis exit_of(PoolBench& bench) {
    BOOST_TEST_REQUIRE(bench.until_idle());
    const auto start = BootClock::now();
    BOOST_TEST_REQUIRE(bench.until_gone());
    BOOST_TEST(since(start) < Millis{5'000});
    return since(start);
}

}  // namespace

}  // namespace retention_worker

BOOST_FIXTURE_TEST_SUITE(retention_worker, RetentionFixture, *boost::unit_test::precondition(has_postgres))

BOOST_AUTO_TEST_CASE(on_the_way_to_sleep_what_is_old_goes_and_partitions_are_made) {
    day_ago(40);
    finished("t", 40, 100);
    const auto next_step = [&] {  // is undone
        BOOST_TEST_REQUIRE(session.script("", "BEGIN").has_value());
        const std::string next = step().did;
        BOOST_TEST_REQUIRE(session.script("", "ROLLBACK").has_value());
        return next;
    };
    // Each takes a second for it at most, and the next one goes on: on a slow machine one is not enough.
    int workers = 0;
    for (; workers == 0 || (workers < 5 && !next_step().empty()); ++workers) {
        PoolBench bench(database.url(), {.worker = leaves_soon, .leaves_when_idle = true});
        exit_of(bench);
        BOOST_TEST(bench.farewell()->graceful);
        BOOST_TEST(bench.farewell()->due_known);
    }
    BOOST_TEST_MESSAGE("so many workers went to sleep until it was done (aim: 1): " << workers);
    BOOST_TEST(count("dormouse.runs") == "0");
    BOOST_TEST(count("dormouse.partitions_of('dormouse.runs_finished')") == "10");
    BOOST_TEST(next_step() == "");
    BOOST_TEST(database.value("SELECT pool || ' ' || finished_ms FROM dormouse.retention ORDER BY said_at LIMIT 1") ==
               "bench 2592000000");
}

BOOST_AUTO_TEST_CASE(never_is_never) {
    day_ago(400);
    finished("t", 400);
    PoolBench bench(database.url(),
                    {.worker = leaves_soon, .rest = "[retention]\nfinished = \"off\"\n", .leaves_when_idle = true});
    exit_of(bench);
    BOOST_TEST(count("dormouse.runs") == "1");
    BOOST_TEST(database.value("SELECT finished_ms IS NULL FROM dormouse.retention") == "t");
}

BOOST_AUTO_TEST_CASE(a_worker_that_drains_does_it_too) {
    day_ago(40);
    finished("t", 40);
    LoggedWorker worker(database.url(), {}, {}, {"--drain"});
    BOOST_TEST(worker.process().wait().exit_code == 0);
    BOOST_TEST(count("dormouse.runs") == "0");
    BOOST_TEST_REQUIRE(worker.said("retention").size() == 1U, worker.log());
    BOOST_TEST(worker.said("retention").front().text.starts_with("dropped dormouse.runs_finished_ago_40"));
}

BOOST_AUTO_TEST_CASE(a_database_that_is_let_sleep_is_looked_after_before_its_session_closes) {
    day_ago(40);
    finished("t", 40);
    PoolBench bench(database.url(), {.database = "close_after = \"200ms\"", .leaves_when_idle = true});
    // Asked of the catalog: who reads dormouse.runs hinders the DROP that is waited for.
    BOOST_TEST(bench.until([&] { return count("pg_class WHERE relname = 'runs_finished_ago_40'") == "0"; }));
    BOOST_TEST(count("dormouse.runs") == "0");
    BOOST_TEST(bench.until([&] { return !bench.worker().database().is_open(); }));
    BOOST_TEST_MESSAGE("left to do when the session had closed (aim: nothing): '" << step().did << "'");
}

BOOST_AUTO_TEST_CASE(an_exit_does_not_wait_for_somebody_who_reads_everything_for_long) {
    day_ago(40);
    finished("t", 40);
    auto reader = database.connect();
    BOOST_REQUIRE(reader.script("", "BEGIN; SELECT count(*) FROM dormouse.runs").has_value());
    PoolBench bench(database.url(), {.worker = leaves_soon, .leaves_when_idle = true});
    const Millis exit = exit_of(bench);
    BOOST_TEST_MESSAGE("exit beside a reader: " << exit.count()
                                                << " ms after idle (100 of them look_exit; aim: 1,000 more)");
    BOOST_TEST(bench.farewell()->due_known);
    BOOST_TEST(count("dormouse.runs") == "1");
}

BOOST_AUTO_TEST_CASE(an_exit_does_not_wait_until_everything_is_done) {
    finished("t", 40, 200'000);  // 200 batches, which take several seconds
    PoolBench bench(database.url(), {.worker = leaves_soon, .leaves_when_idle = true});
    const Millis exit = exit_of(bench);
    const std::string left = count("dormouse.runs");
    BOOST_TEST_MESSAGE("exit with 200,000 rows to delete: "
                       << exit.count() << " ms after idle (aim: 1,000 and look_exit), " << left << " rows left");
    BOOST_TEST(left != "0");
    BOOST_TEST(left != "200000");
    BOOST_TEST(bench.farewell()->due_known);
}

BOOST_AUTO_TEST_CASE(an_exit_does_not_wait_for_a_step_that_takes_long) {
    day_ago(40);
    finished("t", 40);
    auto person = database.connect();  // 50 ms for a lock are not to be the reason
    database.exec("ALTER FUNCTION dormouse.retain(text, bigint, timestamptz) SET lock_timeout = '60s'");
    BOOST_REQUIRE(person.script("", "BEGIN; SELECT count(*) FROM dormouse.runs").has_value());
    PoolBench bench(database.url(), {.worker = leaves_soon, .leaves_when_idle = true});
    const Millis exit = exit_of(bench);
    BOOST_TEST_MESSAGE("exit beside a step that takes a minute: " << exit.count()
                                                                  << " ms after idle (aim: 1,000 and look_exit)");
    BOOST_TEST(count("pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%dormouse.retain%'") == "1");
    BOOST_TEST(bench.farewell()->graceful);
    BOOST_TEST(bench.farewell()->due_known);
    BOOST_TEST(database.value("SELECT state FROM dormouse.workers") == "left");
}

BOOST_AUTO_TEST_CASE(a_ring_on_the_way_to_sleep_is_answered_first) {
    finished("t", 40, 20'000);
    PoolBench bench(database.url(), {.worker = leaves_soon, .leaves_when_idle = true});
    BOOST_TEST_REQUIRE(bench.until([&] { return count("dormouse.runs") != "20000"; }));  // it is on its way
    database.exec("BEGIN; SET LOCAL dormouse.notify = off; SELECT dormouse.enqueue('echo'); COMMIT");
    bench.ring();
    BOOST_TEST(bench.until([&] { return count("dormouse.runs WHERE task = 'echo' AND status = 'completed'") == "1"; }));
    BOOST_TEST(!bench.farewell().has_value());
}

BOOST_AUTO_TEST_CASE(a_worker_that_is_busy_does_it_beside_its_work) {
    day_ago(40);
    finished("t", 40);
    LoggedWorker worker(database.url());
    database.exec("SELECT dormouse.enqueue('hold')");
    BOOST_TEST_REQUIRE(worker.until_said("run_dispatched"));
    BOOST_TEST(worker.until_said("retention"));  // ten seconds after the start; partitions of now come before that
    BOOST_TEST(eventually([&] { return count("dormouse.runs WHERE status = 'completed'") == "0"; }));
    worker.tasks().release();
    BOOST_TEST(worker.until_said("run_completed"));
    BOOST_TEST(count("dormouse.runs_finished_default") == "0");
}

BOOST_AUTO_TEST_SUITE_END()
