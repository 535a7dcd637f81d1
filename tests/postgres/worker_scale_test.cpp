// A pool that executes another number of runs at once for a while (dormouse.scale()), seen from its worker.
#include <boost/test/unit_test.hpp>
#include <csignal>

#include "support/foreground_worker.h"
#include "support/logged_worker.h"

namespace worker_scale {

using namespace dormouse;
using namespace dormouse::testing;

namespace {

struct Scene {
    TestDatabase database;

    std::string scale(const std::string& arguments) {
        return database.value("SELECT concat_ws(' ', changed, told, refused) FROM dormouse.scale(" + arguments + ")");
    }
    void enqueue(int runs, const std::string& task = "hold") {
        database.exec("SELECT dormouse.enqueue('" + task + "') FROM generate_series(1, " + std::to_string(runs) + ")");
    }
    std::string running() { return database.value("SELECT count(*) FROM dormouse.runs WHERE status = 'running'"); }
    std::string completed() { return database.value("SELECT count(*) FROM dormouse.runs WHERE status = 'completed'"); }
    /// So many handlers have started in all; one too many would show in the next count at the latest.
    bool started(const LoggedWorker& worker, std::size_t runs) {
        return eventually([&] { return worker.tasks().started().size() >= runs; }) &&
               worker.tasks().started().size() == runs;
    }
    void release(const LoggedWorker& worker, int runs) {
        const int before = std::stoi(completed());
        for (int i = 0; i < runs; ++i) worker.tasks().release();
        BOOST_TEST_REQUIRE(eventually([&] { return std::stoi(completed()) == before + runs; }), worker.log());
    }
    std::string concurrency(const std::string& pool) {
        return database.value("SELECT concurrency || ' of ' || configured FROM dormouse.workers WHERE pool = $1",
                              {pool});
    }
};

}  // namespace

}  // namespace worker_scale

BOOST_FIXTURE_TEST_SUITE(worker_scale, Scene, *boost::unit_test::precondition(has_postgres))

BOOST_AUTO_TEST_CASE(four_at_once_instead_of_one_and_fewer_again_without_ending_what_runs) {
    LoggedWorker worker(database.url(), {.worker = "concurrency = 1"});
    enqueue(9);
    BOOST_TEST_REQUIRE(started(worker, 1), worker.log());
    BOOST_TEST_REQUIRE(eventually([&] { return concurrency("logged") == "1 of 1"; }));
    BOOST_TEST(scale("'logged', 4, '1 hour'") == "t 1");
    BOOST_TEST_REQUIRE(started(worker, 4), worker.log());
    BOOST_TEST(concurrency("logged") == "4 of 1");
    release(worker, 1);
    BOOST_TEST_REQUIRE(started(worker, 5), worker.log());
    BOOST_TEST(scale("'logged', 2, '1 hour'") == "t 1");
    BOOST_TEST_REQUIRE(worker.until_said("scaled", 2), worker.log());
    BOOST_TEST(running() == "4");
    release(worker, 2);
    BOOST_TEST(started(worker, 5), worker.log());  // two are left, and that is as many as there may be
    release(worker, 1);
    BOOST_TEST(started(worker, 6), worker.log());
    BOOST_TEST(scale("'logged', NULL, NULL") == "t 1");
    BOOST_TEST_REQUIRE(worker.until_said("scaled", 3), worker.log());
    release(worker, 1);
    BOOST_TEST(started(worker, 6), worker.log());
    release(worker, 1);
    BOOST_TEST(started(worker, 7), worker.log());
    BOOST_TEST(concurrency("logged") == "1 of 1");
    // a claim that was on its way when the number fell may go back, and counts for nothing
    BOOST_TEST(database.value("SELECT count(*) FROM dormouse.attempt_log WHERE outcome <> 'handed_back'") == "0");
}

BOOST_AUTO_TEST_CASE(when_its_time_is_over_the_configuration_counts_again_and_no_statement_is_sent_for_that) {
    PoolBench bench(database.url(), {.worker = "concurrency = 1"});
    BOOST_TEST_REQUIRE(bench.until_idle());
    const auto waits_for_room = [&] { return running() == "1"; };
    BOOST_TEST(scale("'bench', 3, '2 seconds'") == "t 1");
    enqueue(2);
    BOOST_TEST_REQUIRE(bench.until([&] { return bench.tasks().started().size() == 2; }));
    bench.tasks().release();
    bench.tasks().release();
    BOOST_TEST_REQUIRE(bench.until([&] { return completed() == "2"; }));
    BOOST_TEST_REQUIRE(bench.until_idle());
    const auto statements = bench.statements();
    BOOST_TEST(bench.turns_within(Millis{2'500}) < 50);
    BOOST_TEST(bench.statements() == statements);
    BOOST_TEST(concurrency("bench") == "1 of 1");
    enqueue(3);
    BOOST_TEST_REQUIRE(bench.until([&] { return bench.tasks().started().size() == 3; }));
    bench.turns_within(Millis{300});
    BOOST_TEST(waits_for_room());
    BOOST_TEST(bench.tasks().started().size() == 3U);
}

BOOST_AUTO_TEST_CASE(a_worker_that_starts_later_begins_no_more_than_that) {
    BOOST_TEST(scale("'logged', 2, '1 hour'") == "t 0");
    enqueue(8);
    LoggedWorker worker(database.url(), {.worker = "concurrency = 6"});
    BOOST_TEST_REQUIRE(worker.until_said("scaled"), worker.log());
    BOOST_TEST_REQUIRE(eventually([&] { return running() == "2"; }),
                       worker.log());  // the rest of the first claim goes back
    BOOST_TEST(started(worker, 2), worker.log());
    BOOST_TEST(database.value("SELECT count(*) FROM dormouse.runs WHERE attempts > 0 AND status <> 'running'") == "0");
    release(worker, 1);
    BOOST_TEST(started(worker, 3), worker.log());
}

BOOST_AUTO_TEST_CASE(other_pools_and_a_worker_with_one_run_alone_are_not_meant) {
    BOOST_TEST(scale("'other', 4, '1 hour'") == "t 0");
    enqueue(3);
    LoggedWorker worker(database.url(), {.worker = "concurrency = 1"});
    BOOST_TEST_REQUIRE(started(worker, 1), worker.log());
    BOOST_TEST(scale("'other', 5, '1 hour'") == "t 0");
    BOOST_TEST(eventually([&] { return concurrency("logged") == "1 of 1"; }));
    release(worker, 1);
    BOOST_TEST(started(worker, 2), worker.log());
    BOOST_TEST(worker.said("scaled").empty(), worker.log());
}

BOOST_AUTO_TEST_CASE(a_changed_file_keeps_the_number_in_force) {
    LoggedWorker worker(database.url(), {.worker = "concurrency = 1"});
    enqueue(6);
    BOOST_TEST_REQUIRE(started(worker, 1), worker.log());
    BOOST_TEST_REQUIRE(eventually([&] { return concurrency("logged") == "1 of 1"; }));
    BOOST_TEST(scale("'logged', 3, '1 hour'") == "t 1");
    BOOST_TEST_REQUIRE(started(worker, 3), worker.log());
    worker.configure(database.url(), {.worker = "concurrency = 5"});
    BOOST_TEST_REQUIRE(worker.until_said("scaled", 2), worker.log());
    BOOST_TEST(worker.said("configuration_taken_over").size() == 1U);
    release(worker, 1);
    BOOST_TEST(started(worker, 4), worker.log());
    BOOST_TEST(scale("'logged', NULL, NULL") != "");
    BOOST_TEST(started(worker, 6), worker.log());  // five at once, as the file says by now
}

BOOST_AUTO_TEST_CASE(the_limit_of_a_task_stays_one) {
    const PoolTasks tasks;
    PoolBench bench(database.url(),
                    {.worker = "concurrency = 1",
                     .rest = "[task.single]\ncommand = [\"" + tasks.directory() + "/hold\"]\nconcurrency = 1"},
                    &tasks);
    BOOST_TEST_REQUIRE(bench.until_idle());
    BOOST_TEST(scale("'bench', 4, '1 hour'") == "t 1");
    enqueue(3, "single");
    enqueue(2);
    BOOST_TEST_REQUIRE(bench.until([&] { return bench.tasks().started().size() == 3; }));
    bench.turns_within(Millis{300});
    BOOST_TEST(running() == "3");
}

BOOST_AUTO_TEST_CASE(a_worker_that_comes_between_the_word_and_its_commit_hears_of_it) {
    auto session = database.connect();
    BOOST_REQUIRE(session.script("", "BEGIN; SELECT dormouse.scale('logged', 3, '1 hour')").has_value());
    LoggedWorker worker(database.url(), {.worker = "concurrency = 1"});
    enqueue(4);
    BOOST_TEST_REQUIRE(started(worker, 1), worker.log());
    BOOST_TEST_REQUIRE(
        eventually([&] { return database.value("SELECT count(*) FROM dormouse.worker_registry") == "1"; }));
    BOOST_TEST(worker.said("scaled").empty(), worker.log());
    BOOST_REQUIRE(session.script("", "COMMIT").has_value());
    BOOST_TEST(started(worker, 3), worker.log());
}

BOOST_AUTO_TEST_CASE(rows_that_nobody_could_have_said_count_for_nothing) {
    LoggedWorker worker(database.url(), {.worker = "concurrency = 1"});
    enqueue(20);
    BOOST_TEST_REQUIRE(started(worker, 1), worker.log());
    database.exec(
        "ALTER TABLE dormouse.pool_scale DROP CONSTRAINT pool_scale_concurrency_check, DROP CONSTRAINT "
        "nothing_is_for_ever, ALTER concurrency DROP NOT NULL, ALTER until DROP NOT NULL, ALTER set_by DROP NOT NULL");
    std::size_t running_at_once = 1;
    for (const char* const row :
         {"NULL, now() + interval '1 hour'", "-4, now() + interval '1 hour'", "0, now() + interval '1 hour'",
          "2147483647, now() + interval '1 hour'", "4, 'infinity'", "4, '-infinity'", "4, NULL",
          "4, now() - interval '1 second'", "4, now() + interval '1000 years'", "4, '4713-01-01 BC'"}) {
        BOOST_TEST_CONTEXT(row) {
            database.exec("DELETE FROM dormouse.pool_scale");
            database.exec("INSERT INTO dormouse.pool_scale (pool, concurrency, until, set_by) VALUES ('logged', " +
                          std::string(row) + ", NULL)");
            database.exec("SELECT pg_notify(dormouse.channel('pool:logged'), '')");
            release(worker, 1);
            BOOST_TEST(started(worker, ++running_at_once), worker.log());
            BOOST_TEST(concurrency("logged") == "1 of 1");
        }
    }
    BOOST_TEST(worker.said("scaled").empty(), worker.log());
    BOOST_TEST(worker.said("round_refused").empty(), worker.log());
}

BOOST_AUTO_TEST_CASE(a_table_that_is_locked_or_gone_holds_nobody_up_and_counts_when_it_is_back) {
    BOOST_TEST(scale("'logged', 2, '1 hour'") == "t 0");
    auto holder = database.connect();
    BOOST_REQUIRE(holder.script("", "BEGIN; LOCK TABLE dormouse.pool_scale IN ACCESS EXCLUSIVE MODE").has_value());
    enqueue(1, "echo");
    LoggedWorker worker(database.url(), {.worker = "concurrency = 1"});
    BOOST_TEST_REQUIRE(eventually([&] { return completed() == "1"; }), worker.log());
    BOOST_REQUIRE(holder.script("", "ALTER TABLE dormouse.pool_scale RENAME TO elsewhere; COMMIT").has_value());
    enqueue(1, "echo");
    BOOST_TEST(eventually([&] { return completed() == "2"; }), worker.log());
    BOOST_TEST(worker.said("scaled").empty(), worker.log());
    database.exec("ALTER TABLE dormouse.elsewhere RENAME TO pool_scale");
    BOOST_TEST(worker.until_said("scaled"), worker.log());
    enqueue(2);
    BOOST_TEST(started(worker, 2), worker.log());
}

BOOST_AUTO_TEST_CASE(a_trigger_of_somebody_s_is_the_commands_matter_alone) {
    database.exec(
        "CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not on my watch'; END $$; "
        "INSERT INTO dormouse.pool_scale (pool, concurrency, until) VALUES ('old', 3, now() - interval '1 s'); "
        "CREATE TRIGGER refuse BEFORE INSERT OR DELETE ON dormouse.pool_scale FOR EACH ROW EXECUTE FUNCTION "
        "public.refuse()");
    auto session = database.connect();
    const auto refused = session.ask("", "SELECT dormouse.scale('bench', 4, '1 hour')");
    BOOST_TEST(!refused.has_value());
    BOOST_TEST(refused.error().message.find("not on my watch") != std::string::npos);
    PoolBench bench(database.url(), {.worker = "concurrency = 1"});
    enqueue(2, "echo");
    BOOST_TEST_REQUIRE(bench.until([&] { return completed() == "2"; }));
    BOOST_TEST(database.value("SELECT trouble FROM dormouse.retain('bench', 3600000, now())") == "");
    database.exec("DROP TRIGGER refuse ON dormouse.pool_scale; SELECT dormouse.retain('bench', 3600000, now())");
    BOOST_TEST(database.value("SELECT count(*) FROM dormouse.pool_scale") == "0");  // what is over goes by itself
}

BOOST_AUTO_TEST_CASE(whoever_tells_it_again_and_again_has_it_ask_once_a_second) {
    PoolBench bench(database.url());
    BOOST_TEST_REQUIRE(bench.until_idle());
    bench.turns_within(Millis{1'200});
    const auto statements = bench.statements();
    const auto end = BootClock::now() + Millis{2'000};
    while (BootClock::now() < end) {
        database.exec("SELECT pg_notify(dormouse.channel('pool:bench'), '')");
        bench.turns_within(Millis{10});
    }
    const auto sent = bench.statements() - statements;
    BOOST_TEST_MESSAGE("statements: " << sent);
    BOOST_TEST(sent <= 4 * 4U);  // BEGIN, the question, what is due, COMMIT
    BOOST_TEST(sent > 0U);
}

BOOST_AUTO_TEST_SUITE_END()
