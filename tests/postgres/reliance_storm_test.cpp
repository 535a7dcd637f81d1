// W10 in a storm: a worker that promises at each run and goes silent as soon as it can, and 32 producers who commit at
// all isolation levels, late, in part, not at all, or prepared. In every second round they are few and slow, so that
// the worker has nothing left to do while somebody still relies on it: those find most mistakes. Each round has to end
// quiet with nothing left, without a ring, a restart or a due time: a worker that is idle for 2 s with runs that lie
// there has lost a wake, whatever would come to their rescue later. 20 rounds; 2,700 with --full; DORMOUSE_STORM_ROUNDS
// says another number.
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <random>
#include <thread>

#include "promising_pool.h"
#include "sql/embedded.h"

BOOST_AUTO_TEST_SUITE(reliance_storm, *boost::unit_test::precondition(dormouse::testing::has_postgres))

using namespace dormouse;
using namespace dormouse::testing;

namespace {

constexpr int producers = 32;
constexpr Millis lost{2'000};  ///< so long idle, with something to do

int rounds_wanted() {
    if (const char* const said = std::getenv("DORMOUSE_STORM_ROUNDS")) return std::atoi(said);
    return std::getenv("DORMOUSE_FULL") != nullptr ? 2'700 : 20;
}

/// Promises at once and goes silent after a few empty looks.
worker::Promise::Terms restless() {
    return {.promises = true,
            .after = 1,
            .apart = Millis{1'000},
            .linger = Millis{8},
            .full = Millis{50},
            .pause = Millis{1},
            .longest_pause = Millis{4}};
}

class Producer {
  public:
    Producer(TestDatabase& database, int number)
        : session_(database.connect()), number_(number), dice_(static_cast<unsigned>(number)) {}

    /// A few transactions; how many runs they have committed.
    int produce(bool few) {
        longest_pause_ms_ = few ? 60 : 20;
        often_ = few ? 2 : 1;
        if (few) return below(4) == 0 ? transaction() : 0;
        int runs = 0;
        for (int i = below(3) + 1; i > 0; --i) runs += transaction();
        return runs;
    }

  private:
    int below(int bound) { return std::uniform_int_distribution<int>(0, bound - 1)(dice_); }
    std::string pause() {
        return below(3) < often_ ? "SELECT pg_sleep(" + std::to_string(below(longest_pause_ms_) / 1'000.0) + ");"
                                 : std::string();
    }
    bool done(const std::string& sql) {
        if (session_.script("storm", sql)) return true;
        (void)session_.script("storm", "ROLLBACK");
        return false;
    }
    int transaction() {
        constexpr const char* levels[] = {"READ UNCOMMITTED", "READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"};
        const std::string one = "SELECT dormouse.enqueue('echo');";
        const std::string begin = std::string("BEGIN ISOLATION LEVEL ") + levels[below(4)] + ";" +
                                  (below(2) == 0 ? "SELECT 1;" : "") + pause();
        const std::string name = "'storm " + std::to_string(number_) + "'";
        switch (below(8)) {
            case 0:
                return done(one) ? 1 : 0;
            case 1:
                return done(begin + "SAVEPOINT s;" + one + pause() + "ROLLBACK TO s;" + pause() + one + pause() +
                            "COMMIT")
                           ? 1
                           : 0;
            case 2:
                return done(begin + "SAVEPOINT s;" + one + "RELEASE s;" + pause() + one + pause() + "COMMIT") ? 2 : 0;
            case 3:
                done(begin + one + pause() + "ROLLBACK");
                return 0;
            case 4:  // where it was notified it cannot be prepared; a server has ten of them
                if (number_ >= 8) return done("INSERT INTO dormouse.runs (task) VALUES ('echo'), ('echo')") ? 2 : 0;
                if (!done(begin + one + "PREPARE TRANSACTION " + name)) return 0;
                return done(pause()) && done("COMMIT PREPARED " + name) ? 1 : 0;
            default:
                return done(begin + one + pause() + "COMMIT") ? 1 : 0;
        }
    }

    postgres::BlockingConnection session_;
    int number_;
    std::mt19937 dice_;
    int longest_pause_ms_ = 20;
    int often_ = 1;  ///< in three
};

/// Somebody who listens comes by, and goes.
void pass_by(TestDatabase& database) {
    auto session = database.connect();
    const auto registered = session.ask("register", sql::promise_register, {"{default}"});
    BOOST_TEST_REQUIRE(registered.has_value(), (registered ? "" : registered.error().message));
}

}  // namespace

BOOST_AUTO_TEST_CASE(each_round_ends_quiet_with_nothing_left) {
    PromisingPool pool(restless(), {.worker = "concurrency = 16"});
    std::vector<std::unique_ptr<Producer>> crowd;
    for (int i = 0; i < producers; ++i) crowd.push_back(std::make_unique<Producer>(pool.database, i));
    const int all_rounds = rounds_wanted();
    std::atomic<std::int64_t> committed{0};
    std::int64_t notified = 0;
    const auto start = BootClock::now();
    for (int round = 1; round <= all_rounds; ++round) {
        std::atomic<int> ready{0};
        std::vector<std::thread> threads;
        for (auto& producer : crowd)
            threads.emplace_back([&] {
                committed += producer->produce(round % 2 == 0);
                ++ready;
            });
        threads.emplace_back([&] {
            if (round % 3 == 0) pass_by(pool.database);
            ++ready;
        });
        const bool over = pool.bench.until([&] { return ready == producers + 1; }, Millis{60'000});
        for (std::thread& thread : threads) thread.join();
        BOOST_TEST_REQUIRE(over);
        bool quiet = false;
        auto busy = BootClock::now();  // last seen so
        BOOST_TEST_REQUIRE(pool.bench.until([&] {
            const bool idle = pool.bench.worker().state() == worker::State::idle;
            if (!idle) busy = BootClock::now();
            quiet = idle && pool.database.value("SELECT count(*) FROM dormouse.runs_live") == "0";
            return quiet || since(busy) > lost;
        }));
        BOOST_TEST_REQUIRE(quiet, "round " << round << ": "
                                           << pool.database.value("SELECT count(*) FROM dormouse.runs_live")
                                           << " runs lie there");
        notified += pool.notifications();
    }
    BOOST_TEST(pool.completed() == std::to_string(committed.load()));
    BOOST_TEST_MESSAGE(all_rounds << " rounds, " << committed.load() << " runs, " << notified << " notifications, "
                                  << since(start).count() << " ms");
    if (all_rounds >= 2'700) BOOST_TEST(committed.load() >= 100'000);
    BOOST_TEST(notified > 0);          // or nobody was ever silent
    BOOST_TEST(notified < committed);  // or nobody ever relied
}

BOOST_AUTO_TEST_SUITE_END()
