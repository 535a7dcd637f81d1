// Every slot busy for longer than anything else in the worker waits: the plainest pool there is. It hears of everything
// all the while, and its loop rests.
#include <sys/resource.h>

#include "support/bare_database.h"
#include "support/events.h"
#include "support/foreground_worker.h"
#include "support/logged_worker.h"

BOOST_AUTO_TEST_SUITE(worker_full, *boost::unit_test::precondition(dormouse::testing::has_postgres))

using namespace dormouse;
using namespace dormouse::testing;

namespace {

/// What a pool on a fresh database has to do besides: partitions are to be made, and more runs are due than find a
/// slot.
struct FullPool {
    TestDatabase database;
    PoolBench bench{database.url(), {.worker = "concurrency = 2"}};

    explicit FullPool(int runs) {
        database.exec("SELECT dormouse.enqueue('hold') FROM generate_series(1, " + std::to_string(runs) + ")");
        BOOST_TEST_REQUIRE(bench.until([&] { return bench.tasks().started().size() == 2U; }));
    }
};

/// Ten seconds is when the first step of retention is made beside work.
constexpr Millis past_the_first_step{13'000};

}  // namespace

BOOST_AUTO_TEST_CASE(with_all_slots_busy_the_loop_rests_and_hears) {
    for (const int runs : {2, 5}) {
        FullPool pool(runs);
        rusage before{};
        rusage after{};
        ::getrusage(RUSAGE_SELF, &before);
        BOOST_TEST(pool.bench.turns_within(past_the_first_step) < 200);
        ::getrusage(RUSAGE_SELF, &after);
        BOOST_TEST(after.ru_utime.tv_sec - before.ru_utime.tv_sec < 3);
        BOOST_TEST(pool.database.value("SELECT count(*) > 1 FROM dormouse.partitions_of('dormouse.runs_finished')") ==
                   "t");
        for (int i = 0; i < runs; ++i) pool.bench.tasks().release();
        BOOST_TEST(pool.bench.until([&] {
            return pool.database.value("SELECT count(*) FROM dormouse.runs WHERE status = 'completed'") ==
                   std::to_string(runs);
        }));
    }
}

// The extension is due while the session for it is still being opened: it goes with its first round.
BOOST_AUTO_TEST_CASE(a_run_that_takes_longer_than_its_lease_keeps_it_also_while_the_database_is_let_sleep) {
    TestDatabase database;
    PoolBench bench(database.url(), {.worker = "lease = \"3s\"", .database = "close_after = \"300ms\""});
    database.exec("SELECT dormouse.enqueue('hold')");
    BOOST_TEST_REQUIRE(bench.until([&] { return bench.tasks().started().size() == 1U; }));
    bench.turns_within(Millis{8'000});
    bench.tasks().release();
    BOOST_TEST(bench.until([&] { return database.value("SELECT status FROM dormouse.runs") == "completed"; }));
    BOOST_TEST(database.value("SELECT string_agg(outcome, ' ') FROM dormouse.attempts") == "completed");
}

BOOST_AUTO_TEST_SUITE_END()
