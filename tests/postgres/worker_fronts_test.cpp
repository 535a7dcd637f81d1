// A worker behind runs that are gone, which nobody can remove because somebody holds a snapshot: it does not walk over
// them for each claim, and yet finds what comes to lie in front of them.
#include <boost/test/unit_test.hpp>

#include "support/pool_bench.h"

using namespace dormouse;
using namespace dormouse::testing;

namespace {

constexpr int gone = 40'000;

struct Fixture {
    TestDatabase database;
    PoolBench bench{database.url(), {.worker = "concurrency = 4", .starts = false}};
    postgres::BlockingConnection holder = database.connect();
    int enqueued = 0;

    Fixture() {
        database.exec("ALTER TABLE dormouse.runs_live SET (autovacuum_enabled = off)");
        BOOST_TEST_REQUIRE(
            holder.script("hold", "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM dormouse.runs LIMIT 1")
                .has_value());
        database.exec(
            "INSERT INTO dormouse.runs (task, run_at) SELECT 'echo', now() - interval '1 hour' FROM "
            "generate_series(1, " +
            std::to_string(gone) + ")");
        database.exec("DELETE FROM dormouse.runs");
        database.exec("ANALYZE dormouse.runs_live");
        bench.worker().start();
        BOOST_TEST_REQUIRE(bench.until_idle());
    }
    std::string completed() { return database.value("SELECT count(*) FROM dormouse.runs WHERE status = 'completed'"); }
    bool until_all_completed() {
        return bench.until([&] { return completed() == std::to_string(enqueued); });
    }
    /// One after the other, each by a claim of its own.
    void works(int runs) {
        for (int i = 0; i < runs; ++i) {
            database.exec("SELECT dormouse.enqueue('echo')");
            ++enqueued;
            BOOST_TEST_REQUIRE(until_all_completed());
        }
    }
    /// Entries of the claim's index that were read for the worker, which has ended: what a session has read is told
    /// then.
    std::int64_t entries_read() {
        bench.worker().terminate();
        BOOST_TEST_REQUIRE(bench.until_gone());
        const char* const read = "SELECT idx_tup_read FROM pg_stat_user_indexes WHERE indexrelname = 'runs_live_claim'";
        bench.until([&] { return std::stoll(database.value(read)) > 0; });
        return std::stoll(database.value(read));
    }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(worker_fronts, Fixture, *boost::unit_test::precondition(has_postgres))

BOOST_AUTO_TEST_CASE(it_does_not_walk_over_what_is_gone_for_each_claim) {
    constexpr int runs = 200;
    const auto begin = BootClock::now();
    works(runs);
    const auto seconds = since(begin).count() / 1'000 + 1;
    const auto walks = entries_read() / gone;
    BOOST_TEST_MESSAGE(runs << " runs in " << seconds << " s: what is gone was walked over " << walks << " times");
    // Some to find out, and a whole look a second, each with the due time: which is two walks.
    BOOST_TEST(walks < 30 + 3 * seconds);
    BOOST_TEST(walks >= 3);  // they were in the way
}

BOOST_AUTO_TEST_CASE(what_comes_to_lie_in_front_is_found_before_it_is_idle_though_nobody_tells) {
    works(10);
    for (int round = 0; round < 4; ++round) {
        database.exec(
            "BEGIN; SET LOCAL dormouse.notify = off; INSERT INTO dormouse.runs (task, run_at) VALUES ('echo', now() - "
            "interval '1 day'); COMMIT");
        ++enqueued;
        database.exec("SELECT dormouse.enqueue('echo')");
        ++enqueued;
        BOOST_TEST_REQUIRE(bench.until([&] { return bench.worker().state() != worker::State::idle; }));
        BOOST_TEST_REQUIRE(bench.until_idle());
        BOOST_TEST(completed() == std::to_string(enqueued), "round " << round);
        works(3);
    }
}

BOOST_AUTO_TEST_CASE(what_is_more_urgent_goes_first) {
    works(10);
    database.exec("SELECT dormouse.enqueue('hold') FROM generate_series(1, 4)");  // all slots
    BOOST_TEST_REQUIRE(bench.until([&] { return bench.tasks().started().size() == 4; }));
    database.exec("SELECT dormouse.enqueue('hold') FROM generate_series(1, 3)");
    const std::string urgent = database.value("SELECT dormouse.enqueue('hold', priority => -5)");
    bench.tasks().release();
    BOOST_TEST_REQUIRE(bench.until([&] { return bench.tasks().started().size() == 5; }));
    BOOST_TEST(bench.tasks().started().back() == urgent);
    for (int i = 0; i < 7; ++i) bench.tasks().release();
    enqueued += 8;
    BOOST_TEST(until_all_completed());
}

BOOST_AUTO_TEST_SUITE_END()
