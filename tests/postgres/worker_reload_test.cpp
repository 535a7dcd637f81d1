// When a pool reads its file again: at once when it changes while there is no database, and never under a worker at
// work.
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>

#include "support/pool_bench.h"
#include "worker/pool.h"

BOOST_AUTO_TEST_SUITE(worker_reload, *boost::unit_test::precondition(dormouse::testing::has_postgres))

using namespace dormouse;
using namespace dormouse::testing;

// The file is broken while the database is away, so a retry of reading it is armed; then the database comes, and then
// the file is repaired.
BOOST_AUTO_TEST_CASE(a_retry_of_reading_the_file_does_not_end_a_worker_that_has_found_its_database) {
    TestDatabase database;
    database.exec("SELECT dormouse.enqueue('hold')");
    const TemporaryDirectory directory;
    const PoolTasks tasks;
    const std::string socket = ".s.PGSQL." + std::to_string(Cluster::shared().port());
    const std::string file = directory.path() + "/p.toml";
    const std::string url = "postgresql://postgres@/" + database.name() + "?host=" + directory.path() +
                            "&port=" + std::to_string(Cluster::shared().port());
    const auto write = [&](const std::string& worker) {
        std::ofstream(file + ".new") << pool_toml(url, {.worker = worker}, tasks);
        std::filesystem::rename(file + ".new", file);
    };
    write("");
    loop::Loop loop;
    config::Sources sources;
    sources.pool = "p";
    sources.file = file;
    worker::Pool pool(loop, sources);
    const auto until = [&](const std::function<bool()>& happened) {
        const auto end = BootClock::now() + Millis{30'000};
        loop::Timer tick(loop, "test.tick");
        tick.every(Millis{5}, [] {});
        while (!happened() && BootClock::now() < end) loop.turn();
        return happened();
    };
    const auto reload_is_armed = [&] {
        const auto timers = loop.armed_timers();
        return std::find(timers.begin(), timers.end(), "pool.reload") != timers.end();
    };
    pool.start();
    BOOST_TEST_REQUIRE(until(
        [&] { return pool.worker() != nullptr && pool.worker()->is_waiting_for_database() && !reload_is_armed(); }));
    write("concurency = 1");
    BOOST_TEST_REQUIRE(until(reload_is_armed));
    std::filesystem::create_symlink(Cluster::shared().socket_directory() + "/" + socket,
                                    directory.path() + "/" + socket);
    BOOST_TEST_REQUIRE(until([&] { return tasks.started().size() == 1; }));
    const worker::Worker* const before = pool.worker();
    write("");
    BOOST_TEST(until([&] { return !reload_is_armed(); }));
    BOOST_TEST(pool.worker() == before);
    BOOST_TEST(process_lives(tasks.processes().at(0)));
    tasks.release();
    BOOST_TEST(until([&] { return database.value("SELECT status FROM dormouse.runs") == "completed"; }));
}

// In the foreground, and nobody has given it a directory: what it knows of its own workers it knows by itself.
BOOST_AUTO_TEST_CASE(of_a_worker_whose_file_changed_while_the_database_was_away_no_row_is_left_for_a_dead_one) {
    TestDatabase database;
    const TemporaryDirectory directory;
    const PoolTasks tasks;
    const std::string socket = "/.s.PGSQL." + std::to_string(Cluster::shared().port());
    const std::string url = "postgresql://postgres@/" + database.name() + "?host=" + directory.path() +
                            "&port=" + std::to_string(Cluster::shared().port());
    const auto write = [&](const std::string& worker) {
        std::ofstream(directory.path() + "/p.new") << pool_toml(url, {.worker = worker}, tasks);
        std::filesystem::rename(directory.path() + "/p.new", directory.path() + "/p.toml");
    };
    const auto come = [&] {
        std::filesystem::create_symlink(Cluster::shared().socket_directory() + socket, directory.path() + socket);
    };
    const auto rows = [&] {
        return database.value(
            "SELECT string_agg(concat_ws(' ', state, ended), ', ' ORDER BY started_at) FROM "
            "dormouse.worker_registry");
    };
    come();
    write("");
    loop::Loop loop;
    config::Sources sources;
    sources.pool = "p";
    sources.file = directory.path() + "/p.toml";
    worker::Pool pool(loop, sources);
    const auto until = [&](const std::function<bool()>& happened) {
        const auto end = BootClock::now() + Millis{30'000};
        loop::Timer tick(loop, "test.tick");
        tick.every(Millis{5}, [] {});
        while (!happened() && BootClock::now() < end) loop.turn();
        return happened();
    };
    pool.start();
    BOOST_TEST_REQUIRE(until([&] { return rows() == "awake"; }));
    std::filesystem::remove(directory.path() + socket);
    database.exec("SELECT pg_terminate_backend(session_pid) FROM dormouse.worker_registry");
    BOOST_TEST_REQUIRE(until([&] { return pool.worker()->is_waiting_for_database(); }));
    const Uuid before = pool.worker()->id();
    write("idle_exit = \"7min\"");
    BOOST_TEST_REQUIRE(until([&] { return pool.worker()->id() != before; }));
    come();
    BOOST_TEST(until([&] { return rows() == "left replaced, awake"; }), rows());
}

BOOST_AUTO_TEST_SUITE_END()
