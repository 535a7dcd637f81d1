// What becomes of runs in a worker whose database is well: order, concurrency, endings, retries, results that the
// database does not take, leases, rows that somebody has locked.
#include <boost/test/unit_test.hpp>
#include <set>

#include "support/logged_worker.h"
#include "support/paths.h"
#include "support/pool_bench.h"
#include "support/process.h"
#include "support/proxy_tcp.h"

BOOST_AUTO_TEST_SUITE(worker_runs, *boost::unit_test::precondition(dormouse::testing::has_postgres))

using namespace dormouse;
using namespace dormouse::testing;

namespace {

using Texts = std::vector<std::string>;

struct Scene {
    TestDatabase database;
    PoolBench bench;

    explicit Scene(const PoolBenchOptions& options = {}) : bench(database.url(), options) {}
    std::string enqueue(const std::string& arguments) {
        return database.value("SELECT dormouse.enqueue(" + arguments + ")");
    }
    std::string column(const std::string& name, const std::string& id) {
        return database.value("SELECT " + name + " FROM dormouse.runs WHERE id = $1", {id});
    }
    bool until_status(const std::string& id, const std::string& status) {
        return bench.until([&] { return column("status", id) == status; });
    }
    bool until_count(const std::string& status, const std::string& count) {
        return bench.until(
            [&] { return database.value("SELECT count(*) FROM dormouse.runs WHERE status = $1", {status}) == count; });
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

BOOST_AUTO_TEST_CASE(a_run_completes_with_its_result_and_one_attempt) {
    Scene scene;
    const std::string id = scene.enqueue(R"('echo', '{"a": [1, "ü"]}')");
    BOOST_TEST(scene.until_status(id, "completed"));
    BOOST_TEST(scene.column("result", id) == R"({"a": [1, "ü"]})");
    BOOST_TEST(scene.column("error IS NULL AND attempts = 1 AND exit_code = 0 AND finished_at >= started_at", id) ==
               "t");
    BOOST_TEST(scene.outcomes(id) == "completed");
    BOOST_TEST(scene.column("worker", id) == scene.bench.id().to_string());
}

BOOST_AUTO_TEST_CASE(queues_go_in_their_order_then_priority_then_age) {
    Scene scene({.worker = "concurrency = 1\nqueues = [\"urgent\", \"default\"]", .starts = false});
    Texts expected(5);
    expected[4] = scene.enqueue("'hold'");
    expected[3] = scene.enqueue("'hold', priority => -5");
    expected[2] = scene.enqueue("'hold', queue => 'urgent', priority => 9");
    expected[0] = scene.enqueue("'hold', queue => 'urgent'");
    expected[1] = scene.enqueue("'hold', queue => 'urgent'");
    scene.bench.worker().start();
    for (int i = 0; i < 5; ++i) scene.bench.tasks().release();
    BOOST_TEST_REQUIRE(scene.until_count("completed", "5"));
    BOOST_TEST(scene.bench.tasks().started() == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_batch_starts_in_its_order_too) {
    TestDatabase database;
    const auto enqueue = [&](const std::string& arguments) {
        return database.value("SELECT dormouse.enqueue('hold', " + arguments + ")");
    };
    Texts expected(4);
    expected[3] = enqueue("queue => 'a', priority => -9");
    expected[2] = enqueue("queue => 'b', priority => 9");
    expected[0] = enqueue("queue => 'b'");
    expected[1] = enqueue("queue => 'b'");
    const LoggedWorker worker(database.url(), {.worker = "concurrency = 4\nqueues = [\"b\", \"a\"]"});
    BOOST_TEST_REQUIRE(worker.until_said("run_dispatched", 4));  // none has ended: one claim has brought them all
    BOOST_TEST(database.value("SELECT count(*) FROM dormouse.runs WHERE status = 'running'") == "4");
    Texts dispatched;
    for (const LoggedEvent& event : worker.said("run_dispatched")) {
        const auto at = event.text.find("run_id=") + 7;
        dispatched.push_back(event.text.substr(at, 36));
    }
    BOOST_TEST(dispatched == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(never_more_at_once_than_concurrency) {
    Scene scene({.worker = "concurrency = 2"});
    for (int i = 0; i < 4; ++i) scene.enqueue("'hold'");
    BOOST_TEST_REQUIRE(scene.until_started(2));
    scene.bench.turns_within(Millis{300});
    BOOST_TEST(scene.bench.tasks().started().size() == 2U);
    BOOST_TEST(scene.database.value("SELECT count(*) FROM dormouse.runs WHERE status = 'running'") == "2");
    scene.bench.tasks().release();
    BOOST_TEST(scene.until_started(3));
    for (int i = 0; i < 3; ++i) scene.bench.tasks().release();
    BOOST_TEST(scene.until_count("completed", "4"));
}

BOOST_AUTO_TEST_CASE(two_workers_on_one_queue_run_nothing_twice) {
    Scene scene({.worker = "concurrency = 8", .starts = false});
    TestDatabase& database = scene.database;
    const PoolTasks& tasks = scene.bench.tasks();
    database.exec("SELECT dormouse.enqueue_many('hold', array_fill('{}'::jsonb, ARRAY[200]))");
    scene.bench.worker().start();
    const Process other({{dormouse_binary, "worker", "--config", scene.bench.file()}, {}, {}, {}, Millis{120'000}});
    for (int i = 0; i < 200; ++i) tasks.release();
    BOOST_TEST(scene.until_count("completed", "200"));
    const auto started = tasks.started();
    BOOST_TEST(started.size() == 200U);
    BOOST_TEST(std::set<std::string>(started.begin(), started.end()).size() == 200U);
    BOOST_TEST(database.value("SELECT count(*) FROM dormouse.attempts WHERE outcome = 'completed'") == "200");
    // What was fetched ahead and not started in time goes back for the other one: no attempt, and nothing else.
    BOOST_TEST(database.value("SELECT count(*) FROM dormouse.attempts WHERE outcome NOT IN ('completed', "
                              "'handed_back')") == "0");
    BOOST_TEST(database.value("SELECT count(*) FROM dormouse.runs WHERE attempts <> 1") == "0");
    BOOST_TEST(database.value("SELECT count(DISTINCT worker) FROM dormouse.runs") == "2");
}

BOOST_AUTO_TEST_CASE(a_failing_run_is_tried_again_and_then_fails_with_its_reason) {
    Scene scene;
    const std::string id = scene.enqueue("'fail'");
    BOOST_TEST(scene.until_status(id, "failed"));
    BOOST_TEST(scene.outcomes(id) == "retry failed");
    BOOST_TEST(scene.column("attempts", id) == "2");
    BOOST_TEST(scene.column("error ->> 'message'", id) == "exit 3\nthe reason");
    BOOST_TEST(scene.column("exit_code", id) == "3");
}

BOOST_AUTO_TEST_CASE(a_retry_waits_for_its_backoff_and_is_not_forgotten_meanwhile) {
    Scene scene({.rest = "[task.slow]\ncommand = [\"/bin/false\"]\nmax_attempts = 2\nbackoff = { base = \"400ms\", max "
                         "= \"400ms\" }"});
    const std::string id = scene.enqueue("'slow'");
    BOOST_TEST(scene.until_status(id, "failed"));  // nobody rings: the worker itself knows when it is due
    BOOST_TEST(scene.outcomes(id) == "retry failed");
}

BOOST_AUTO_TEST_CASE(exit_75_puts_a_run_off_without_using_up_an_attempt) {
    Scene scene;
    const std::string id = scene.enqueue("'later'");
    BOOST_TEST(scene.until_status(id, "completed"));
    BOOST_TEST(scene.outcomes(id) == "put_off completed");
    BOOST_TEST(scene.column("attempts", id) == "1");
}

BOOST_AUTO_TEST_CASE(exit_75_uses_up_an_attempt_of_a_task_that_says_so) {
    Scene scene({.rest = "[task.counted]\ncommand = [\"/bin/sh\", \"-c\", \"exit 75\"]\nsnooze_counts = true\n"
                         "max_attempts = 2\nbackoff = { base = \"1ms\", max = \"1ms\" }"});
    const std::string id = scene.enqueue("'counted'");
    BOOST_TEST(scene.until_status(id, "failed"));
    BOOST_TEST(scene.outcomes(id) == "put_off failed");
    BOOST_TEST(scene.column("attempts", id) == "2");
    BOOST_TEST(scene.column("error ->> 'class'", id) == "attempts_used_up");
}

BOOST_AUTO_TEST_CASE(a_task_nobody_knows_waits_and_nothing_spins) {
    Scene scene;
    const std::string id = scene.enqueue("'nobody'");
    BOOST_TEST_REQUIRE(scene.bench.until_idle());
    BOOST_TEST(scene.until_status(id, "queued"));
    const auto statements = scene.bench.statements();
    scene.bench.turns_within(Millis{500});
    BOOST_TEST(scene.bench.statements() == statements);
}

BOOST_AUTO_TEST_CASE(a_missing_program_uses_up_no_attempt_and_the_run_completes_when_it_is_there) {
    Scene scene;
    const std::string id = scene.enqueue("'ghost'");
    BOOST_TEST(scene.until_status(id, "retry"));
    BOOST_TEST(scene.column("attempts", id) == "0");
    const auto statements = scene.bench.statements();
    scene.bench.turns_within(Millis{500});
    BOOST_TEST(scene.bench.statements() <= statements + 3);
    scene.bench.tasks().make_ghost();
    BOOST_TEST(scene.until_status(id, "completed"));
    BOOST_TEST(scene.column("attempts", id) == "1");
}

BOOST_AUTO_TEST_CASE(a_payload_over_the_limit_fails_its_run) {
    Scene scene({.rest = "[limits]\npayload_bytes = 300"});
    const std::string big = scene.enqueue("'echo', to_jsonb(repeat('x', 301))");
    const std::string packed = scene.enqueue("'echo', to_jsonb(repeat('x', 100000))");  // small where it is stored
    const std::string numbers =
        scene.enqueue("'echo', to_jsonb(array_fill(1, ARRAY[95]))");  // 285 bytes, larger as jsonb
    BOOST_TEST(scene.until_status(big, "failed"));
    BOOST_TEST(scene.until_status(packed, "failed"));
    BOOST_TEST(scene.until_status(numbers, "completed"));
    BOOST_TEST(scene.column("error ->> 'class'", big) == "payload_too_large");
    BOOST_TEST(scene.column("error ->> 'class'", packed) == "payload_too_large");
}

// Compressed it is a few hundred kB, so its size where it is stored says nothing: a worker would hold it as often as it
// has slots.
BOOST_AUTO_TEST_CASE(a_payload_over_the_limit_does_not_leave_the_database) {
    TestDatabase database;
    const Cluster& cluster = Cluster::shared();
    const ProxyTcp proxy(cluster.socket_directory(), cluster.port());
    database.exec("SELECT dormouse.enqueue('echo', to_jsonb(repeat('x', 15000000)))");
    // As text 27 times as long as unpacked, and that 100 times as long as it is stored: the most that comes in.
    database.exec(
        "SELECT dormouse.enqueue('echo', ('[' || repeat('1e308,', 6000) || '1]')::jsonb) FROM generate_series(1, 20)");
    PoolBench bench(proxy.url(database.name()));
    BOOST_TEST(bench.until([&] {
        return database.value("SELECT count(*) FROM dormouse.runs WHERE error ->> 'class' = 'payload_too_large'") ==
               "21";
    }));
    BOOST_TEST(proxy.bytes() < 1'000'000U);
}

BOOST_AUTO_TEST_CASE(a_result_that_the_database_rejects_fails_its_own_run_only) {
    Scene scene({.worker = "concurrency = 16",
                 .rest = "[task.tiny]\ncommand = [\"/usr/bin/printf\", \"[1e-200000]\"]\n"
                         "[task.huge]\ncommand = [\"/usr/bin/printf\", \"1e-200000\"]",
                 .starts = false});
    scene.database.exec(
        "SELECT dormouse.enqueue(CASE n % 20 WHEN 3 THEN 'tiny' WHEN 7 THEN 'huge' ELSE 'echo' END) FROM "
        "generate_series(1, 100) n");
    scene.bench.worker().start();
    const auto start = BootClock::now();
    BOOST_TEST(scene.until_count("completed", "90"));
    BOOST_TEST(scene.until_count("failed", "10"));
    BOOST_TEST_MESSAGE("found in " << since(start).count() << " ms");
    BOOST_TEST(scene.database.value("SELECT count(*) FROM dormouse.runs WHERE error ->> 'class' = 'result_rejected'") ==
               "10");
    BOOST_TEST(scene.database.value("SELECT count(*) FROM dormouse.attempts WHERE outcome <> 'handed_back'") == "100");
}

BOOST_AUTO_TEST_CASE(a_claim_that_the_database_rejects_spoils_no_result) {
    Scene scene({.worker = "concurrency = 2"});
    const std::string id = scene.enqueue("'hold'");
    BOOST_TEST_REQUIRE(scene.until_started(1));
    scene.database.exec(
        "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no' USING ERRCODE = '22000'; END $$;"
        "CREATE TRIGGER no BEFORE UPDATE ON dormouse.runs_live FOR EACH ROW WHEN (NEW.status = 'running' AND NEW.task "
        "= 'echo')"
        " EXECUTE FUNCTION no()");
    scene.enqueue("'echo'");
    scene.bench.turns_within(Millis{100});
    scene.bench.tasks().release();
    BOOST_TEST(scene.until_status(id, "completed"));
}

BOOST_AUTO_TEST_CASE(a_run_longer_than_its_lease_keeps_it) {
    Scene scene({.worker = "lease = \"3s\""});
    const std::string id = scene.enqueue("'hold'");
    BOOST_TEST_REQUIRE(scene.until_started(1));
    const std::string first = scene.column("lease_until", id);
    BOOST_TEST(scene.bench.until(
        [&] { return scene.column("now() > '" + first + "'::timestamptz + interval '1 second'", id) == "t"; }));
    BOOST_TEST(scene.column("lease_until > now()", id) == "t");
    scene.bench.tasks().release();
    BOOST_TEST(scene.until_status(id, "completed"));
    BOOST_TEST(scene.outcomes(id) == "completed");
}

BOOST_AUTO_TEST_CASE(a_run_years_away_neither_wakes_nor_spins) {
    Scene scene;
    scene.enqueue("'echo', run_at => '9999-12-31'");
    scene.database.exec("SELECT dormouse.enqueue('echo', run_at => '9999-12-31 23:00:00+00')");
    BOOST_TEST_REQUIRE(scene.bench.until_idle());
    const auto statements = scene.bench.statements();
    BOOST_TEST(scene.bench.turns_within(Millis{500}) < 5);
    BOOST_TEST(scene.bench.statements() == statements);
}

BOOST_AUTO_TEST_CASE(a_due_run_that_somebody_has_locked_is_neither_waited_for_nor_spun_on) {
    Scene scene({.starts = false});
    const std::string locked = scene.enqueue("'echo'");
    auto person = scene.database.connect();
    BOOST_TEST_REQUIRE(
        person.script("lock", "BEGIN; SELECT FROM dormouse.runs WHERE id = '" + locked + "' FOR UPDATE").has_value());
    scene.bench.worker().start();
    const std::string other = scene.enqueue("'echo'");
    BOOST_TEST(scene.until_status(other, "completed"));
    scene.bench.turns_within(Millis{2'000});
    const auto statements = scene.bench.statements();
    BOOST_TEST(scene.bench.turns_within(Millis{2'000}) < 100);
    BOOST_TEST(scene.bench.statements() - statements < 20U);
    BOOST_TEST_REQUIRE(person.script("unlock", "COMMIT").has_value());
    BOOST_TEST(scene.until_status(locked, "completed"));
}

BOOST_AUTO_TEST_CASE(an_ending_whose_row_somebody_has_locked_is_kept_and_written_later) {
    Scene scene;
    const std::string locked = scene.enqueue("'hold'");
    BOOST_TEST_REQUIRE(scene.until_started(1));
    auto person = scene.database.connect();
    BOOST_TEST_REQUIRE(
        person.script("lock", "BEGIN; SELECT FROM dormouse.runs WHERE id = '" + locked + "' FOR UPDATE").has_value());
    scene.bench.tasks().release();
    const std::string other = scene.enqueue("'echo'");
    BOOST_TEST(scene.until_status(other, "completed"));
    scene.bench.turns_within(Millis{1'500});
    const auto statements = scene.bench.statements();
    BOOST_TEST(scene.bench.turns_within(Millis{2'000}) < 60);
    BOOST_TEST(scene.bench.statements() - statements < 12U);
    BOOST_TEST_REQUIRE(person.script("unlock", "COMMIT").has_value());
    BOOST_TEST(scene.until_status(locked, "completed"));
    BOOST_TEST(scene.outcomes(locked) == "completed");
}

// The old ending waits for the lock while the run is set back, claimed and executed again: each attempt ends as itself.
BOOST_AUTO_TEST_CASE(an_old_ending_never_passes_for_that_of_a_later_attempt) {
    Scene scene;
    const std::string id = scene.enqueue("'hold'");
    BOOST_TEST_REQUIRE(scene.until_started(1));
    auto person = scene.database.connect();
    BOOST_TEST_REQUIRE(
        person.script("lock", "BEGIN; UPDATE dormouse.runs SET status = 'queued' WHERE id = '" + id + "'").has_value());
    scene.bench.tasks().release(3);
    scene.bench.turns_within(Millis{300});
    BOOST_TEST_REQUIRE(person.script("unlock", "COMMIT").has_value());
    scene.bench.tasks().release(0);
    BOOST_TEST(scene.until_status(id, "completed"));
    BOOST_TEST(scene.outcomes(id) == "taken_back completed");
}

BOOST_AUTO_TEST_SUITE_END()
