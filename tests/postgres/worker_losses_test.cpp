// Runs whose worker died: taken back at once where that is certain, executed alone from then on, failed when no attempt
// is left.
#include <boost/test/unit_test.hpp>

#include "support/pool_bench.h"
#include "worker/identity.h"

using namespace dormouse;
using namespace dormouse::testing;

namespace {

/// As a worker of this unit would have left it that was killed: the run is `running`, its lease ends in an hour.
std::string abandoned(TestDatabase& database, const std::string& state_directory, const std::string& task) {
    store::Identity who;
    who.id = Uuid::random();
    who.unit = "bench.service";
    who.boot_id = worker::make_identity("bench", {"default"}).boot_id;
    const worker::Predecessors dies(state_directory, who);
    const std::string run = database.value("SELECT dormouse.enqueue('" + task + "')");
    database.exec(
        "UPDATE dormouse.runs_live SET status = 'running', started_at = now(), fence = nextval('dormouse.fence'), "
        "worker = '" +
        who.id.to_string() + "', lease_until = now() + interval '1 hour' WHERE id = '" + run + "'");
    return run;
}

std::string outcomes(TestDatabase& database, const std::string& run) {
    return database.value("SELECT string_agg(outcome, ' ' ORDER BY attempt) FROM dormouse.attempts WHERE run_id = '" +
                          run + "'");
}

std::string status(TestDatabase& database, const std::string& run) {
    return database.value("SELECT status FROM dormouse.runs WHERE id = '" + run + "'");
}

/// Runs that were lost once before.
void lose_all(TestDatabase& database) {
    database.exec("UPDATE dormouse.runs_live SET lost = 1");
}

}  // namespace

BOOST_AUTO_TEST_SUITE(worker_losses, *boost::unit_test::precondition(has_postgres))

BOOST_AUTO_TEST_CASE(the_runs_of_a_dead_predecessor_are_taken_back_at_once_and_the_attempt_counts) {
    TestDatabase database;
    const TemporaryDirectory state;
    const std::string run = abandoned(database, state.path(), "echo");
    PoolBench bench(database.url(), {.state_directory = state.path()});
    BOOST_TEST(bench.until([&] { return status(database, run) == "completed"; }));
    BOOST_TEST(outcomes(database, run) == "lost completed");
    BOOST_TEST(database.value("SELECT attempts FROM dormouse.runs") == "2");
    BOOST_TEST_REQUIRE(bench.until_idle());
    const auto statements = bench.statements();
    bench.ring();  // and nobody asks for them again
    BOOST_TEST(bench.until([&] { return bench.statements() > statements; }));
    BOOST_TEST(bench.statements() - statements <= 2U);
}

BOOST_AUTO_TEST_CASE(the_runs_of_somebody_of_another_directory_wait_for_their_lease) {
    TestDatabase database;
    const TemporaryDirectory state;
    const TemporaryDirectory other;
    const std::string run = abandoned(database, other.path(), "echo");
    PoolBench bench(database.url(), {.state_directory = state.path()});
    BOOST_TEST_REQUIRE(bench.until_idle());
    BOOST_TEST(status(database, run) == "running");
}

BOOST_AUTO_TEST_CASE(a_run_that_was_lost_waits_until_it_is_alone_and_nothing_is_claimed_meanwhile) {
    TestDatabase database;
    PoolBench bench(database.url(), {.worker = "concurrency = 4"});
    const PoolTasks& tasks = bench.tasks();
    database.exec("SELECT dormouse.enqueue('hold')");
    BOOST_TEST_REQUIRE(bench.until([&] { return tasks.started().size() == 1; }));
    database.exec("INSERT INTO dormouse.runs (task, lost) VALUES ('hold', 1)");
    bench.turns_within(Millis{300});
    database.exec("SELECT dormouse.enqueue('echo')");
    bench.turns_within(Millis{300});
    BOOST_TEST(tasks.started().size() == 1U);
    BOOST_TEST(database.value("SELECT count(*) FROM dormouse.runs WHERE status = 'queued'") == "1");
    tasks.release();
    BOOST_TEST_REQUIRE(bench.until([&] { return tasks.started().size() == 2; }));
    bench.turns_within(Millis{300});
    BOOST_TEST(database.value("SELECT count(*) FROM dormouse.runs WHERE status = 'queued'") == "1");
    tasks.release();
    BOOST_TEST(bench.until(
        [&] { return database.value("SELECT count(*) FROM dormouse.runs WHERE status = 'completed'") == "3"; }));
}

BOOST_AUTO_TEST_CASE(a_run_that_was_released_by_reap_waits_until_it_is_alone_too) {
    TestDatabase database;
    PoolBench bench(database.url(), {.worker = "concurrency = 4"});
    const PoolTasks& tasks = bench.tasks();
    database.exec("SELECT dormouse.enqueue('hold')");
    BOOST_TEST_REQUIRE(bench.until([&] { return tasks.started().size() == 1; }));
    database.exec(
        "INSERT INTO dormouse.worker_registry (id, pool, queues, host, pid, pid_start, boot_id, version) VALUES "
        "('00000000-0000-4000-8000-000000000001', 'front', '{default}', 'h', 17, 1, "
        "'00000000-0000-4000-8000-00000000b001', '0.1.0');"
        "INSERT INTO dormouse.runs (task, status, worker, fence, started_at, lease_until) VALUES ('hold', 'running', "
        "'00000000-0000-4000-8000-000000000001', 1, now(), now() + interval '1 hour')");
    BOOST_TEST(database.value("SELECT released FROM dormouse.release_worker('00000000-0000-4000-8000-000000000001', "
                              "'h', 17, 1, '00000000-0000-4000-8000-00000000b001')") == "1");
    BOOST_TEST_REQUIRE(bench.until(
        [&] { return database.value("SELECT count(*) FROM dormouse.runs WHERE status = 'running'") == "2"; }));
    bench.turns_within(Millis{300});
    BOOST_TEST(tasks.started().size() == 1U);
    tasks.release();
    BOOST_TEST(bench.until([&] { return tasks.started().size() == 2; }));
    tasks.release();
    BOOST_TEST(bench.until(
        [&] { return database.value("SELECT count(*) FROM dormouse.runs WHERE status = 'completed'") == "2"; }));
}

// If it kills this worker too, it takes nobody with it: not even those that only waited here for a slot.
BOOST_AUTO_TEST_CASE(when_a_lost_run_starts_those_that_came_with_it_have_been_given_back) {
    TestDatabase database;
    PoolBench bench(database.url(), {.worker = "concurrency = 8", .starts = false});
    database.exec("INSERT INTO dormouse.runs (task, lost) SELECT 'hold', 1 FROM generate_series(1, 4)");
    bench.worker().start();
    for (std::size_t started = 1; started <= 4; ++started) {
        BOOST_TEST_REQUIRE(bench.until([&] { return bench.tasks().started().size() == started; }));
        BOOST_TEST(database.value("SELECT count(*) FROM dormouse.runs WHERE status = 'running'") == "1");
        bench.tasks().release();
    }
    BOOST_TEST(bench.until(
        [&] { return database.value("SELECT count(*) FROM dormouse.runs WHERE status = 'completed'") == "4"; }));
    const std::string handed_back =
        database.value("SELECT count(*) FROM dormouse.attempts WHERE outcome = 'handed_back'");
    BOOST_TEST(handed_back == "3");  // once each: from then on they are claimed one at a time
}

BOOST_AUTO_TEST_CASE(several_lost_runs_are_executed_one_after_the_other_and_nothing_else_is_held_meanwhile) {
    TestDatabase database;
    PoolBench bench(database.url(), {.worker = "concurrency = 8", .starts = false});
    database.exec(
        "INSERT INTO dormouse.runs (task, lost, priority) VALUES ('hold', 1, 0), ('hold', 2, 1), ('hold', 0, 2), "
        "('hold', 0, 3)");
    bench.worker().start();
    const PoolTasks& tasks = bench.tasks();
    BOOST_TEST_REQUIRE(bench.until([&] { return tasks.started().size() == 2; }));  // those that were never lost
    bench.turns_within(Millis{200});
    BOOST_TEST(tasks.started().size() == 2U);
    tasks.release();
    tasks.release();
    for (const std::size_t started : {3U, 4U}) {
        BOOST_TEST_REQUIRE(bench.until([&] { return tasks.started().size() == started; }));
        bench.turns_within(Millis{200});
        BOOST_TEST(tasks.started().size() == started);
        BOOST_TEST(database.value("SELECT count(*) FROM dormouse.runs WHERE status = 'running'") == "1");
        tasks.release();
    }
    BOOST_TEST(bench.until([&] {
        return database.value("SELECT count(*) FROM dormouse.runs WHERE status = 'completed' AND attempts = 1") == "4";
    }));
}

BOOST_AUTO_TEST_CASE(runs_that_wait_to_be_alone_are_handed_back_when_the_worker_leaves) {
    TestDatabase database;
    PoolBench bench(database.url(), {.worker = "shutdown_grace = \"0s\""});
    database.exec("SELECT dormouse.enqueue('hold')");
    BOOST_TEST_REQUIRE(bench.until([&] { return bench.tasks().started().size() == 1; }));
    database.exec("INSERT INTO dormouse.runs (task, lost) VALUES ('echo', 1)");
    BOOST_TEST_REQUIRE(bench.until(
        [&] { return database.value("SELECT count(*) FROM dormouse.runs WHERE status = 'running'") == "2"; }));
    bench.worker().terminate();
    BOOST_TEST(bench.until_gone());
    BOOST_TEST(bench.farewell()->graceful);
    BOOST_TEST(database.value("SELECT count(*) FROM dormouse.runs WHERE status = 'queued' AND attempts = 0") == "2");
}

BOOST_AUTO_TEST_CASE(a_run_that_waits_to_be_alone_does_not_wait_for_the_grace) {
    TestDatabase database;
    PoolBench bench(database.url());
    database.exec("SELECT dormouse.enqueue('hold')");
    BOOST_TEST_REQUIRE(bench.until([&] { return bench.tasks().started().size() == 1; }));
    database.exec("INSERT INTO dormouse.runs (task, lost) VALUES ('echo', 1)");
    BOOST_TEST_REQUIRE(bench.until(
        [&] { return database.value("SELECT count(*) FROM dormouse.runs WHERE status = 'running'") == "2"; }));
    bench.worker().terminate();
    BOOST_TEST(bench.until(
        [&] { return database.value("SELECT status FROM dormouse.runs WHERE task = 'echo'") == "queued"; }));
    bench.tasks().release();
    BOOST_TEST(bench.until_gone());
    BOOST_TEST(database.value("SELECT status FROM dormouse.runs WHERE task = 'hold'") == "completed");
}

BOOST_AUTO_TEST_CASE(a_run_that_waits_to_be_alone_keeps_its_lease) {
    TestDatabase database;
    PoolBench bench(database.url(), {.worker = "lease = \"2s\""});
    database.exec("SELECT dormouse.enqueue('hold')");
    BOOST_TEST_REQUIRE(bench.until([&] { return bench.tasks().started().size() == 1; }));
    database.exec("INSERT INTO dormouse.runs (task, lost) VALUES ('echo', 1)");
    bench.turns_within(Millis{4'000});
    BOOST_TEST(database.value("SELECT count(*) FROM dormouse.runs WHERE status = 'running' AND lease_until > now()") ==
               "2");
    bench.tasks().release();
    BOOST_TEST(bench.until(
        [&] { return database.value("SELECT count(*) FROM dormouse.runs WHERE status = 'completed'") == "2"; }));
}

BOOST_AUTO_TEST_CASE(a_run_that_is_taken_away_while_it_waits_is_not_started) {
    TestDatabase database;
    PoolBench bench(database.url());
    database.exec("SELECT dormouse.enqueue('hold')");
    BOOST_TEST_REQUIRE(bench.until([&] { return bench.tasks().started().size() == 1; }));
    database.exec("INSERT INTO dormouse.runs (task, lost) VALUES ('hold', 1)");
    BOOST_TEST_REQUIRE(bench.until(
        [&] { return database.value("SELECT count(*) FROM dormouse.runs WHERE status = 'running'") == "2"; }));
    database.exec("UPDATE dormouse.runs SET status = 'canceled' WHERE lost = 1");
    bench.turns_within(Millis{300});
    bench.tasks().release();
    BOOST_TEST_REQUIRE(bench.until_idle());
    BOOST_TEST(bench.tasks().started().size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_run_that_kills_its_worker_each_time_fails_with_the_reason) {
    TestDatabase database;
    const TemporaryDirectory state;
    const std::string run = abandoned(database, state.path(), "echo");
    database.exec("UPDATE dormouse.runs_live SET attempts = 1, max_attempts = 2");
    PoolBench bench(database.url(), {.state_directory = state.path()});
    BOOST_TEST(bench.until([&] { return status(database, run) == "failed"; }));
    BOOST_TEST(database.value("SELECT error ->> 'class' FROM dormouse.runs") == "attempts_used_up");
}

BOOST_AUTO_TEST_CASE(who_starts_a_finished_run_again_wants_it_attempted_beside_others) {
    TestDatabase database;
    database.exec("SELECT dormouse.enqueue('echo')");
    lose_all(database);
    database.exec("UPDATE dormouse.runs SET status = 'failed'; UPDATE dormouse.runs SET status = 'queued'");
    BOOST_TEST(database.value("SELECT lost FROM dormouse.runs") == "0");
}

// However it came about (an answer that was lost twice, a row that was locked when forgotten runs were released).
BOOST_AUTO_TEST_CASE(a_run_that_is_ours_and_that_we_do_not_know_of_has_a_due_time) {
    TestDatabase database;
    PoolBench bench(
        database.url(),
        {.worker = "idle_exit = \"100ms\"\nlook_exit = \"100ms\"", .leaves_when_idle = true, .starts = false});
    const std::string run = database.value("SELECT dormouse.enqueue('echo')");
    database.exec(
        "UPDATE dormouse.runs_live SET status = 'running', started_at = now(), fence = nextval('dormouse.fence'), "
        "worker = '" +
        bench.id().to_string() + "', lease_until = now() + interval '1 hour'");
    bench.worker().start();
    BOOST_TEST_REQUIRE(bench.until_gone());
    BOOST_TEST_REQUIRE(bench.farewell()->due.has_value());
    BOOST_TEST((*bench.farewell()->due > Millis{3'500'000}));
}

BOOST_AUTO_TEST_SUITE_END()
