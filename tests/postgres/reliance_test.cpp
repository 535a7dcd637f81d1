// W10: while a worker has promised to look again producers send no NOTIFY, and whatever they commit is found, however
// late; without such a promise all is as ever.
#include <boost/test/unit_test.hpp>

#include "promising_pool.h"

BOOST_AUTO_TEST_SUITE(reliance, *boost::unit_test::precondition(dormouse::testing::has_postgres))

using namespace dormouse;
using namespace dormouse::testing;

BOOST_FIXTURE_TEST_CASE(while_a_worker_has_promised_nobody_is_notified_and_all_is_found, PromisingPool) {
    promise();
    constexpr int each = 10;
    int count = 1;
    for (const char* level : {"READ UNCOMMITTED", "READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"}) {
        auto producer = database.connect();
        for (int i = 0; i < each; ++i)
            go_on(producer,
                  std::string("BEGIN ISOLATION LEVEL ") + level + "; SELECT dormouse.enqueue('echo'); COMMIT");
        count += each;
        BOOST_TEST(until_completed(std::to_string(count)));
    }
    BOOST_TEST(promised());
    BOOST_TEST(notifications() == 0);
}

BOOST_FIXTURE_TEST_CASE(without_a_promise_each_commit_notifies_and_takes_no_lock, IdlePool) {
    auto listener = database.connect();
    BOOST_TEST_REQUIRE(listener.listen({"queue:default"}).has_value());
    auto producer = relying_producer(database);
    BOOST_TEST(database.value("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = " +
                              std::to_string(PQbackendPID(producer.get()))) == "0");
    go_on(producer, "COMMIT");
    const auto heard = listener.wait(BootClock::now() + Millis{5'000});
    BOOST_TEST_REQUIRE((heard && heard->has_value()));
    BOOST_TEST(bench.until([&] { return completed() == "1"; }));
}

// A flag in a row would be as old as the snapshot.
BOOST_FIXTURE_TEST_CASE(a_snapshot_from_before_the_promise_relies_on_it_all_the_same, PromisingPool) {
    auto producer = database.connect();
    go_on(producer, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM dormouse.runs");
    promise();
    go_on(producer, "SELECT dormouse.enqueue('echo'); COMMIT");
    BOOST_TEST(notifications() == 0);
    BOOST_TEST(until_completed("2"));
}

BOOST_AUTO_TEST_CASE(a_snapshot_from_under_a_promise_notifies_after_it) {
    worker::Promise::Terms terms = steadfast();
    terms.linger = Millis{300};
    PromisingPool pool(terms);
    pool.promise();
    auto producer = pool.database.connect();
    go_on(producer, "BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT count(*) FROM dormouse.runs");
    BOOST_TEST_REQUIRE(pool.bench.until_idle());
    BOOST_TEST(!pool.promised());
    go_on(producer, "SELECT dormouse.enqueue('echo'); COMMIT");
    BOOST_TEST(pool.notifications() == 1);
    BOOST_TEST(pool.until_completed("2"));
}

BOOST_FIXTURE_TEST_CASE(a_savepoint_that_is_rolled_back_takes_its_reliance_along, PromisingPool) {
    promise();
    auto producer = database.connect();
    go_on(producer, "BEGIN; SAVEPOINT here; SELECT dormouse.enqueue('echo')");
    BOOST_TEST(relying() == 1);
    go_on(producer, "ROLLBACK TO here");
    BOOST_TEST(relying() == 0);
    go_on(producer, "SELECT dormouse.enqueue('echo')");
    BOOST_TEST(relying() == 1);
    go_on(producer, "COMMIT");
    BOOST_TEST(relying() == 0);
    BOOST_TEST(until_completed("2"));
    BOOST_TEST(notifications() == 0);
}

namespace {

/// Goes silent as soon as it may, so the moment is the test's.
struct SoonSilent : PromisingPool {
    static worker::Promise::Terms terms() {
        worker::Promise::Terms terms = steadfast();
        terms.linger = Millis{300};
        return terms;
    }
    SoonSilent() : PromisingPool(terms()) {}

    /// It has given its promise back, and somebody still relies on it.
    void require_waiting() {
        BOOST_TEST_REQUIRE(bench.until([&] { return !promised(); }));
        bench.turns_within(Millis{300});
        BOOST_TEST((bench.worker().state() == worker::State::running));
    }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_worker_is_not_silent_while_a_transaction_relies_on_it, SoonSilent) {
    promise();
    auto producer = relying_producer(database);
    require_waiting();
    go_on(producer, "COMMIT");
    BOOST_TEST(notifications() == 0);
    BOOST_TEST(until_completed("2"));
    BOOST_TEST(bench.until_idle());
    const auto statements = bench.statements();
    bench.turns_within(Millis{500});
    BOOST_TEST(bench.statements() == statements);  // W8
}

BOOST_FIXTURE_TEST_CASE(a_prepared_transaction_is_waited_for, SoonSilent) {
    promise();
    auto producer = relying_producer(database);
    go_on(producer, "PREPARE TRANSACTION 'relying'");
    BOOST_TEST(relying() == 1);
    std::string rest = sql::promise_rest;
    rest.replace(rest.find("$1"), 2, "'{default}'");  // in its comment
    rest.replace(rest.find("$1"), 2, "'{default}'");
    BOOST_TEST(database.value("SELECT who FROM (" + rest + ") AS r (nobody, changes, who, others)") ==
               "the prepared transaction 'relying'");
    require_waiting();
    go_on(producer, "COMMIT PREPARED 'relying'");
    BOOST_TEST(until_completed("2"));
    BOOST_TEST(bench.until_idle());
    BOOST_TEST(notifications() == 0);
}

// Nobody is told of them: they are found by the look of a worker that goes silent, at the latest.
BOOST_FIXTURE_TEST_CASE(rows_that_came_without_a_trigger_are_found_before_silence, SoonSilent) {
    promise();
    auto producer = relying_producer(database);
    require_waiting();
    database.exec("BEGIN; SET LOCAL session_replication_role = replica; SELECT dormouse.enqueue('echo'); COMMIT");
    go_on(producer, "ROLLBACK");
    BOOST_TEST(until_completed("2"));
    BOOST_TEST(notifications() == 0);
}

BOOST_FIXTURE_TEST_CASE(a_session_that_is_lost_takes_the_promise_along_and_its_next_one_waits, SoonSilent) {
    promise();
    auto producer = relying_producer(database);
    database.exec(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND"
        " application_name LIKE 'dormouse worker%'");
    BOOST_TEST_REQUIRE(bench.until([&] { return !bench.worker().database().is_open(); }));
    BOOST_TEST_REQUIRE(bench.until([&] { return registered() == 1; }));
    bench.turns_within(Millis{300});
    BOOST_TEST((bench.worker().state() == worker::State::running));
    go_on(producer, "COMMIT");
    BOOST_TEST(until_completed("2"));
    BOOST_TEST(bench.until_idle());
    BOOST_TEST(notifications() == 0);
}

BOOST_FIXTURE_TEST_CASE(a_worker_that_leaves_while_somebody_relies_on_it_does_not_know_what_is_due, PromisingPool) {
    promise();
    auto producer = relying_producer(database);
    bench.worker().terminate();
    BOOST_TEST_REQUIRE(bench.until_gone());
    BOOST_TEST(bench.farewell()->graceful);
    BOOST_TEST(!bench.farewell()->due_known);
}

BOOST_FIXTURE_TEST_CASE(a_worker_that_leaves_after_a_promise_on_which_nobody_relies_knows_what_is_due, PromisingPool) {
    promise();
    bench.worker().terminate();
    BOOST_TEST_REQUIRE(bench.until_gone());
    BOOST_TEST(bench.farewell()->due_known);
}

// It claims nothing any more, so nobody need tell it; its last round sees what has come.
BOOST_FIXTURE_TEST_CASE(what_is_enqueued_while_a_worker_drains_is_due_at_its_end, PromisingPool) {
    promise();
    database.exec("SELECT dormouse.enqueue('hold')");
    BOOST_TEST_REQUIRE(bench.until([&] { return bench.tasks().started().size() == 1; }));
    bench.worker().terminate();
    database.exec("SELECT dormouse.enqueue('echo')");
    BOOST_TEST(notifications() == 0);
    bench.tasks().release();
    BOOST_TEST_REQUIRE(bench.until_gone());
    BOOST_TEST_REQUIRE(bench.farewell()->due.has_value());
    BOOST_TEST(bench.farewell()->due->count() == 0);
}

BOOST_AUTO_TEST_CASE(a_worker_without_room_gives_its_promise_back) {
    worker::Promise::Terms terms = steadfast();
    terms.full = Millis{100};
    PromisingPool pool(terms, {.worker = "concurrency = 1"});
    pool.promise();
    pool.database.exec("SELECT dormouse.enqueue('hold')");
    BOOST_TEST_REQUIRE(pool.bench.until([&] { return pool.bench.tasks().started().size() == 1; }));
    BOOST_TEST(pool.bench.until([&] { return !pool.promised(); }));
    pool.notifications();
    pool.database.exec("SELECT dormouse.enqueue('echo')");
    BOOST_TEST(pool.notifications() == 1);
    pool.bench.tasks().release();
    BOOST_TEST(pool.until_completed("3"));
}

BOOST_FIXTURE_TEST_CASE(a_producer_may_rely_on_nobody_and_one_that_says_off_leaves_no_lock, PromisingPool) {
    promise();
    database.exec("SET dormouse.notify = always; SELECT dormouse.enqueue('echo'); RESET dormouse.notify");
    BOOST_TEST(notifications() == 1);
    auto producer = relying_producer(database, "BEGIN; SET LOCAL dormouse.notify = off");
    BOOST_TEST(relying() == 0);
    go_on(producer, "COMMIT");
    BOOST_TEST(notifications() == 0);
    BOOST_TEST(until_completed("3"));
}

BOOST_FIXTURE_TEST_CASE(a_statement_that_is_cancelled_leaves_no_lock_in_the_session, PromisingPool) {
    promise();
    auto producer = database.connect();
    for (int i = 0; i < 50; ++i) {
        // whatever is cut off, it is not between a lock and its release
        (void)producer.script("insert",
                              "SET statement_timeout = " + std::to_string(1 + i % 5) +
                                  "; INSERT INTO dormouse.runs (queue, task, run_at) SELECT 'q' || n, 'echo', "
                                  "'infinity' FROM generate_series(1, 3000) n");
        BOOST_TEST_REQUIRE(database.value("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = " +
                                          std::to_string(PQbackendPID(producer.get()))) == "0");
    }
}

BOOST_AUTO_TEST_SUITE_END()
