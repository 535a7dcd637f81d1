// W10 beside others: whoever is there is told, whatever another one has promised, and who dies with a promise leaves
// nothing that nobody looks at.
#include <atomic>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include "postgres/crash_points.h"
#include "promising_pool.h"
#include "support/foreground_worker.h"
#include "support/paths.h"

BOOST_AUTO_TEST_SUITE(reliance_others, *boost::unit_test::precondition(dormouse::testing::has_postgres))

using namespace dormouse;
using namespace dormouse::testing;

namespace {

/// A worker as a process of its own, which takes itself for its unit's; may promise.
class UnitWorker {
  public:
    UnitWorker(TestDatabase& database, const std::string& crash_at = "")
        : file_(directory_.path() + "/unit.toml"), process_(program(database, crash_at)) {}

    [[nodiscard]] bool lives() const { return process_lives(process_.pid()); }
    void signal(int number) const { process_.signal(number); }
    /// It is told to leave once it can hear that.
    void leave(TestDatabase& database) {
        const std::string mine = "SELECT count(*) FROM dormouse.workers WHERE pid = " + std::to_string(process_.pid());
        BOOST_TEST(eventually([&] { return database.value(mine) == "1"; }));
        process_.signal(SIGTERM);
        BOOST_TEST(process_.wait().exit_code == 0);
    }
    Ended wait() { return process_.wait(); }

  private:
    Program program(TestDatabase& database, const std::string& crash_at) {
        const std::string& here = directory_.path();
        std::ofstream(file_) << pool_toml(database.url(), {.worker = "lease = \"2s\""}, tasks_)
                             << "[paths]\nspool_directory = \"" << here << "\"\nwake_directory = \"" << here << "\"\n"
                             << "[wake]\nnotify = \"when_needed\"\n";
        std::filesystem::create_directories(here + "/run/unit");
        // nobody reads what it says, and a full pipe would stop it
        return {{"sh", "-c", "exec \"$@\" 2>/dev/null", "unit", dormouse_binary, "worker", "unit", "--config", file_},
                {},
                {{"RUNTIME_DIRECTORY", here + "/run/unit"},
                 {"DORMOUSE_PATHS_RUNTIME_DIRECTORY", here + "/run"},
                 {"DORMOUSE_CRASH_AT", crash_at}},
                {},
                Millis{60'000}};
    }

    TemporaryDirectory directory_;
    PoolTasks tasks_;
    std::string file_;
    Process process_;
};

/// Commits one run after the other, until it is stopped.
class Feeder {
  public:
    explicit Feeder(TestDatabase& database)
        : thread_([this, session = database.connect()]() mutable {
              while (!over_) {
                  if (!session.script("enqueue", "SELECT dormouse.enqueue('echo')")) return;
                  ++count_;
              }
          }) {}
    ~Feeder() { stop(); }
    Feeder(const Feeder&) = delete;
    Feeder& operator=(const Feeder&) = delete;

    int stop() {
        over_ = true;
        if (thread_.joinable()) thread_.join();
        return count_;
    }

  private:
    std::atomic<bool> over_{false};
    std::atomic<int> count_{0};
    std::thread thread_;
};

bool has_promised(TestDatabase& database) {
    return database.value(
               "SELECT (SELECT count(*) >= 100 FROM dormouse.runs WHERE status = 'completed') AND NOT EXISTS ("
               "SELECT FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ShareLock' AND database = (SELECT oid FROM"
               " pg_database WHERE datname = current_database()) AND ((classid::bigint << 32) | objid::bigint) ="
               " hashtextextended('default', 1685024366))") == "t";
}

/// A transaction that relies on the worker that is awake, and busy.
postgres::BlockingConnection until_somebody_relies(TestDatabase& database) {
    auto producer = database.connect();
    const std::string mine = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = " +
                             std::to_string(PQbackendPID(producer.get()));
    const auto relies = [&] {
        if (!has_promised(database)) return false;
        go_on(producer, "BEGIN; SELECT dormouse.enqueue('echo')");
        if (database.value(mine) == "1") return true;
        go_on(producer, "ROLLBACK");
        return false;
    };
    BOOST_TEST_REQUIRE(eventually(relies));
    return producer;
}

void die_at(const Moment& moment) {
    if (const auto has = has_crash_points(0); !has) {
        BOOST_TEST_MESSAGE("SKIPPED: " << has.message());
        return;
    }
    TestDatabase database;
    UnitWorker worker(database, moment.name);
    Feeder feeder(database);
    const bool by_itself = moment.name.ends_with(":2");  // when nobody feeds it any more
    BOOST_TEST_REQUIRE(eventually([&] { return !worker.lives() || (by_itself && has_promised(database)); }));
    const int all = feeder.stop();
    BOOST_TEST(worker.wait().signal == SIGKILL);
    UnitWorker successor(database);
    bool found = false;
    for (std::string before = "none"; !found && before != database.value(completed_sql);) {  // as long as it goes on
        before = database.value(completed_sql);
        found = eventually([&] { return database.value(completed_sql) == std::to_string(all); });
    }
    BOOST_TEST(
        found,
        all << " were committed, but: "
            << database.value(
                   "SELECT string_agg(s.text, '; ') FROM (SELECT status || ' ' || count(*) || ' lost ' || max(lost) || "
                   "' lease '"
                   " || coalesce(max(lease_until - now())::text, '-') AS text FROM dormouse.runs GROUP BY status) s"));
    successor.leave(database);
}

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_second_worker_is_told_while_the_first_has_promised, PromisingPool) {
    promise();
    int count = 1;
    {
        ForegroundWorker other(database);
        BOOST_TEST_REQUIRE(bench.until([&] { return registered() == 1; }));
        for (; count < 20; ++count) {
            database.exec("SELECT dormouse.enqueue('echo')");
            BOOST_TEST_REQUIRE(until_completed(std::to_string(count + 1)));
        }
        BOOST_TEST(notifications() == 19);
        other.kill();
    }
    BOOST_TEST_REQUIRE(bench.until([&] { return registered() == 0; }));
    for (; count < 30; ++count) {
        database.exec("SELECT dormouse.enqueue('echo')");
        BOOST_TEST_REQUIRE(until_completed(std::to_string(count + 1)));
    }
    BOOST_TEST(notifications() == 0);
}

BOOST_FIXTURE_TEST_CASE(a_newcomer_finds_what_relied_on_another_one_without_him, PromisingPool) {
    promise();
    auto producer = relying_producer(database);
    ForegroundWorker other(database);  // our loop is not turned: the one who has promised does nothing
    BOOST_TEST_REQUIRE(eventually([&] { return registered() == 1; }));
    go_on(producer, "COMMIT");
    BOOST_TEST(eventually([&] { return completed() == "2"; }));
    BOOST_TEST(notifications() == 0);
}

BOOST_FIXTURE_TEST_CASE(a_relay_is_told_of_everything, PromisingPool) {
    promise();
    TemporaryDirectory directory;
    const std::string file = directory.path() + "/relay.toml";
    std::ofstream(file) << "[database]\nurl = \"" << database.url() << "\"\n[paths]\nruntime_directory = \""
                        << directory.path() << "\"\n";
    const UniqueFd bell = listen_at(directory.path() + "/relay.sock");
    Process relay({{dormouse_binary, "relay", "relay", "--config", file}, {}, {}, {}, Millis{60'000}});
    BOOST_TEST_REQUIRE(bench.until([&] { return registered() == 1; }));
    notifications();
    for (int i = 2; i <= 11; ++i) {
        database.exec("SELECT dormouse.enqueue('echo')");
        BOOST_TEST_REQUIRE(until_completed(std::to_string(i)));
        BOOST_TEST_REQUIRE(!promised());
    }
    BOOST_TEST(notifications() == 10);
    relay.signal(SIGTERM);
    BOOST_TEST(relay.wait().exit_code == 0);
}

BOOST_AUTO_TEST_CASE(who_relied_on_a_worker_that_was_killed_is_found_by_its_successor) {
    TestDatabase database;
    UnitWorker worker(database);
    Feeder feeder(database);
    auto producer = until_somebody_relies(database);
    worker.signal(SIGKILL);
    worker.wait();
    const int others = feeder.stop();
    UnitWorker successor(database);
    BOOST_TEST_REQUIRE(eventually([&] { return database.value(completed_sql) == std::to_string(others); }));
    auto listener = database.connect();  // runs that were taken back have been told by now
    BOOST_TEST_REQUIRE(listener.listen({"queue:default"}).has_value());
    go_on(producer, "COMMIT");
    BOOST_TEST(eventually([&] { return database.value(completed_sql) == std::to_string(others + 1); }));
    const auto heard = listener.wait(BootClock::now());
    BOOST_TEST((heard && !heard->has_value()));  // it was not told
    successor.leave(database);
}

BOOST_DATA_TEST_CASE(whoever_dies_at_a_point_of_the_promise_leaves_nothing,
                     boost::unit_test::data::make(promise_points), moment) {
    die_at(moment);
}

BOOST_AUTO_TEST_SUITE_END()
