// Every way to end: quiet for long enough, told to stop, told twice. And what does not end a worker: a wrong
// configuration, a database that cannot be used (W4, W5, W7).
#include <fcntl.h>
#include <sys/resource.h>

#include <boost/test/unit_test.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include "support/events.h"
#include "support/paths.h"
#include "support/pool_bench.h"
#include "support/process.h"

BOOST_AUTO_TEST_SUITE(worker_exit, *boost::unit_test::precondition(dormouse::testing::has_postgres))

using namespace dormouse;
using namespace dormouse::testing;

namespace {

constexpr const char* completed = "SELECT count(*) FROM dormouse.runs WHERE status = 'completed'";

Millis exit_after(PoolBench& bench) {
    const auto start = BootClock::now();
    BOOST_TEST_REQUIRE(bench.until_gone());
    return since(start);
}

/// A worker process as a unit runs it: with a doorbell and a runtime directory of its own.
struct Unit {
    TemporaryDirectory directory;
    PoolTasks tasks;
    std::string bell = directory.path() + "/bell";
    UniqueFd listener = listen_at(bell);
    std::optional<Process> process;

    Unit() { std::filesystem::create_directories(directory.path() + "/run/unit"); }
    [[nodiscard]] std::string file() const { return directory.path() + "/unit.toml"; }
    void configure(const std::string& url, const std::string& worker) {
        std::ofstream(file() + ".new") << pool_toml(url, {.worker = worker}, tasks);
        std::filesystem::rename(file() + ".new", file());
    }
    void start() {
        const std::string fd = std::to_string(listener.get());
        ::fcntl(listener.get(), F_SETFD, 0);
        const std::string shell = "exec 3<&" + fd + "; LISTEN_FDS=1 LISTEN_PID=$$ exec \"$@\"";
        process.emplace(
            Program{{"bash", "-c", shell, "unit", dormouse_binary, "worker", "unit", "--config", file(), "--verbose"},
                    {},
                    {{"RUNTIME_DIRECTORY", directory.path() + "/run/unit"},
                     {"DORMOUSE_PATHS_RUNTIME_DIRECTORY", directory.path() + "/run"}},
                    {},
                    Millis{60'000}});
        ::fcntl(listener.get(), F_SETFD, FD_CLOEXEC);
    }
    [[nodiscard]] std::string due() const {
        std::ifstream file(directory.path() + "/run/unit/due");
        std::string line;
        return std::getline(file, line) ? line : "no file";
    }
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_worker_that_found_nothing_leaves_after_look_exit) {
    TestDatabase database;
    PoolBench bench(database.url(), {.worker = "look_exit = \"300ms\"\nidle_exit = \"1h\"", .leaves_when_idle = true});
    BOOST_TEST_REQUIRE(bench.until_idle());
    BOOST_TEST(exit_after(bench).count() >= 100);
    BOOST_TEST(bench.farewell()->graceful);
    BOOST_TEST(bench.farewell()->due_known);
    BOOST_TEST(!bench.farewell()->due.has_value());
    BOOST_TEST(database.value("SELECT state FROM dormouse.workers") == "left");
}

BOOST_AUTO_TEST_CASE(a_worker_that_ran_something_leaves_after_idle_exit) {
    TestDatabase database;
    database.exec("SELECT dormouse.enqueue('echo'), dormouse.enqueue('echo', delay => '1 hour')");
    PoolBench bench(database.url(), {.worker = "look_exit = \"1ms\"\nidle_exit = \"600ms\"", .leaves_when_idle = true});
    BOOST_TEST_REQUIRE(bench.until([&] { return database.value(completed) == "1"; }));
    BOOST_TEST_REQUIRE(bench.until_idle());
    BOOST_TEST(exit_after(bench).count() >= 200);
    BOOST_TEST_REQUIRE(bench.farewell()->due.has_value());
    BOOST_TEST(bench.farewell()->due->count() > 3'500'000);
    BOOST_TEST(bench.farewell()->due->count() <= 3'600'000);
}

BOOST_AUTO_TEST_CASE(with_max_sleep_a_pool_is_due_after_it_at_the_latest) {
    TestDatabase database;
    const auto due = [&](const std::string& max_sleep) {
        PoolBench bench(database.url(), {.worker = "look_exit = \"1ms\"",
                                         .rest = "[wake]\nmax_sleep = \"" + max_sleep + "\"",
                                         .leaves_when_idle = true});
        BOOST_TEST_REQUIRE(bench.until_gone());
        BOOST_TEST(bench.farewell()->due_known);
        return bench.farewell()->due.value_or(Millis{-1});
    };
    BOOST_TEST(due("1s").count() == 1'000);
    BOOST_TEST(due("off").count() == -1);
    database.exec("SELECT dormouse.enqueue('echo', delay => '1 hour')");
    BOOST_TEST(due("1s").count() == 1'000);
    BOOST_TEST(due("2h").count() > 3'500'000);  // it puts nothing off
    BOOST_TEST(due("2h").count() <= 3'600'000);
}

BOOST_AUTO_TEST_CASE(an_empty_look_does_not_start_the_clock_anew) {
    TestDatabase database;
    PoolBench bench(database.url(), {.worker = "look_exit = \"1s\"", .leaves_when_idle = true});
    BOOST_TEST_REQUIRE(bench.until_idle());
    const auto start = BootClock::now();
    while (!bench.farewell() && since(start) < Millis{20'000}) {
        ring_at(bench.bell());
        bench.turns_within(Millis{150});
    }
    BOOST_TEST(bench.farewell().has_value());
    BOOST_TEST_MESSAGE("left " << since(start).count() << " ms after its first look, rung all along (aim: 1,000)");
}

BOOST_AUTO_TEST_CASE(a_ring_at_the_last_moment_is_answered_or_left_for_the_next_worker) {
    TestDatabase database;
    for (int round = 0; round < 30; ++round) {
        PoolBench bench(database.url(),
                        {.worker = "look_exit = \"1ms\"\nidle_exit = \"1ms\"", .leaves_when_idle = true});
        for (int i = 0; i < round % 10; ++i) bench.loop().turn();
        database.exec("BEGIN; SET LOCAL dormouse.notify = off; SELECT dormouse.enqueue('echo'); COMMIT");
        bench.ring();
        BOOST_TEST_REQUIRE(bench.until_gone());
        const bool done = database.value("SELECT count(*) FROM dormouse.runs WHERE status <> 'completed'") == "0";
        if (!done) BOOST_TEST((bench.farewell()->due == Millis{0} || bench.rings_are_left()));
        database.exec("TRUNCATE dormouse.runs");
    }
}

BOOST_AUTO_TEST_CASE(a_worker_in_the_foreground_stays) {
    TestDatabase database;
    PoolBench bench(database.url(), {.worker = "look_exit = \"1ms\""});
    BOOST_TEST_REQUIRE(bench.until_idle());
    bench.turns_within(Millis{300});
    BOOST_TEST(!bench.farewell().has_value());
}

BOOST_AUTO_TEST_CASE(told_to_stop_it_finishes_what_runs_and_claims_nothing_more) {
    TestDatabase database;
    PoolBench bench(database.url(), {.worker = "concurrency = 1"});
    database.exec("SELECT dormouse.enqueue('hold') FROM generate_series(1, 2)");
    BOOST_TEST_REQUIRE(bench.until([&] { return bench.tasks().started().size() == 1; }));
    bench.worker().terminate();
    BOOST_TEST((bench.worker().state() == worker::State::leaving));
    bench.turns_within(Millis{200});
    BOOST_TEST(!bench.farewell().has_value());
    bench.tasks().release();
    BOOST_TEST_REQUIRE(bench.until_gone());
    BOOST_TEST(bench.farewell()->graceful);
    BOOST_TEST((bench.farewell()->due == Millis{0}));
    BOOST_TEST(database.value(completed) == "1");
    BOOST_TEST(database.value("SELECT count(*) FROM dormouse.runs WHERE status = 'queued'") == "1");
}

BOOST_AUTO_TEST_CASE(after_the_grace_runs_are_handed_back_uncounted) {
    TestDatabase database;
    PoolBench bench(database.url(), {.worker = "shutdown_grace = \"200ms\""});
    database.exec("SELECT dormouse.enqueue('hold')");
    BOOST_TEST_REQUIRE(bench.until([&] { return bench.tasks().started().size() == 1; }));
    bench.worker().terminate();
    BOOST_TEST_REQUIRE(bench.until_gone());
    BOOST_TEST(bench.farewell()->graceful);
    BOOST_TEST(database.value("SELECT status || attempts FROM dormouse.runs") == "queued0");
    BOOST_TEST(database.value("SELECT outcome FROM dormouse.attempts") == "handed_back");
    BOOST_TEST(!process_lives(bench.tasks().processes().at(0)));
}

BOOST_AUTO_TEST_CASE(told_twice_the_grace_ends_now) {
    TestDatabase database;
    PoolBench bench(database.url(), {.worker = "shutdown_grace = \"1h\""});
    database.exec("SELECT dormouse.enqueue('hold')");
    BOOST_TEST_REQUIRE(bench.until([&] { return bench.tasks().started().size() == 1; }));
    bench.worker().terminate();
    bench.worker().terminate();
    BOOST_TEST_REQUIRE(bench.until_gone());
    BOOST_TEST(database.value("SELECT status FROM dormouse.runs") == "queued");
}

// Ctrl-C in a terminal is what SIGTERM is from systemd.
BOOST_AUTO_TEST_CASE(interrupted_it_lets_a_handler_finish_and_interrupted_twice_it_hands_the_run_back) {
    for (const bool twice : {false, true}) {
        TestDatabase database;
        Unit unit;
        unit.configure(database.url(), "shutdown_grace = \"1h\"");
        unit.start();
        BOOST_TEST_REQUIRE(unit.process->saw_error("starting -> "));
        database.exec("SELECT dormouse.enqueue('hold')");
        BOOST_TEST_REQUIRE(until_changed(unit.tasks.directory(), [&] { return unit.tasks.started().size() == 1; }));
        const int handler = unit.tasks.processes().front();
        unit.process->signal(SIGINT);
        BOOST_TEST_REQUIRE(unit.process->saw_error("leaving: running handlers may finish"));
        BOOST_TEST(process_lives(handler));
        twice ? unit.process->signal(SIGINT) : unit.tasks.release();
        const Ended ended = unit.process->wait();
        BOOST_TEST(ended.exit_code == 0, ended.err);
        BOOST_TEST(!process_lives(handler));
        BOOST_TEST((ended.err.find("the grace ends now") != std::string::npos) == twice);
        BOOST_TEST(ended.err.find("graceful=true") != std::string::npos);
        BOOST_TEST(database.value("SELECT status || attempts FROM dormouse.runs") ==
                   (twice ? "queued0" : "completed1"));
        BOOST_TEST(database.value("SELECT string_agg(outcome, ' ') FROM dormouse.attempts") ==
                   (twice ? "handed_back" : "completed"));
        BOOST_TEST(unit.due() == (twice ? "0" : "none"));
    }
}

BOOST_AUTO_TEST_CASE(a_look_answered_after_the_decision_is_handed_back) {
    TestDatabase database;
    database.exec("SELECT dormouse.enqueue('hold')");
    auto person = database.connect();
    BOOST_TEST_REQUIRE(
        person.script("lock", "BEGIN; LOCK TABLE dormouse.runs_live IN SHARE ROW EXCLUSIVE MODE").has_value());
    PoolBench bench(database.url());
    BOOST_TEST_REQUIRE(bench.until([&] { return bench.worker().database().is_open(); }));
    bench.worker().terminate();
    BOOST_TEST_REQUIRE(person.script("unlock", "COMMIT").has_value());
    BOOST_TEST_REQUIRE(bench.until_gone());
    BOOST_TEST(bench.tasks().started().empty());
    BOOST_TEST(database.value("SELECT status || attempts FROM dormouse.runs") == "queued0");
    BOOST_TEST((bench.farewell()->due == Millis{0}));
}

BOOST_AUTO_TEST_CASE(told_to_stop_without_a_database_it_says_nothing_about_due) {
    const TemporaryDirectory nowhere;
    PoolBench bench("postgresql:///none?host=" + nowhere.path());
    bench.worker().terminate();
    BOOST_TEST_REQUIRE(bench.until_gone());
    BOOST_TEST(bench.farewell()->graceful);
    BOOST_TEST(!bench.farewell()->due_known);
}

BOOST_AUTO_TEST_CASE(a_unit_writes_its_due_file_and_exits_0) {
    TestDatabase database;
    Unit unit;
    unit.configure(database.url(), "look_exit = \"50ms\"\nidle_exit = \"50ms\"");
    unit.start();
    BOOST_TEST(unit.process->wait().exit_code == 0);
    BOOST_TEST(unit.due() == "none");
    database.exec("SELECT dormouse.enqueue('echo', delay => '1 hour')");
    unit.start();
    BOOST_TEST(unit.process->wait().exit_code == 0);
    BOOST_TEST(unit.due().size() == 7U);  // 3599… ms
}

BOOST_AUTO_TEST_CASE(a_unit_with_a_broken_file_stays_answers_and_recovers_when_it_is_repaired) {
    TestDatabase database;
    database.exec("SELECT dormouse.enqueue('echo')");
    Unit unit;
    unit.configure(database.url(), "concurency = 4");
    unit.start();
    BOOST_TEST_REQUIRE(unit.process->saw_error("concurency"));
    for (int i = 0; i < 5'000; ++i)
        if (!ring_at(unit.bell)) std::this_thread::yield();
    BOOST_TEST(ring_at(unit.bell));
    BOOST_TEST(process_lives(unit.process->pid()));
    unit.configure(database.url(), "look_exit = \"50ms\"\nidle_exit = \"50ms\"");
    const Ended ended = unit.process->wait();
    BOOST_TEST(ended.exit_code == 0);
    BOOST_TEST(database.value(completed) == "1");
}

BOOST_AUTO_TEST_CASE(a_unit_with_a_wrong_database_stays_and_recovers_when_its_file_is_changed) {
    TestDatabase database;
    TestDatabase empty(TestDatabase::Schema::none);
    database.exec("SELECT dormouse.enqueue('echo')");
    for (const std::string& wrong :
         {empty.url(), database.url(password_user), Cluster::shared().url("no_such_database")}) {
        Unit unit;
        unit.configure(wrong, "look_exit = \"50ms\"\nidle_exit = \"50ms\"");
        unit.start();
        BOOST_TEST_REQUIRE(unit.process->saw_error("database_lost"));
        BOOST_TEST(process_lives(unit.process->pid()));
        unit.configure(database.url(), "look_exit = \"50ms\"\nidle_exit = \"50ms\"");
        const Ended ended = unit.process->wait();
        BOOST_TEST(ended.exit_code == 0, ended.err);
        BOOST_TEST(database.value("SELECT count(*) FROM dormouse.runs WHERE status <> 'completed'") == "0");
    }
}

BOOST_AUTO_TEST_CASE(a_missing_schema_is_named_with_its_remedy_and_found_when_it_comes) {
    TestDatabase empty(TestDatabase::Schema::none);
    Unit unit;
    unit.configure(empty.url(), "look_exit = \"50ms\"\nidle_exit = \"50ms\"");
    unit.start();
    BOOST_TEST_REQUIRE(unit.process->saw_error("dormouse migrate"));
    BOOST_TEST(run({{dormouse_binary, "migrate", "--database-url", empty.url()}, {}, {}, {}}).exit_code == 0);
    BOOST_TEST(unit.process->wait().exit_code == 0);
}

BOOST_AUTO_TEST_CASE(an_older_schema_is_refused_and_waited_for) {
    TestDatabase database;
    PoolBench bench(database.url(), {.starts = false});
    database.exec("DELETE FROM dormouse.migrations WHERE version = (SELECT max(version) FROM dormouse.migrations)");
    bench.worker().start();
    bench.turns_within(Millis{300});
    BOOST_TEST(bench.worker().is_waiting_for_database());
}

BOOST_AUTO_TEST_CASE(a_schema_that_serves_only_later_releases_is_refused_with_its_remedy) {
    TestDatabase database;
    database.exec(
        "INSERT INTO dormouse.migrations (version, name, checksum, oldest_release) "
        "VALUES (9999, '9999_later', 'x', '99.0.0')");
    Unit unit;
    unit.configure(database.url(), "look_exit = \"50ms\"\nidle_exit = \"50ms\"");
    unit.start();
    BOOST_TEST_REQUIRE(unit.process->saw_error("99.0.0"));
    BOOST_TEST(process_lives(unit.process->pid()));
    database.exec("DELETE FROM dormouse.migrations WHERE version = 9999");
    BOOST_TEST(unit.process->wait().exit_code == 0);
}

// Somebody repairs the file while a retry of reading it is armed, and the worker has found its database meanwhile.
BOOST_AUTO_TEST_CASE(a_changed_file_does_not_end_a_worker_that_has_runs_in_flight) {
    TestDatabase database;
    Unit unit;
    unit.configure(database.url(), "");
    unit.start();
    BOOST_TEST_REQUIRE(unit.process->saw_error("starting -> "));
    database.exec("SELECT dormouse.enqueue('hold')");
    BOOST_TEST_REQUIRE(unit.process->saw_error("run_dispatched"));
    unit.configure(database.url(), "concurrency = 9");
    unit.tasks.release();
    BOOST_TEST_REQUIRE(unit.process->saw_error("run_completed"));
    unit.process->signal(SIGTERM);
    BOOST_TEST(unit.process->wait().exit_code == 0);
    BOOST_TEST(unit.due() == "none");
}

BOOST_AUTO_TEST_CASE(a_file_that_may_not_grow_is_an_error_and_not_the_end_of_the_worker) {
    TestDatabase database;
    Unit unit;
    unit.configure(database.url(), "idle_exit = \"1h\"");
    unit.start();
    BOOST_TEST_REQUIRE(unit.process->saw_error("listening: "));
    const rlimit nothing{0, 0};  // LimitFSIZE=
    BOOST_TEST_REQUIRE(::prlimit(unit.process->pid(), RLIMIT_FSIZE, &nothing, nullptr) == 0);
    unit.process->signal(SIGTERM);
    const Ended ended = unit.process->wait();
    BOOST_TEST(ended.exit_code == 0);
    BOOST_TEST(ended.signal == 0);
    BOOST_TEST(ended.err.find("File too large") != std::string::npos, ended.err);
}

BOOST_AUTO_TEST_SUITE_END()
