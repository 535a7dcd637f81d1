// A host that is suspended while its worker is awake: what became due meanwhile is done at once afterwards, and not by a
// clock that stood still. The database is another host: its clock went on, which each case says by its own hand.
#include <boost/test/unit_test.hpp>
#include <deque>

#include "support/ahead.h"
#include "support/pool_bench.h"

#ifdef DORMOUSE_CRASH_POINTS

BOOST_AUTO_TEST_SUITE(worker_suspend, *boost::unit_test::precondition(dormouse::testing::has_postgres))

using namespace dormouse;
using namespace dormouse::testing;
using std::chrono::hours;
using std::chrono::minutes;

namespace {

/// Much less than whatever the cases wait for, and enough for a busy machine.
constexpr Millis at_once{10'000};

std::string status(TestDatabase& database) {
    return database.value("SELECT concat_ws(' ', status, attempts) FROM dormouse.runs");
}

std::string outcome(TestDatabase& database) {
    return database.value("SELECT string_agg(outcome, ' ' ORDER BY attempt) FROM dormouse.attempts");
}

bool hold_starts(PoolBench& bench) {
    return bench.until([&] { return bench.tasks().started().size() == 1; });
}

bool handler_ends(PoolBench& bench) {
    return bench.until([&] { return !process_lives(bench.tasks().processes().front()); }, at_once);
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_run_that_became_due_meanwhile_is_claimed_at_once) {
    TestDatabase database;
    database.exec("SELECT dormouse.enqueue('echo', delay => '8 hours')");
    PoolBench bench(database.url());
    BOOST_TEST_REQUIRE(bench.until_idle());
    database.exec("UPDATE dormouse.runs_live SET run_at = now()");  // by the leaf: nobody is notified
    bench.turns_within(Millis{300});
    BOOST_TEST(status(database) == "queued 0");
    const Ahead ahead(hours(8));
    BOOST_TEST(bench.until([&] { return status(database) == "completed 1"; }, at_once), status(database));
}

BOOST_AUTO_TEST_CASE(a_run_that_is_not_due_yet_waits_for_the_rest_of_its_time) {
    TestDatabase database;
    database.exec("SELECT dormouse.enqueue('echo', delay => '8 hours')");
    PoolBench bench(database.url());
    BOOST_TEST_REQUIRE(bench.until_idle());
    const auto statements = bench.statements();
    const Ahead ahead(hours(7));
    bench.turns_within(Millis{300});
    BOOST_TEST(bench.statements() == statements);
}

BOOST_AUTO_TEST_CASE(the_lease_of_a_run_at_work_is_extended_at_once) {
    TestDatabase database;
    PoolBench bench(database.url(), {.worker = "lease = \"1h\""});
    database.exec("SELECT dormouse.enqueue('hold')");
    BOOST_TEST_REQUIRE(hold_starts(bench));
    // what is left of it
    database.exec("UPDATE dormouse.runs_live SET lease_until = lease_until - interval '40 minutes'");
    const char* const is_long = "SELECT lease_until > now() + interval '50 minutes' FROM dormouse.runs";
    bench.turns_within(Millis{300});
    BOOST_TEST(database.value(is_long) == "f");
    const Ahead ahead(minutes(40));
    BOOST_TEST(bench.until([&] { return database.value(is_long) == "t"; }, at_once));
    BOOST_TEST(process_lives(bench.tasks().processes().front()));
    bench.tasks().release();
    BOOST_TEST(bench.until([&] { return status(database) == "completed 1"; }), status(database));
}

BOOST_AUTO_TEST_CASE(a_lease_that_ends_during_each_of_two_suspends_is_cut_off_and_makes_no_suspect) {
    TestDatabase database;
    PoolBench bench(database.url(), {.worker = "lease = \"1h\""});
    database.exec("SELECT dormouse.enqueue('hold')");
    BOOST_TEST_REQUIRE(hold_starts(bench));
    std::deque<Ahead> nights;
    for (std::size_t night = 1; night <= 2; ++night) {
        database.exec("UPDATE dormouse.runs_live SET lease_until = now() - interval '1 hour'");
        nights.emplace_back(hours(2));
        BOOST_TEST(bench.until([&] { return !process_lives(bench.tasks().processes().at(night - 1)); }, at_once));
        BOOST_TEST_REQUIRE(bench.until([&] { return bench.tasks().started().size() == night + 1; }, at_once),
                           status(database));
    }
    bench.tasks().release();
    BOOST_TEST(bench.until([&] { return status(database).starts_with("completed"); }), status(database));
    BOOST_TEST(outcome(database) == "cut_off cut_off completed");
    BOOST_TEST(database.value("SELECT concat_ws(' ', attempts, lost, cut_off) FROM dormouse.runs") == "1 0 2");
}

/// A run of another worker of this host, whose lease ends in a moment.
void let_a_lease_end(TestDatabase& database) {
    database.exec(
        "SELECT dormouse.enqueue('echo'); INSERT INTO dormouse.worker_registry (id, pool, queues, host, pid, pid_start, boot_id, version) "
        "SELECT '00000000-0000-4000-8000-0000000000bb', pool, queues, host, pid, pid_start, boot_id, version FROM "
        "dormouse.worker_registry LIMIT 1; UPDATE dormouse.runs_live SET status = 'running', fence = 1, started_at = "
        "now(), worker = '00000000-0000-4000-8000-0000000000bb', lease_until = now() - interval '1 minute'");
}

BOOST_AUTO_TEST_CASE(whose_lease_ended_while_this_host_was_suspended_is_no_suspect) {
    for (const Millis suspended : {Millis{0}, Millis{hours(2)}}) {
        TestDatabase database;
        PoolBench bench(database.url(), {.worker = "lease = \"1min\""});
        BOOST_TEST_REQUIRE(bench.until_idle());
        let_a_lease_end(database);
        const Ahead ahead(suspended);
        database.exec(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()");
        BOOST_TEST(bench.until([&] { return status(database) == "completed 2"; }), status(database));
        BOOST_TEST(outcome(database) == "lost completed");
        BOOST_TEST(database.value("SELECT lost FROM dormouse.runs") == (suspended == Millis{0} ? "1" : "0"));
    }
}

BOOST_AUTO_TEST_CASE(a_run_that_somebody_else_took_meanwhile_is_known_to_be_lost_at_once) {
    for (const Millis time : {Millis{minutes(40)}, Millis{hours(2)}}) {  // within the lease as we know it, and after it
        TestDatabase database;
        PoolBench bench(database.url(), {.worker = "lease = \"1h\""});
        database.exec("SELECT dormouse.enqueue('hold')");
        BOOST_TEST_REQUIRE(hold_starts(bench));
        // without the trigger that would tell of it: that was said while we slept
        database.exec(
            "SET session_replication_role = replica; UPDATE dormouse.runs_live SET attempts = 1, fence = nextval('dormouse.fence'), worker = '" +
            Uuid::random().to_string() + "', lease_until = now() + interval '1 hour'; RESET session_replication_role");
        const std::string row = "SELECT r::text FROM dormouse.runs_live r";
        const std::string theirs = database.value(row);
        bench.turns_within(Millis{300});
        BOOST_TEST(process_lives(bench.tasks().processes().front()));
        const Ahead ahead(time);
        BOOST_TEST(handler_ends(bench));
        BOOST_TEST(bench.until_idle());
        BOOST_TEST(database.value(row) == theirs);
        BOOST_TEST(bench.tasks().started().size() == 1U);
    }
}

BOOST_AUTO_TEST_CASE(a_worker_that_has_been_quiet_for_idle_exit_leaves_at_once) {
    TestDatabase database;
    PoolBench bench(database.url(), {.worker = "idle_exit = \"3h\"\nlook_exit = \"3h\"", .leaves_when_idle = true});
    BOOST_TEST_REQUIRE(bench.until_idle());
    bench.turns_within(Millis{300});
    BOOST_TEST(!bench.farewell().has_value());
    const Ahead ahead(hours(3));
    BOOST_TEST_REQUIRE(bench.until([&] { return bench.farewell().has_value(); }, at_once));
    BOOST_TEST(bench.farewell()->graceful);
    BOOST_TEST(database.value("SELECT state FROM dormouse.workers") == "left");
}

BOOST_AUTO_TEST_CASE(a_run_that_became_due_meanwhile_is_served_before_the_exit_that_is_due_too) {
    TestDatabase database;
    database.exec("SELECT dormouse.enqueue('echo', delay => '2 hours')");
    PoolBench bench(database.url(), {.worker = "idle_exit = \"3h\"\nlook_exit = \"3h\"", .leaves_when_idle = true});
    BOOST_TEST_REQUIRE(bench.until_idle());
    database.exec("UPDATE dormouse.runs_live SET run_at = now()");
    const Ahead ahead(hours(4));
    BOOST_TEST(bench.until([&] { return status(database) == "completed 1"; }, at_once), status(database));
    BOOST_TEST(!bench.farewell().has_value());  // and it is quiet from here on
}

BOOST_AUTO_TEST_CASE(the_timeout_of_a_run_at_work_is_over_at_once) {
    TestDatabase database;
    PoolBench bench(database.url(), {.worker = "lease = \"12h\""});
    database.exec("SELECT dormouse.enqueue('hold', timeout => '2 hours', max_attempts => 1)");
    BOOST_TEST_REQUIRE(hold_starts(bench));
    bench.turns_within(Millis{300});
    BOOST_TEST(process_lives(bench.tasks().processes().front()));
    const Ahead ahead(hours(2));
    BOOST_TEST(handler_ends(bench));
    BOOST_TEST(bench.until([&] { return status(database) == "failed 1"; }, at_once), status(database));
    BOOST_TEST(database.value("SELECT error ->> 'class' FROM dormouse.runs") == "timeout");
}

BOOST_AUTO_TEST_SUITE_END()

#endif
