// Runs whose worker died: taken back at once where that is certain, executed alone from then on, failed when no attempt
// is left.
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <optional>
#include <string>

#include "sql/embedded.h"
#include "support/foreground_worker.h"
#include "support/paths.h"
#include "support/pool_bench.h"
#include "worker/identity.h"

BOOST_AUTO_TEST_SUITE(worker_losses, *boost::unit_test::precondition(dormouse::testing::has_postgres))

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
        "INSERT INTO dormouse.worker_registry (id, pool, queues, host, pid, pid_start, boot_id, version) VALUES ('" +
        who.id.to_string() + "', 'bench', '{default}', 'here', 1, 1, '" + who.boot_id.to_string() + "', '0')");
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

std::string awake(TestDatabase& database) {
    return database.value("SELECT count(*) FROM dormouse.worker_registry WHERE state = 'awake'");
}

/// Runs that were lost once before.
void lose_all(TestDatabase& database) {
    database.exec("UPDATE dormouse.runs_live SET lost = 1");
}

}  // namespace

BOOST_AUTO_TEST_CASE(the_runs_of_a_dead_predecessor_are_taken_back_at_once_and_the_attempt_counts) {
    TestDatabase database;
    const TemporaryDirectory state;
    const std::string run = abandoned(database, state.path(), "echo");
    PoolBench bench(database.url(), {.state_directory = state.path()});
    BOOST_TEST(bench.until([&] { return status(database, run) == "completed"; }));
    BOOST_TEST(outcomes(database, run) == "lost completed");
    BOOST_TEST(database.value("SELECT attempts FROM dormouse.runs") == "2");
    BOOST_TEST(awake(database) == "1");
    BOOST_TEST_REQUIRE(bench.until_idle());
    const auto statements = bench.statements();
    bench.ring();  // and nobody asks for them again
    BOOST_TEST(bench.until([&] { return bench.statements() > statements; }));
    BOOST_TEST(bench.statements() - statements <= 2U);
}

// As the next container does that shares the volume: its lease of five minutes is not waited for.
BOOST_AUTO_TEST_CASE(in_the_foreground_the_runs_of_the_dead_are_taken_back_where_the_state_directory_is_shared) {
    TestDatabase database;
    const TemporaryDirectory state;
    std::optional<ForegroundWorker> dies(std::in_place, database, false, state.path());
    const std::string run = dies->hold();
    const ForegroundWorker neighbour(database, false, state.path());
    database.value("SELECT dormouse.enqueue('echo')");
    BOOST_TEST(eventually(
        [&] { return database.value("SELECT count(*) FROM dormouse.runs WHERE status = 'completed'") == "1"; }));
    BOOST_TEST(outcomes(database, run) == "running");  // nobody takes it from who lives
    dies->kill();
    const ForegroundWorker next(database, false, state.path());
    BOOST_TEST(eventually([&] { return outcomes(database, run) == "lost running"; }), outcomes(database, run));
    BOOST_TEST(database.value("SELECT count(*) FROM dormouse.workers WHERE state = 'left'") == "1");
}

BOOST_AUTO_TEST_CASE(who_has_lost_its_runs_has_left_until_it_is_heard_of_again) {
    TestDatabase database;
    const TemporaryDirectory other;
    const std::string run = abandoned(database, other.path(), "echo");
    BOOST_TEST(awake(database) == "1");
    database.exec("UPDATE dormouse.runs_live SET lease_until = now() - interval '1 s'");
    PoolBench bench(database.url());
    BOOST_TEST(bench.until([&] { return status(database, run) == "completed"; }));
    BOOST_TEST_REQUIRE(bench.until_idle());
    BOOST_TEST(awake(database) == "1");
    database.exec("UPDATE dormouse.worker_registry SET state = 'left', left_at = now()");  // ours, too
    database.exec(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> "
        "pg_backend_pid()");
    BOOST_TEST(bench.until([&] { return awake(database) == "1"; }));
}

// Its process was stopped for longer than its lease, or a lock held up its extensions: its session says that it lives.
BOOST_AUTO_TEST_CASE(who_was_slow_and_has_its_session_has_not_left) {
    TestDatabase database;
    PoolBench slow(database.url(), {.worker = "lease = \"6s\""});
    database.exec("SELECT dormouse.enqueue('hold')");
    BOOST_TEST_REQUIRE(slow.until([&] { return slow.tasks().started().size() == 1; }));
    BOOST_TEST_REQUIRE(slow.until([&] { return awake(database) == "1"; }));
    database.exec("UPDATE dormouse.runs_live SET lease_until = now()");  // as if its loop had not turned meanwhile
    PoolBench other(database.url());
    BOOST_TEST_REQUIRE(other.until([&] { return other.tasks().started().size() == 1; }));
    const std::string of_slow = " FROM dormouse.workers WHERE id = '" + slow.id().to_string() + "'";
    BOOST_TEST(database.value("SELECT condition || ' ' || state || ' ' || evidence" + of_slow) ==
               "idle awake has a session, holds no run");
    BOOST_TEST(database.value("SELECT refused IS NOT NULL FROM dormouse.forget_workers(NULL, '" +
                              slow.id().to_string() + "')") == "t");
    BOOST_TEST(database.value("SELECT string_agg(outcome, ' ' ORDER BY attempt) FROM dormouse.attempts") ==
               "lost running");
    other.tasks().release();
    BOOST_TEST(other.until_idle());
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

// If it kills this worker too, it takes nobody with it: not even those that only waited here for a slot.
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

BOOST_AUTO_TEST_CASE(a_worker_without_a_free_slot_takes_back_what_others_have_lost) {
    TestDatabase database;
    PoolBench bench(database.url(), {.worker = "concurrency = 1\nlease = \"2s\"", .starts = false});
    database.exec("SELECT dormouse.enqueue('hold')");
    bench.worker().start();
    BOOST_TEST_REQUIRE(bench.until([&] { return bench.tasks().started().size() == 1; }));
    const std::string lost = database.value("SELECT dormouse.enqueue('echo')");
    database.exec(
        "UPDATE dormouse.runs_live SET status = 'running', started_at = now(), fence = nextval('dormouse.fence'), "
        "worker = gen_random_uuid(), lease_until = now() WHERE id = '" +
        lost + "'");
    BOOST_TEST(bench.until([&] { return status(database, lost) != "running"; }));
    BOOST_TEST(bench.tasks().started().size() == 1U);
    BOOST_TEST(bench.worker().at_work() == 1U);
}

BOOST_AUTO_TEST_CASE(runs_that_were_lost_once_go_on_side_by_side) {
    TestDatabase database;
    PoolBench bench(database.url(), {.worker = "concurrency = 8", .starts = false});
    database.exec("INSERT INTO dormouse.runs (task, lost) SELECT 'hold', 1 FROM generate_series(1, 8)");
    bench.worker().start();
    BOOST_TEST(bench.until([&] { return bench.tasks().started().size() == 8; }));
}

BOOST_AUTO_TEST_CASE(a_run_that_was_lost_twice_is_not_beside_another_such_run_and_everybody_elses_go_on) {
    TestDatabase database;
    PoolBench bench(database.url(), {.worker = "concurrency = 8", .starts = false});
    database.exec("INSERT INTO dormouse.runs (task, lost) SELECT 'hold', 2 FROM generate_series(1, 3)");
    bench.worker().start();
    const PoolTasks& tasks = bench.tasks();
    BOOST_TEST_REQUIRE(bench.until([&] { return tasks.started().size() == 1; }));
    database.exec("SELECT dormouse.enqueue('echo', priority => -5) FROM generate_series(1, 20)");
    BOOST_TEST(bench.until(
        [&] { return database.value("SELECT count(*) FROM dormouse.runs WHERE status = 'completed'") == "20"; }));
    BOOST_TEST(tasks.started().size() == 1U);
    for (std::size_t started = 2; started <= 3; ++started) {
        tasks.release();
        BOOST_TEST_REQUIRE(bench.until([&] { return tasks.started().size() == started; }));
    }
    tasks.release();
    BOOST_TEST(bench.until(
        [&] { return database.value("SELECT count(*) FROM dormouse.runs WHERE status = 'completed'") == "23"; }));
}

BOOST_AUTO_TEST_CASE(a_loss_with_its_host_makes_nobody_suspect) {
    TestDatabase database;
    const std::string boot = worker::make_identity("bench", {"default"}).boot_id.to_string();
    database.exec(
        "INSERT INTO dormouse.worker_registry (id, pool, queues, host, pid, pid_start, boot_id, version) VALUES "
        "('00000000-0000-4000-8000-000000000001', 'p', '{default}', 'h', 17, 1, "
        "'00000000-0000-4000-8000-00000000b001', '0.1.0'), ('00000000-0000-4000-8000-000000000002', 'p', '{default}', "
        "'h', "
        "18, 1, '" +
        boot +
        "', '0.1.0');"
        "INSERT INTO dormouse.runs (task, status, worker, fence, started_at, lease_until) SELECT 'echo', 'running', "
        "('00000000-0000-4000-8000-00000000000' || n)::uuid, n, now(), now() - interval '10 seconds' FROM "
        "generate_series(1, 3) n");
    PoolBench bench(database.url());
    BOOST_TEST(bench.until(
        [&] { return database.value("SELECT count(*) FROM dormouse.runs WHERE status = 'completed'") == "3"; }));
    BOOST_TEST(database.value("SELECT string_agg(lost::text, ' ' ORDER BY lost) FROM dormouse.runs") == "0 0 1");
    BOOST_TEST(database.value("SELECT string_agg(attempts::text, ' ') FROM dormouse.runs") == "2 2 2");
}

// `dormouse prove` takes runs back as a worker of another host would: by this statement, with values of its own.
BOOST_AUTO_TEST_CASE(what_prove_sends_fits_the_statement) {
    std::ifstream script(std::string(source_directory) + "/libexec/dormouse-prove.sh");
    const std::string begin = "rescue_of_all=\"";
    std::string line;
    while (std::getline(script, line) && !line.starts_with(begin)) continue;
    BOOST_TEST_REQUIRE(line.starts_with(begin));
    TestDatabase database;
    database.exec(
        "INSERT INTO dormouse.runs (task, status, worker, fence, started_at, lease_until) SELECT 'echo', 'running', "
        "gen_random_uuid(), 1, now(), now() - interval '1 s'");
    database.exec(std::string("PREPARE rescue AS ") + sql::rescue);
    BOOST_TEST(database.value(line.substr(begin.size(), line.size() - begin.size() - 1)) == "1");
}

BOOST_AUTO_TEST_SUITE_END()
