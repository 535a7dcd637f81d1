// Other people in the same database: long transactions and locks beside a worker cost what they lock, and nothing else.
#include <boost/test/unit_test.hpp>

#include "support/pool_bench.h"

namespace worker_neighbours {

using namespace dormouse;
using namespace dormouse::testing;

namespace {

struct Fixture {
    TestDatabase database;

    std::string enqueue(const std::string& task) { return database.value("SELECT dormouse.enqueue('" + task + "')"); }
    std::string status(const std::string& id) {
        return database.value("SELECT status FROM dormouse.runs WHERE id = $1", {id});
    }
    std::string count(const std::string& status) {
        return database.value("SELECT count(*) FROM dormouse.runs WHERE status = $1", {status});
    }
    postgres::BlockingConnection person(const std::string& script) const {
        auto session = database.connect();
        const Status done = session.script("", script);
        BOOST_REQUIRE_MESSAGE(done.has_value(), (done ? "" : done.error().message));
        return session;
    }
};

const PoolBenchOptions short_lease{.worker = "concurrency = 8\nlease = \"3s\""};

}  // namespace

}  // namespace worker_neighbours

BOOST_FIXTURE_TEST_SUITE(worker_neighbours, Fixture, *boost::unit_test::precondition(has_postgres))

BOOST_AUTO_TEST_CASE(a_long_transaction_beside_it_holds_nothing_up_and_sees_what_it_saw) {
    database.exec("SELECT dormouse.enqueue_many('echo', array_fill('{}'::jsonb, ARRAY[300]))");
    auto reader = person("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM dormouse.runs");
    PoolBench bench(database.url(), short_lease);
    BOOST_TEST(bench.until([&] { return count("completed") == "300"; }));
    BOOST_TEST_REQUIRE(bench.until_idle());
    auto producer = person("BEGIN; SELECT dormouse.enqueue('echo', key => 'long')");
    BOOST_TEST_REQUIRE(bench.until_idle());
    const auto statements = bench.statements();
    bench.turns_within(Millis{1'000});
    BOOST_TEST(bench.statements() == statements);  // what is not committed is nothing to wait for
    BOOST_TEST(reader.ask("", "SELECT count(*) FROM dormouse.runs WHERE status = 'queued'")->text(0, 0) == "300");
    BOOST_REQUIRE(producer.script("", "COMMIT").has_value());
    BOOST_TEST(bench.until([&] { return count("completed") == "301"; }));
}

BOOST_AUTO_TEST_CASE(a_serializable_transaction_that_reads_everything_fails_no_run_of_the_worker) {
    PoolBench bench(database.url(), short_lease);
    for (int round = 0; round < 5; ++round) {
        auto auditor = person("BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT count(*) FROM dormouse.runs");
        for (int i = 0; i < 10; ++i) enqueue("echo");
        BOOST_TEST(bench.until([&] { return count("completed") == std::to_string(10 * (round + 1)); }));
        static_cast<void>(auditor.script("", "INSERT INTO dormouse.runs (task) VALUES ('echo'); ROLLBACK"));
    }
    BOOST_TEST(database.value("SELECT count(*) FROM dormouse.attempts WHERE outcome = 'completed'") == "50");
}

// Its lease cannot be extended either: when it ends the attempt is over, and the run is executed again once it is free.
BOOST_AUTO_TEST_CASE(a_row_that_is_locked_for_longer_than_its_lease_costs_that_run_an_attempt_and_no_other) {
    PoolBench bench(database.url(), short_lease);
    const std::string locked = enqueue("hold");
    BOOST_TEST_REQUIRE(bench.until([&] { return bench.tasks().started().size() == 1; }));
    auto somebody = person("BEGIN; SELECT FROM dormouse.runs WHERE id = '" + locked + "' FOR UPDATE");
    const std::string other = enqueue("hold");
    BOOST_TEST_REQUIRE(bench.until([&] { return bench.tasks().started().size() == 2; }));
    // the handler is ended before the lease is, the other one goes on beyond its own first lease
    BOOST_TEST(bench.until([&] { return !process_lives(bench.tasks().processes().at(0)); }));
    bench.turns_within(Millis{3'500});
    BOOST_TEST(process_lives(bench.tasks().processes().at(1)));
    bench.tasks().release();
    BOOST_TEST(bench.until([&] { return status(other) == "completed"; }));
    BOOST_TEST(database.value("SELECT attempts FROM dormouse.runs WHERE id = $1", {other}) == "1");
    BOOST_REQUIRE(somebody.script("", "COMMIT").has_value());
    BOOST_TEST(bench.until([&] { return bench.tasks().started().size() == 3; }));
    bench.tasks().release();
    BOOST_TEST(bench.until([&] { return status(locked) == "completed"; }));
}

// TRUNCATE, VACUUM FULL, a migration: all of it waits, also the ending that is on the wire; nothing is lost.
BOOST_AUTO_TEST_CASE(a_lock_of_the_whole_table_is_waited_for_and_loses_no_ending) {
    PoolBench bench(database.url(), {.worker = "concurrency = 8"});
    const std::string id = enqueue("hold");
    BOOST_TEST_REQUIRE(bench.until([&] { return bench.tasks().started().size() == 1; }));
    auto somebody = person("BEGIN; LOCK TABLE dormouse.runs IN ACCESS EXCLUSIVE MODE");
    bench.tasks().release();
    BOOST_TEST(bench.until([&] {
        return database.value(
                   "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = "
                   "current_database()") == "1";
    }));
    const auto statements = bench.statements();
    bench.ring();
    BOOST_TEST(bench.turns_within(Millis{1'000}) < 500);
    BOOST_TEST(bench.statements() - statements < 20U);  // each waits for half a second at most, and comes again
    BOOST_REQUIRE(somebody.script("", "COMMIT").has_value());
    BOOST_TEST(bench.until([&] { return status(id) == "completed"; }));
    BOOST_TEST(database.value("SELECT string_agg(outcome, ' ') FROM dormouse.attempts") == "completed");
}

BOOST_AUTO_TEST_CASE(an_operator_in_an_old_snapshot_cannot_cancel_what_has_ended_since) {
    PoolBench bench(database.url());
    const std::string id = enqueue("hold");
    BOOST_TEST_REQUIRE(bench.until([&] { return bench.tasks().started().size() == 1; }));
    for (const char* const level : {"REPEATABLE READ", "SERIALIZABLE"}) {
        auto operator_ = person("BEGIN ISOLATION LEVEL " + std::string(level) + "; SELECT count(*) FROM dormouse.runs");
        if (status(id) == "running") {
            bench.tasks().release();
            BOOST_TEST(bench.until([&] { return status(id) == "completed"; }));
        } else {
            database.exec("UPDATE dormouse.runs SET archived_at = now()");
        }
        const auto said = operator_.ask("", "SELECT dormouse.cancel($1)", {id});
        if (said) BOOST_TEST(!said->text(0, 0).starts_with("canceled"), said->text(0, 0));
        static_cast<void>(operator_.script("", "COMMIT"));
        BOOST_TEST(status(id) == "completed");
    }
}

BOOST_AUTO_TEST_SUITE_END()
