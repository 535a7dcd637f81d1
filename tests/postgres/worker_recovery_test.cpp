// What becomes of runs when sessions, servers and workers die: nothing is lost, nothing is done by two, and results in
// hand are written later.
#include <boost/test/unit_test.hpp>
#include <fstream>

#include "support/foreground_worker.h"
#include "support/paths.h"
#include "support/pool_bench.h"
#include "support/process.h"
#include "support/proxy_tcp.h"

BOOST_AUTO_TEST_SUITE(worker_recovery, *boost::unit_test::precondition(dormouse::testing::has_postgres))

using namespace dormouse;
using namespace dormouse::testing;

namespace {

constexpr const char* completed = "SELECT count(*) FROM dormouse.runs WHERE status = 'completed'";
constexpr const char* terminate =
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name LIKE 'dormouse worker%'"
    " AND datname = current_database()";

struct Proxied {
    TestDatabase database;
    ProxyTcp proxy{Cluster::shared().socket_directory(), Cluster::shared().port()};
    PoolBench bench;

    explicit Proxied(const PoolBenchOptions& options = {}) : bench(proxy.url(database.name()), options) {}
    std::string status(const std::string& id) {
        return database.value("SELECT status FROM dormouse.runs WHERE id = $1", {id});
    }
    bool until_status(const std::string& id, const std::string& wanted) {
        return bench.until([&] { return status(id) == wanted; });
    }
    bool until_started(std::size_t count) {
        return bench.until([&] { return bench.tasks().started().size() >= count; });
    }
    std::string outcomes(const std::string& id) {
        return database.value(
            "SELECT string_agg(outcome, ' ' ORDER BY attempt) FROM dormouse.attempts WHERE run_id = $1", {id});
    }
};

}  // namespace

// After crashes in a row the first session comes later. Whoever rings or spools meanwhile is answered then.
BOOST_AUTO_TEST_CASE(while_it_may_not_connect_yet_it_waits_whatever_is_wanted) {
    TestDatabase database;
    PoolBench bench(database.url(), {.first_connect_delay = Millis{1'000}});
    database.exec("SELECT dormouse.enqueue('echo')");
    bench.ring();
    std::ofstream(bench.spool() + "/a.json") << R"({"task": "echo"})";
    const int turns = bench.turns_within(Millis{500});
    BOOST_TEST(turns < 40);  // a loop that asks again and again takes thousands
    BOOST_TEST(bench.statements() == 0U);
    BOOST_TEST(bench.until([&] { return database.value(completed) == "2"; }));
}

BOOST_AUTO_TEST_CASE(a_session_that_is_terminated_while_idle_is_opened_again) {
    Proxied live;
    BOOST_TEST_REQUIRE(live.bench.until_idle());
    BOOST_TEST(live.database.value(terminate) == "1");
    BOOST_TEST(live.bench.until([&] { return !live.bench.worker().database().is_open(); }));
    live.database.exec("SELECT dormouse.enqueue('echo')");
    BOOST_TEST(live.bench.until([&] { return live.database.value(completed) == "1"; }));
}

BOOST_AUTO_TEST_CASE(a_run_in_flight_outlives_its_session_and_ends_as_one_attempt) {
    Proxied live;
    const std::string id = live.database.value("SELECT dormouse.enqueue('hold')");
    BOOST_TEST_REQUIRE(live.until_started(1));
    BOOST_TEST(live.database.value(terminate) == "1");
    BOOST_TEST_REQUIRE(live.bench.until([&] { return !live.bench.worker().database().is_open(); }));
    live.bench.tasks().release();
    BOOST_TEST(live.until_status(id, "completed"));
    BOOST_TEST(live.outcomes(id) == "completed");
}

BOOST_AUTO_TEST_CASE(sessions_terminated_at_any_moment_lose_and_double_nothing) {
    Proxied live({.worker = "concurrency = 8"});
    live.database.exec("SELECT dormouse.enqueue_many('echo', array_fill('{}'::jsonb, ARRAY[900]))");
    int kills = 0;
    const bool done = live.bench.until(
        [&] {
            if (kills < 12 &&
                live.bench.statements() >= 8U + 3U * static_cast<unsigned>(kills)) {  // another moment each time
                kills += std::stoi(live.database.value(terminate));
                live.bench.until([&] { return !live.bench.worker().database().is_open(); });
            }
            return live.database.value(completed) == "900";
        },
        Millis{90'000});
    BOOST_TEST(done);
    BOOST_TEST(kills >= 8);
    BOOST_TEST(live.database.value("SELECT count(*) FROM dormouse.runs WHERE attempts <> 1") == "0");
    BOOST_TEST(live.database.value(
                   "SELECT count(*) FROM dormouse.attempts WHERE outcome NOT IN ('completed', 'handed_back')") == "0");
    BOOST_TEST(live.bench.until_idle());
}

BOOST_AUTO_TEST_CASE(a_first_claim_whose_answer_is_lost_is_released) {
    Proxied live({.starts = false});
    const std::string id = live.database.value("SELECT dormouse.enqueue('hold')");
    auto person = live.database.connect();
    BOOST_TEST_REQUIRE(
        person.script("lock", "BEGIN; LOCK TABLE dormouse.runs_live IN SHARE ROW EXCLUSIVE MODE").has_value());
    live.bench.worker().start();
    BOOST_TEST_REQUIRE(live.bench.until([&] { return live.bench.worker().database().is_open(); }));
    live.proxy.hold_answers();
    BOOST_TEST_REQUIRE(person.script("unlock", "COMMIT").has_value());
    BOOST_TEST_REQUIRE(live.until_status(id, "running"));
    live.proxy.cut();
    live.proxy.let_go();
    BOOST_TEST(live.until_started(1));  // long before the lease has ended
    live.bench.tasks().release();
    BOOST_TEST(live.until_status(id, "completed"));
    BOOST_TEST(live.outcomes(id) == "handed_back completed");
}

BOOST_AUTO_TEST_CASE(a_later_claim_whose_answer_is_lost_is_released) {
    Proxied live;
    BOOST_TEST_REQUIRE(live.bench.until_idle());
    const std::string running = live.database.value("SELECT dormouse.enqueue('hold')");
    BOOST_TEST_REQUIRE(live.until_started(1));
    live.proxy.hold_answers();
    const std::string lost = live.database.value("SELECT dormouse.enqueue('hold')");
    live.bench.ring();
    BOOST_TEST_REQUIRE(live.until_status(lost, "running"));
    live.proxy.cut();
    live.proxy.let_go();
    BOOST_TEST(live.until_started(2));
    for (int i = 0; i < 2; ++i) live.bench.tasks().release();
    BOOST_TEST(live.until_status(lost, "completed"));
    BOOST_TEST(live.until_status(running, "completed"));
    BOOST_TEST(live.outcomes(running) == "completed");
    BOOST_TEST(live.outcomes(lost) == "handed_back completed");
}

BOOST_AUTO_TEST_CASE(a_claim_whose_answer_comes_after_its_lease_is_handed_back_and_not_started) {
    Proxied live({.worker = "lease = \"2s\""});
    BOOST_TEST_REQUIRE(live.bench.until_idle());
    live.proxy.hold_answers();
    const std::string id = live.database.value("SELECT dormouse.enqueue('hold')");
    live.bench.ring();
    BOOST_TEST_REQUIRE(live.until_status(id, "running"));
    BOOST_TEST_REQUIRE(
        live.bench.until([&] { return live.database.value("SELECT lease_until < now() FROM dormouse.runs") == "t"; }));
    live.proxy.let_go();
    BOOST_TEST_REQUIRE(live.until_started(1));
    live.bench.tasks().release();
    BOOST_TEST(live.until_status(id, "completed"));
    BOOST_TEST(live.bench.tasks().started().size() == 1);
    BOOST_TEST(live.outcomes(id) == "handed_back completed");
}

BOOST_AUTO_TEST_CASE(an_ending_whose_answer_is_lost_is_settled_by_asking) {
    Proxied live;
    BOOST_TEST_REQUIRE(live.bench.until_idle());  // the first look and its chores are over
    const std::string id = live.database.value("SELECT dormouse.enqueue('hold')");
    BOOST_TEST_REQUIRE(live.until_started(1));
    BOOST_TEST_REQUIRE(live.bench.until([&] { return live.bench.worker().state() == worker::State::running; }));
    live.proxy.hold_answers();
    live.bench.tasks().release();
    BOOST_TEST_REQUIRE(live.until_status(id, "completed"));
    live.proxy.cut();
    live.proxy.let_go();
    BOOST_TEST(live.bench.until_idle());
    BOOST_TEST(live.outcomes(id) == "completed");
}

BOOST_AUTO_TEST_CASE(a_server_that_is_killed_with_runs_in_flight_loses_nothing) {
    Cluster cluster({.tcp = false, .fsync = true, .settings = {"synchronous_commit = on"}});
    TestDatabase database(TestDatabase::Schema::migrated, cluster);
    PoolBench bench(database.url());
    {
        auto person = database.connect();
        BOOST_TEST_REQUIRE(
            person.script("work", "SELECT dormouse.enqueue('hold') FROM generate_series(1, 6)").has_value());
    }
    BOOST_TEST_REQUIRE(bench.until([&] { return bench.tasks().started().size() == 4; }));
    cluster.kill();
    for (int i = 0; i < 6; ++i) bench.tasks().release();
    BOOST_TEST_REQUIRE(bench.until([&] { return !bench.worker().database().is_open(); }));
    bench.turns_within(Millis{500});  // results in hand, and nobody to give them to
    cluster.start();
    auto person = database.connect();
    BOOST_TEST(bench.until([&] { return person.ask("count", completed)->text(0, 0) == "6"; }, Millis{40'000}));
    BOOST_TEST(
        person.ask("attempts", "SELECT count(*) FROM dormouse.attempts WHERE outcome <> 'handed_back'")->text(0, 0) ==
        "6");
    BOOST_TEST(bench.tasks().started().size() == 6U);
}

BOOST_AUTO_TEST_CASE(the_run_of_a_dead_worker_is_taken_back_after_its_lease) {
    TestDatabase database;
    const std::string id = database.value("SELECT dormouse.enqueue('hold')");
    auto first = std::make_unique<PoolBench>(database.url(), PoolBenchOptions{.worker = "lease = \"2s\""});
    BOOST_TEST_REQUIRE(first->until([&] { return first->tasks().started().size() == 1; }));
    first.reset();  // as by SIGKILL: it says no good-bye
    PoolBench second(database.url(), {.worker = "lease = \"2s\""});
    BOOST_TEST(second.until([&] { return second.tasks().started().size() == 1; }));
    second.tasks().release();
    BOOST_TEST(second.until([&] { return database.value(completed) == "1"; }));
    BOOST_TEST(database.value(
                   "SELECT string_agg(outcome, ' ' ORDER BY attempt) FROM dormouse.attempts WHERE run_id = $1", {id}) ==
               "lost completed");
}

BOOST_AUTO_TEST_CASE(the_late_result_of_a_worker_that_was_given_up_is_refused) {
    Proxied zombie({.worker = "lease = \"2s\""});
    const std::string id = zombie.database.value("SELECT dormouse.enqueue('hold')");
    BOOST_TEST_REQUIRE(zombie.until_started(1));
    BOOST_TEST_REQUIRE(zombie.bench.until([&] { return zombie.bench.worker().state() == worker::State::running; }));
    // As if it had been suspended: somebody else has its run, and it has not turned its loop since.
    zombie.database.exec("UPDATE dormouse.runs_live SET lease_until = now() - interval '1 second'");
    const TemporaryDirectory directory;
    const PoolTasks tasks;
    std::ofstream(directory.path() + "/other.toml") << pool_toml(zombie.database.url(), {}, tasks);
    Process other(
        {{dormouse_binary, "worker", "--config", directory.path() + "/other.toml"}, {}, {}, {}, Millis{10'000}});
    if (!other.saw_error("run_dispatched")) BOOST_FAIL(other.wait().err);
    zombie.bench.tasks().release(0);
    BOOST_TEST(zombie.bench.until_idle());
    BOOST_TEST(zombie.status(id) == "running");
    BOOST_TEST(zombie.outcomes(id) == "lost running");
    tasks.release(0);
    BOOST_TEST(zombie.until_status(id, "completed"));
    BOOST_TEST(zombie.outcomes(id) == "lost completed");
}

BOOST_AUTO_TEST_CASE(a_handler_whose_lease_cannot_be_extended_is_gone_before_it_ends) {
    Proxied live({.worker = "lease = \"3s\""});
    const std::string id = live.database.value("SELECT dormouse.enqueue('stubborn')");
    BOOST_TEST_REQUIRE(live.until_started(1));
    BOOST_TEST_REQUIRE(live.bench.until([&] { return live.bench.worker().state() == worker::State::running; }));
    live.proxy.swallow();  // an extension does not even get there
    const std::string claimed_until = live.database.value("SELECT lease_until FROM dormouse.runs");
    const int process = live.bench.tasks().processes().at(0);
    BOOST_TEST(live.bench.until([&] { return !process_lives(process); }));
    BOOST_TEST(live.database.value("SELECT now() < $1::timestamptz", {claimed_until}) == "t");
    BOOST_TEST(live.database.value("SELECT lease_until FROM dormouse.runs") == claimed_until);
    BOOST_TEST(live.database.value("SELECT lease_until - started_at FROM dormouse.runs") == "00:00:03");
    live.proxy.pass();
    BOOST_TEST(live.until_started(2));
    live.bench.tasks().release();
    BOOST_TEST(live.until_status(id, "completed"));
    BOOST_TEST(live.database.value("SELECT attempts FROM dormouse.runs") == "1");
    BOOST_TEST(live.outcomes(id) == "cut_off completed");
}

// The answer says that it was extended, and comes late: the database has counted since the statement came.
BOOST_AUTO_TEST_CASE(an_extended_lease_counts_from_the_sending_of_the_extension) {
    Proxied live({.worker = "lease = \"3s\""});
    const std::string lease_until = "SELECT extract(epoch FROM lease_until) FROM dormouse.runs";
    BOOST_TEST_REQUIRE(
        live.bench.until_idle());  // the first look and its chores are over: no answer but that is awaited
    live.database.exec("SELECT dormouse.enqueue('stubborn')");
    BOOST_TEST_REQUIRE(live.until_started(1));
    BOOST_TEST_REQUIRE(live.bench.until([&] { return live.bench.worker().state() == worker::State::running; }));
    const std::string claimed_until = live.database.value(lease_until);
    live.proxy.hold_answers();
    BOOST_TEST_REQUIRE(live.bench.until([&] { return live.database.value(lease_until) != claimed_until; }));
    const std::string extended_until = live.database.value(lease_until);
    live.bench.turns_within(Millis{800});
    // The answer is in the worker's socket before it turns again; what it sends then is lost.
    live.proxy.let_go();
    BOOST_TEST_REQUIRE(eventually([&] { return live.proxy.held() == 0; }));
    live.proxy.swallow();
    const int process = live.bench.tasks().processes().at(0);
    BOOST_TEST(live.bench.until([&] { return !process_lives(process); }));
    BOOST_TEST(live.database.value("SELECT to_timestamp($1::numeric) > now() AND to_timestamp($2::numeric) < now()",
                                   {extended_until, claimed_until}) == "t");
    BOOST_TEST(live.database.value(lease_until) == extended_until);
}

BOOST_AUTO_TEST_CASE(a_database_that_refuses_every_look_is_asked_less_and_less) {
    TestDatabase database;
    database.exec("ALTER TABLE dormouse.worker_registry RENAME TO elsewhere");
    PoolBench bench(database.url());
    BOOST_TEST_REQUIRE(bench.until([&] { return bench.worker().is_waiting_for_database(); }));
    BOOST_TEST(bench.turns_within(Millis{3'000}) < 300);
    database.exec("ALTER TABLE dormouse.elsewhere RENAME TO worker_registry; SELECT dormouse.enqueue('echo')");
    BOOST_TEST(bench.until([&] { return database.value(completed) == "1"; }, Millis{30'000}));
}

// An error of class 08 from a trigger is an answer, not the end of the session.
BOOST_AUTO_TEST_CASE(a_connection_error_of_somebody_elses_trigger_does_not_hang_the_worker) {
    TestDatabase database;
    database.exec(
        "CREATE TABLE broken (); CREATE FUNCTION far() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF EXISTS (SELECT "
        "FROM pg_class"
        " WHERE relname = 'broken') THEN RAISE 'far' USING ERRCODE = '08006'; END IF; RETURN NEW; END $$;"
        "CREATE TRIGGER far BEFORE UPDATE ON dormouse.runs_live FOR EACH ROW EXECUTE FUNCTION far(); SELECT "
        "dormouse.enqueue('echo')");
    PoolBench bench(database.url());
    BOOST_TEST(bench.until([&] { return database.value("SELECT status FROM dormouse.runs") == "failed"; }));
    database.exec("DROP TABLE broken; SELECT dormouse.enqueue('echo')");
    BOOST_TEST(bench.until([&] { return database.value(completed) == "1"; }));
}

BOOST_AUTO_TEST_SUITE_END()
