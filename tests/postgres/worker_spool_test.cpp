// Files in the spool of a worker that is awake, and the wake file: what wakes a sleeping one is tests/system's.
#include <sys/stat.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>

#include "idle_pool.h"
#include "pulse.h"
#include "support/process.h"

BOOST_AUTO_TEST_SUITE(worker_spool, *boost::unit_test::precondition(dormouse::testing::has_postgres))

using namespace dormouse;
using namespace dormouse::testing;
namespace fs = std::filesystem;

namespace {

const std::string echo = R"({"task": "echo", "payload": {"a": 1}})";

std::string completed(TestDatabase& database) {
    return database.value(completed_sql);
}

/// As a program does that knows the contract: a dot in front, then a rename.
void put(const PoolBench& bench, const std::string& name, const std::string& text) {
    std::ofstream(bench.spool() + "/." + name) << text;
    fs::rename(bench.spool() + "/." + name, bench.spool() + "/" + name);
}

bool is_empty(const PoolBench& bench) {
    return fs::is_empty(bench.spool());
}

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_file_that_comes_while_the_worker_is_idle_is_imported_and_executed, IdlePool) {
    put(bench, "a.json", echo);
    BOOST_TEST(bench.until([&] { return completed() == "1"; }));
    BOOST_TEST(database.value("SELECT result::text FROM dormouse.runs") == R"({"a": 1})");
    BOOST_TEST(is_empty(bench));
}

BOOST_AUTO_TEST_CASE(files_from_before_the_start_are_imported_with_the_first_look) {
    TestDatabase database;
    PoolBench bench(database.url(), {.starts = false});
    for (int i = 0; i < 3; ++i) put(bench, std::to_string(i) + ".json", echo);
    // the spool of the worker that is there has seen them by inotify; what counts is that they were there before the
    // look
    bench.worker().start();
    BOOST_TEST(bench.until([&] { return completed(database) == "3"; }));
    BOOST_TEST(is_empty(bench));
}

// Each run has a subtransaction of its own, hence an xmin of its own; what a transaction has in common is its now().
BOOST_AUTO_TEST_CASE(ten_thousand_files_are_one_transaction_and_the_loop_goes_on_meanwhile) {
    TestDatabase database;
    PoolBench bench(database.url(), {.starts = false});
    for (int i = 0; i < 10'000; ++i) put(bench, std::to_string(i) + ".json", echo);
    database.exec(
        "ALTER TABLE dormouse.runs_live ALTER COLUMN run_at SET DEFAULT 'infinity'");  // imported, not executed
    Pulse pulse(bench.loop());
    bench.worker().start();
    BOOST_TEST(bench.until([&] { return is_empty(bench); }, Millis{60'000}));
    BOOST_TEST(database.value("SELECT count(*) || ' in ' || count(DISTINCT imported_at) FROM dormouse.imports") ==
               "10000 in 1");
    BOOST_TEST_MESSAGE("10,000 spooled files: the loop stood still for " << pulse.longest_gap().count() << " ms");
    BOOST_TEST((pulse.longest_gap() < Millis{5'000}));
}

BOOST_AUTO_TEST_CASE(a_file_without_a_queue_goes_into_the_first_of_the_pool) {
    TestDatabase database;
    PoolBench bench(database.url(), {.worker = R"(queues = ["first", "second"])"});
    put(bench, "a.json", R"({"task": "echo"})");
    put(bench, "b.json", R"({"task": "echo", "queue": "second"})");
    BOOST_TEST(bench.until([&] { return completed(database) == "2"; }));
    BOOST_TEST(database.value("SELECT string_agg(queue, ' ' ORDER BY queue) FROM dormouse.runs") == "first second");
}

BOOST_FIXTURE_TEST_CASE(bad_files_are_put_aside_and_do_not_hold_up_the_others, IdlePool) {
    put(bench, "a.json", "no json");
    put(bench, "b.json", R"({"task": "echo", "payload": "\u0000"})");  // JSON, but no jsonb
    put(bench, "c.json", echo);
    BOOST_TEST(bench.until([&] { return completed() == "1" && is_empty(bench); }));
    int rejected = 0;
    int reasons = 0;
    for (const auto& entry : fs::directory_iterator(bench.spool() + ".rejected"))
        entry.path().extension() == ".reason" ? ++reasons : ++rejected;
    BOOST_TEST(rejected == 2);
    BOOST_TEST(reasons == 2);
}

BOOST_FIXTURE_TEST_CASE(a_file_that_comes_while_the_database_is_away_waits_for_it, PoolWithoutServer) {
    put(bench, "a.json", echo);
    bench.turns_within(Millis{200});
    BOOST_TEST(!is_empty(bench));
    cluster.start();
    BOOST_TEST(until_completed("1"));
    BOOST_TEST(bench.until([&] { return is_empty(bench); }));
}

BOOST_FIXTURE_TEST_CASE(an_import_whose_answer_is_lost_is_not_done_twice, IdlePoolBehindProxy) {
    proxy.hold_answers();
    put(bench, "a.json", echo);
    BOOST_TEST_REQUIRE(bench.until([&] { return database.value("SELECT count(*) FROM dormouse.imports") == "1"; }));
    proxy.cut();  // committed, and nobody told us
    proxy.let_go();
    BOOST_TEST(bench.until([&] { return completed() == "1" && is_empty(bench); }, Millis{60'000}));
    BOOST_TEST(database.value("SELECT count(*) FROM dormouse.runs") == "1");
}

BOOST_AUTO_TEST_CASE(a_truncated_file_keeps_the_worker_awake_until_it_is_whole) {
    TestDatabase database;
    PoolBench bench(database.url(), {.worker = "idle_exit = \"50ms\"\nlook_exit = \"50ms\"", .leaves_when_idle = true});
    std::ofstream(bench.spool() + "/a.json") << R"({"task": "ec)";
    BOOST_TEST(!bench.until([&] { return bench.farewell().has_value(); }, Millis{500}));
    std::ofstream(bench.spool() + "/a.json") << echo;
    BOOST_TEST(bench.until([&] { return completed(database) == "1"; }));
    BOOST_TEST(bench.until_gone());
}

// Its name leaves no room for ".rejected", and a file is where the directory for such files would be.
BOOST_AUTO_TEST_CASE(what_can_be_neither_imported_nor_moved_keeps_the_worker_awake_and_quiet) {
    TestDatabase database;
    PoolBench bench(
        database.url(),
        {.worker = "idle_exit = \"50ms\"\nlook_exit = \"50ms\"", .leaves_when_idle = true, .starts = false});
    std::ofstream(bench.spool() + ".rejected") << "";
    std::ofstream(bench.spool() + "/" + std::string(249, 'x') + ".json") << "no json";
    bench.worker().start();
    BOOST_TEST_REQUIRE(bench.until_idle());
    const auto statements = bench.statements();
    const int turns = bench.turns_within(Millis{1'500});
    BOOST_TEST_MESSAGE("a stuck file: " << turns << " turns of the loop in 1.5 s");
    BOOST_TEST(turns < 50);
    BOOST_TEST(bench.statements() <= statements + 20);  // at most two tries are due, each with a look
    BOOST_TEST(!bench.farewell().has_value());
    put(bench, "a.json", echo);
    BOOST_TEST(bench.until([&] { return completed(database) == "1"; }));
}

BOOST_AUTO_TEST_CASE(a_file_that_comes_at_the_decision_to_exit_is_seen_by_it) {
    TestDatabase database;
    PoolBench bench(database.url(),
                    {.worker = "idle_exit = \"100ms\"\nlook_exit = \"100ms\"", .leaves_when_idle = true});
    BOOST_TEST_REQUIRE(bench.until_idle());
    // the loop does not turn meanwhile, so inotify has told nobody when the exit timer fires
    BOOST_TEST(run({{"/bin/sleep", "0.2"}, {}, {}, {}}).exit_code == 0);
    put(bench, "a.json", echo);
    BOOST_TEST(bench.until([&] { return completed(database) == "1" || bench.farewell().has_value(); }));
    BOOST_TEST(completed(database) == "1");
}

BOOST_FIXTURE_TEST_CASE(an_empty_spool_costs_no_statement, IdlePool) {
    const auto before = bench.statements();
    std::ofstream(bench.spool() + "/.being-written") << "x";
    bench.turns_within(Millis{200});
    BOOST_TEST(bench.statements() == before);
}

BOOST_AUTO_TEST_CASE(a_wake_file_is_answered_by_looking_and_left_to_root) {
    TestDatabase database;
    PoolBench bench(
        database.url(),
        {.worker = "idle_exit = \"100ms\"\nlook_exit = \"100ms\"", .leaves_when_idle = true, .starts = false});
    bench.worker().start();
    BOOST_TEST_REQUIRE(bench.until_idle());
    std::ofstream(bench.wake_file()) << "";
    database.exec("BEGIN; SET LOCAL dormouse.notify = off; SELECT dormouse.enqueue('echo'); COMMIT");
    BOOST_TEST(bench.until_gone());
    BOOST_TEST(fs::exists(bench.wake_file()));
    BOOST_TEST(completed(database) == "1");
}

// A wake comes before its commit. Whoever leaves in between has itself woken again.
BOOST_AUTO_TEST_CASE(a_worker_that_leaves_between_wake_and_commit_is_due_again_soon) {
    TestDatabase database;
    auto producer = database.connect();
    PoolBench bench(database.url(),
                    {.worker = "idle_exit = \"100ms\"\nlook_exit = \"100ms\"", .leaves_when_idle = true});
    std::ofstream(bench.wake_file()) << "";
    BOOST_TEST_REQUIRE(producer
                           .script("wake",
                                   "BEGIN; SET LOCAL dormouse.notify = always; SELECT dormouse.enqueue('echo'); SELECT "
                                   "pg_advisory_xact_lock_shared(1685024365, 1)")
                           .has_value());
    BOOST_TEST_REQUIRE(bench.until_gone());
    BOOST_TEST_REQUIRE(bench.farewell()->due.has_value());
    BOOST_TEST((*bench.farewell()->due <= Millis{1'000}));
    BOOST_TEST(producer.script("commit", "COMMIT").has_value());
}

// The worker before may have removed the file: its successor, which found none, must not call it a day either.
BOOST_AUTO_TEST_CASE(also_a_worker_that_saw_no_wake_file_waits_for_the_commit_of_one) {
    TestDatabase database;
    auto producer = database.connect();
    PoolBench bench(database.url(),
                    {.worker = "idle_exit = \"100ms\"\nlook_exit = \"100ms\"", .leaves_when_idle = true});
    BOOST_TEST_REQUIRE(producer
                           .script("wake",
                                   "BEGIN; SET LOCAL dormouse.notify = off; SELECT dormouse.enqueue('echo'); SELECT "
                                   "pg_advisory_xact_lock_shared(1685024365, 1)")
                           .has_value());
    BOOST_TEST_REQUIRE(bench.until_gone());
    BOOST_TEST_REQUIRE(bench.farewell()->due.has_value());
    BOOST_TEST((*bench.farewell()->due <= Millis{1'000}));
}

BOOST_AUTO_TEST_CASE(where_nobody_writes_wake_files_a_worker_does_not_ask_for_them) {
    TestDatabase database;
    auto producer = database.connect();
    PoolBench bench(database.url(),
                    {.worker = "idle_exit = \"100ms\"\nlook_exit = \"100ms\"", .leaves_when_idle = true});
    fs::remove_all(bench.config().paths.wake_directory);
    BOOST_TEST_REQUIRE(producer
                           .script("wake",
                                   "BEGIN; SET LOCAL dormouse.notify = off; SELECT dormouse.enqueue('echo'); SELECT "
                                   "pg_advisory_xact_lock_shared(1685024365, 1)")
                           .has_value());
    BOOST_TEST_REQUIRE(bench.until_gone());
    BOOST_TEST(!bench.farewell()->due.has_value());
}

BOOST_AUTO_TEST_CASE(each_write_to_the_wake_file_is_a_ring_and_a_file_that_lies_there_is_none) {
    TestDatabase database;
    PoolBench bench(database.url(),
                    {.worker = "idle_exit = \"100ms\"\nlook_exit = \"100ms\"", .leaves_when_idle = true});
    BOOST_TEST_REQUIRE(bench.until_idle());
    for (int i = 1; i <= 3; ++i) {  // the loop does not turn meanwhile, so only the decision to exit can see it
        database.exec("BEGIN; SET LOCAL dormouse.notify = off; SELECT dormouse.enqueue('echo'); COMMIT");
        std::ofstream(bench.wake_file()) << "";
        BOOST_TEST(
            bench.until([&] { return completed(database) == std::to_string(i) || bench.farewell().has_value(); }));
        BOOST_TEST_REQUIRE(completed(database) == std::to_string(i));
    }
    BOOST_TEST(bench.until_gone());
    BOOST_TEST(fs::exists(bench.wake_file()));
}

BOOST_AUTO_TEST_SUITE_END()
