// W9: a database that sleeps is let sleep. Its starts are counted, and equal the looks that had to be.
#include <boost/test/unit_test.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "support/crash_bench.h"
#include "support/foreground_worker.h"
#include "support/paths.h"
#include "support/pool_bench.h"
#include "support/sleepy_server.h"

namespace worker_doze {

using namespace dormouse;
using namespace dormouse::testing;

namespace {

constexpr Millis quiet{1'500};

/// Not the one that the other tests of this process share: it is stopped.
Cluster& own_cluster() {
    static Cluster cluster;
    return cluster;
}

struct Provider {
    Cluster& cluster = own_cluster();
    TestDatabase database{TestDatabase::Schema::migrated, cluster};
    std::string name = database.name();
    SleepyServer server;

    explicit Provider(Millis falls_asleep_after = quiet) : server(cluster, falls_asleep_after) {}
    /// By somebody elsewhere, who connects and hangs up; wakes the server if it sleeps.
    std::string ask(const std::string& sql) {
        auto connection = postgres::BlockingConnection::open(server.url(name), {"somebody", "", Millis{10'000}});
        if (!connection) throw std::runtime_error(connection.error().message);
        const auto reply = connection->ask("test", sql);
        if (!reply) throw std::runtime_error(reply.error().message);
        return std::string(reply->rows() > 0 ? reply->text(0, 0) : "");
    }
    std::string completed() { return ask("SELECT count(*) FROM dormouse.runs WHERE status = 'completed'"); }
};

/// For a case in which it falls asleep often.
struct Brief : Provider {
    Brief() : Provider(Millis{400}) {}
};

PoolBenchOptions options(const std::string& close_after = "300ms", const std::string& worker = "") {
    return {.worker = worker, .database = "close_after = \"" + close_after + "\""};
}

}  // namespace

}  // namespace worker_doze

BOOST_FIXTURE_TEST_SUITE(worker_doze, Provider, *boost::unit_test::precondition(has_postgres))

BOOST_AUTO_TEST_CASE(an_idle_worker_lets_the_database_sleep_and_a_ring_wakes_both_once) {
    PoolBench bench(server.url(name), options());
    BOOST_TEST_REQUIRE(bench.until([&] { return server.sleeps(); }));
    bench.turns_within(Millis{3'000});
    BOOST_TEST(server.starts() == 0);
    BOOST_TEST((bench.worker().state() == worker::State::idle));
    ask("SELECT dormouse.enqueue('echo')");  // elsewhere: nobody here hears of it
    BOOST_TEST_REQUIRE(bench.until([&] { return server.sleeps(); }));
    BOOST_TEST(server.starts() == 1);
    bench.ring();
    BOOST_TEST_REQUIRE(bench.until([&] { return !server.sleeps(); }));
    BOOST_TEST_REQUIRE(bench.until([&] { return server.sleeps(); }));
    BOOST_TEST(server.starts() == 2);
    BOOST_TEST(completed() == "1");
}

BOOST_AUTO_TEST_CASE(a_session_that_the_database_ends_by_falling_asleep_is_not_opened_again) {
    PoolBench bench(server.url(name), options("10min"));
    BOOST_TEST_REQUIRE(bench.until([&] { return server.sleeps(); }));
    bench.turns_within(Millis{4'000});
    BOOST_TEST(server.starts() == 0);
    // nobody could write that it rests: the server is younger than its session
    BOOST_TEST(ask("SELECT concat_ws(' ', state, condition) FROM dormouse.workers") == "awake idle");
    BOOST_TEST_REQUIRE(bench.until([&] { return server.sleeps(); }));
    bench.ring();
    BOOST_TEST(bench.until([&] { return server.starts() == 2; }));
}

BOOST_AUTO_TEST_CASE(a_long_run_does_not_keep_the_database_awake_and_its_ending_wakes_it_once) {
    PoolBench bench(server.url(name), options("300ms", "lease = \"10min\""));
    ask("SELECT dormouse.enqueue('hold')");
    BOOST_TEST_REQUIRE(bench.until([&] { return bench.tasks().started().size() == 1; }));
    BOOST_TEST_REQUIRE(bench.until([&] { return server.sleeps(); }));
    bench.turns_within(Millis{2'000});
    BOOST_TEST(server.starts() == 0);
    bench.tasks().release();
    BOOST_TEST_REQUIRE(bench.until([&] { return !server.sleeps(); }));
    BOOST_TEST_REQUIRE(bench.until([&] { return server.sleeps(); }));
    BOOST_TEST(server.starts() == 1);
    BOOST_TEST(completed() == "1");
}

BOOST_AUTO_TEST_CASE(a_lease_that_has_to_be_extended_wakes_it_and_the_run_goes_on) {
    PoolBench bench(server.url(name), options("300ms", "lease = \"9s\""));
    ask("SELECT dormouse.enqueue('hold')");
    BOOST_TEST_REQUIRE(bench.until([&] { return bench.tasks().started().size() == 1; }));
    BOOST_TEST_REQUIRE(bench.until([&] { return server.starts() == 1; }));
    bench.tasks().release();
    BOOST_TEST(bench.until([&] { return bench.worker().state() == worker::State::idle; }));
    BOOST_TEST(completed() == "1");
    BOOST_TEST(ask("SELECT attempts FROM dormouse.runs") == "1");
}

BOOST_AUTO_TEST_CASE(a_due_time_wakes_it) {
    PoolBench bench(server.url(name), options());
    ask("SELECT dormouse.enqueue('echo', delay => interval '5 s')");
    BOOST_TEST_REQUIRE(bench.until([&] { return server.sleeps(); }));
    BOOST_TEST(bench.until([&] { return server.starts() == 1; }));
    BOOST_TEST_REQUIRE(bench.until([&] { return server.sleeps(); }));
    BOOST_TEST(completed() == "1");
}

BOOST_AUTO_TEST_CASE(a_worker_leaves_without_waking_it_and_knows_what_is_due) {
    PoolBenchOptions leaving = options("300ms", "idle_exit = \"4s\"\nlook_exit = \"4s\"");
    leaving.leaves_when_idle = true;
    ask("SELECT dormouse.enqueue('echo', delay => interval '1 hour')");
    PoolBench bench(server.url(name), leaving);
    BOOST_TEST_REQUIRE(bench.until([&] { return server.sleeps(); }));
    BOOST_TEST_REQUIRE(bench.until_gone());
    BOOST_TEST(server.starts() == 0);
    BOOST_TEST(bench.farewell()->graceful);
    BOOST_TEST(bench.farewell()->due_known);
    BOOST_TEST_REQUIRE(bench.farewell()->due.has_value());
    BOOST_TEST((*bench.farewell()->due > Millis{3'500'000} && *bench.farewell()->due <= Millis{3'600'000}));
    BOOST_TEST(ask("SELECT concat_ws(' ', state, condition, rests_until < now() + interval '2 minutes') FROM "
                   "dormouse.workers JOIN dormouse.worker_registry USING (id, state)") == "resting idle t");
    ask("UPDATE dormouse.worker_registry SET rests_until = now()");
    BOOST_TEST(ask("SELECT concat_ws(' ', condition, ended) FROM dormouse.workers") == "left rested");
}

BOOST_AUTO_TEST_CASE(a_worker_that_is_told_to_leave_does_not_wake_it) {
    PoolBench bench(server.url(name), options());
    BOOST_TEST_REQUIRE(bench.until([&] { return server.sleeps(); }));
    bench.worker().terminate();
    BOOST_TEST_REQUIRE(bench.until_gone());
    BOOST_TEST(server.starts() == 0);
    BOOST_TEST(bench.farewell()->due_known);
    BOOST_TEST(!bench.farewell()->due.has_value());
}

BOOST_AUTO_TEST_CASE(a_run_that_is_taken_away_meanwhile_is_found_out_at_the_next_session) {
    PoolBench bench(server.url(name), options("300ms", "lease = \"10min\""));
    ask("SELECT dormouse.enqueue('hold')");
    BOOST_TEST_REQUIRE(bench.until([&] { return bench.tasks().started().size() == 1; }));
    BOOST_TEST_REQUIRE(bench.until([&] { return server.sleeps(); }));
    ask("UPDATE dormouse.runs SET status = 'canceled'");
    bench.ring();
    BOOST_TEST(bench.until([&] { return !process_lives(bench.tasks().processes().front()); }));
}

BOOST_AUTO_TEST_CASE(a_wake_file_that_comes_while_nobody_listens_is_answered_at_once) {
    PoolBench bench(server.url(name), options());
    BOOST_TEST_REQUIRE(bench.until([&] { return server.sleeps(); }));
    ask("SELECT dormouse.enqueue('echo')");
    std::ofstream(bench.wake_file()) << "";
    BOOST_TEST(bench.until([&] { return completed() == "1"; }));
}

// A wake comes before its commit: whoever closed the session in between would never hear of that.
BOOST_AUTO_TEST_CASE(the_session_stays_while_somebody_is_between_wake_and_commit) {
    auto producer = database.connect();
    BOOST_TEST_REQUIRE(producer
                           .script("wake",
                                   "BEGIN; SET LOCAL dormouse.notify = off; SELECT dormouse.enqueue('echo'); SELECT "
                                   "pg_advisory_xact_lock_shared(1685024365, 1)")
                           .has_value());
    PoolBench bench(server.url(name), options());
    BOOST_TEST_REQUIRE(bench.until([&] { return bench.worker().state() == worker::State::idle; }));
    const auto before = bench.statements();
    // it looks again instead of closing the session
    BOOST_TEST_REQUIRE(bench.until([&] { return bench.statements() > before + 4; }));
    BOOST_TEST(bench.worker().database().is_open());
    BOOST_TEST_REQUIRE(producer.script("commit", "COMMIT").has_value());
    BOOST_TEST(bench.until([&] { return completed() == "1"; }));
}

BOOST_AUTO_TEST_CASE(a_worker_without_a_session_that_finds_a_wake_file_as_it_leaves_is_due_at_once) {
    PoolBench bench(server.url(name), options());
    BOOST_TEST_REQUIRE(bench.until([&] { return server.sleeps(); }));
    std::ofstream(bench.wake_file()) << "";
    bench.worker().terminate();  // before inotify has told it
    BOOST_TEST_REQUIRE(bench.until_gone());
    BOOST_TEST(server.starts() == 0);
    BOOST_TEST_REQUIRE(bench.farewell()->due.has_value());
    BOOST_TEST(bench.farewell()->due->count() == 0);
}

// The case stands for systemd, which starts the worker again, and for dormouse-due, which counts how often.
BOOST_FIXTURE_TEST_CASE(a_worker_that_dies_of_each_session_starts_it_once_for_each_connect_and_less_and_less_often,
                        Brief, *boost::unit_test::precondition(has_crash_points)) {
    const TemporaryDirectory directory;
    const PoolTasks tasks;
    std::filesystem::create_directories(directory.path() + "/run/loop");
    std::ofstream(directory.path() + "/loop.toml")
        << pool_toml(server.url(name), options("300ms", "idle_exit = \"10ms\"\nlook_exit = \"10ms\""), tasks);
    const auto live = [&](int failures, const std::string& crash_at) {
        std::ofstream(directory.path() + "/run/loop.failures") << failures << "\n";
        return run({{dormouse_binary, "worker", "loop", "--config", directory.path() + "/loop.toml"},
                    {},
                    {{"RUNTIME_DIRECTORY", directory.path() + "/run/loop"},
                     {"DORMOUSE_PATHS_RUNTIME_DIRECTORY", directory.path() + "/run"},
                     {"DORMOUSE_CRASH_AT", crash_at}},
                    {},
                    Millis{20'000}});
    };
    ask("SELECT dormouse.enqueue('echo')");
    const int connects = server.connects();
    const int starts = server.starts();
    int deaths = 0;
    std::string pauses;
    for (const Millis pause : {Millis{0}, Millis{1'000}, Millis{2'000}}) {
        BOOST_TEST_REQUIRE(eventually([&] { return server.sleeps(); }));
        const auto began = BootClock::now();
        BOOST_TEST(live(2 + deaths++, "session.opened").signal == SIGKILL);
        const Millis passed = since(began);
        BOOST_TEST((passed >= pause), "the connect came after " << passed.count() << " ms");
        pauses += " " + std::to_string(passed.count());
        BOOST_TEST(server.connects() == connects + deaths);
        BOOST_TEST(server.starts() == starts + deaths);
    }
    BOOST_TEST_MESSAGE("from start to death in ms:" << pauses);
    BOOST_TEST_REQUIRE(eventually([&] { return server.sleeps(); }));
    const Ended ended = live(0, "");  // the cause is gone
    BOOST_TEST(ended.exit_code == 0, ended.err);
    BOOST_TEST(server.connects() == connects + deaths + 1);
    BOOST_TEST(server.starts() == starts + deaths + 1);
    BOOST_TEST(completed() == "1");
}

// Nothing else makes a round: its next session may be far away.
BOOST_AUTO_TEST_CASE(what_a_canceled_run_said_last_is_written) {
    PoolBench bench(server.url(name), {.database = "close_after = \"300ms\"",
                                       .rest = "[task.tidies]\ncommand = [\"/bin/sh\", \"-c\", \"trap 'echo tidied up "
                                               ">&2; exit' TERM; echo began >&2; sleep 1000 & wait\"]"});
    const std::string id = ask("SELECT dormouse.enqueue('tidies')");
    bench.ring();
    BOOST_TEST_REQUIRE(bench.until([&] { return server.sleeps(); }));
    ask("SELECT dormouse.cancel('" + id + "')");
    bench.ring();
    BOOST_TEST(bench.until([&] { return ask("SELECT count(*) FROM dormouse.logs WHERE text = 'tidied up'") == "1"; }));
}

// Its successor has the doorbell: the run that it finishes needs no session until it has ended.
BOOST_AUTO_TEST_CASE(a_worker_that_was_handed_over_lets_the_database_sleep_while_its_run_goes_on) {
    PoolBench bench(server.url(name), options());
    const std::string id = ask("SELECT dormouse.enqueue('hold')");
    bench.ring();
    BOOST_TEST_REQUIRE(bench.until([&] { return bench.tasks().started().size() == 1; }));
    BOOST_TEST_REQUIRE(bench.until([&] { return bench.worker().database().is_open(); }));
    bench.worker().hand_over();
    BOOST_TEST_REQUIRE(bench.until([&] { return server.sleeps(); }));
    const int starts = server.starts();
    bench.turns_within(Millis{3'000});
    BOOST_TEST(server.starts() == starts);
    BOOST_TEST(!bench.farewell().has_value());
    bench.tasks().release();
    BOOST_TEST_REQUIRE(bench.until([&] { return bench.farewell().has_value(); }));
    BOOST_TEST(ask("SELECT status FROM dormouse.runs") == "completed");
}

BOOST_AUTO_TEST_SUITE_END()
