// The second session, for endings, that a worker opens under load: here already when claims bring two.
#include <boost/test/unit_test.hpp>

#include "support/pool_bench.h"

namespace worker_second {

using namespace dormouse;
using namespace dormouse::testing;

namespace {

struct Fixture {
    TestDatabase database;
    PoolBench bench{
        database.url(),
        {.worker = "concurrency = 8",
         .rest = "[task.bad]\ncommand = [\"/usr/bin/printf\", \"1e-200000\"]\nmax_attempts = 1\n"
                 "[task.tidies]\ncommand = [\"/bin/sh\", \"-c\", \"trap 'echo tidied up >&2; exit' TERM; echo "
                 "began >&2; sleep 1000 & wait\"]",
         .starts = false,
         .second_session_at = 2}};

    std::string sessions() {
        return database.value(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE "
            "'dormouse worker%'");
    }
    std::string count(const std::string& status) {
        return database.value("SELECT count(*) FROM dormouse.runs WHERE status = $1", {status});
    }
    void enqueue(int runs, const std::string& task = "echo") {
        database.exec("SELECT dormouse.enqueue_many('" + task + "', array_fill('{}'::jsonb, ARRAY[" +
                      std::to_string(runs) + "]))");
    }
    std::string terminate(const std::string& which) {
        return database.value(
            "SELECT count(pg_terminate_backend(pid)) FROM (SELECT pid FROM pg_stat_activity WHERE datname = "
            "current_database() AND application_name LIKE 'dormouse worker%' ORDER BY backend_start " +
            which + " LIMIT 1) s");
    }
};

}  // namespace

}  // namespace worker_second

BOOST_FIXTURE_TEST_SUITE(worker_second, Fixture, *boost::unit_test::precondition(has_postgres))

BOOST_AUTO_TEST_CASE(it_is_opened_under_load_writes_what_has_ended_and_is_closed_when_it_has_been_quiet) {
    database.exec(
        "CREATE TABLE writers (pid int); CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "INSERT INTO public.writers VALUES (pg_backend_pid()); RETURN NULL; END $$;"
        "CREATE TRIGGER note AFTER DELETE ON dormouse.runs_live EXECUTE FUNCTION note();"
        "GRANT ALL ON writers TO PUBLIC");
    enqueue(400);
    bench.worker().start();
    BOOST_TEST(bench.until([&] { return sessions() == "2"; }));
    BOOST_TEST(bench.until([&] { return count("completed") == "400"; }));
    BOOST_TEST(database.value("SELECT count(DISTINCT pid) FROM writers") == "2");
    BOOST_TEST_REQUIRE(bench.until_idle());
    BOOST_TEST(bench.until([&] { return sessions() == "1"; }));
    BOOST_TEST(database.value("SELECT max(attempts) FROM dormouse.runs") == "1");
    database.exec("SELECT dormouse.enqueue('echo')");  // and the first one does what there is to do
    BOOST_TEST(bench.until([&] { return count("completed") == "401"; }));
}

BOOST_AUTO_TEST_CASE(few_runs_need_one_session) {
    bench.worker().start();
    for (int i = 1; i <= 10; ++i) {
        database.exec("SELECT dormouse.enqueue('echo')");
        BOOST_TEST(bench.until([&] { return count("completed") == std::to_string(i); }));
    }
    BOOST_TEST(sessions() == "1");
}

BOOST_AUTO_TEST_CASE(without_it_the_work_goes_on_and_nothing_is_lost_or_done_twice) {
    // Slowly, so that something is on its wire.
    database.exec(
        "CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.03); RETURN NULL; "
        "END $$;"
        "CREATE TRIGGER slowly AFTER DELETE ON dormouse.runs_live EXECUTE FUNCTION slowly()");
    enqueue(600);
    bench.worker().start();
    int kills = 0;
    const bool done = bench.until(
        [&] {
            if (kills < 8 && sessions() == "2")
                kills += std::stoi(terminate(kills % 4 == 3 ? "ASC" : "DESC"));  // now and then the other one
            return count("completed") == "600";
        },
        Millis{90'000});
    BOOST_TEST(done);
    BOOST_TEST(kills >= 1);
    BOOST_TEST(database.value("SELECT max(attempts) FROM dormouse.runs") == "1");
    BOOST_TEST(database.value("SELECT count(*) FROM dormouse.attempts WHERE outcome NOT IN ('completed', "
                              "'handed_back')") == "0");
    BOOST_TEST(bench.until_idle());
}

BOOST_AUTO_TEST_CASE(a_result_that_the_database_rejects_fails_its_own_run_alone) {
    enqueue(150);
    enqueue(1, "bad");
    enqueue(150);
    bench.worker().start();
    BOOST_TEST(bench.until([&] { return count("completed") == "300" && count("failed") == "1"; }));
}

BOOST_AUTO_TEST_CASE(what_is_put_back_is_due_when_it_said_and_nobody_forgets_it) {
    enqueue(100);
    enqueue(40, "later");
    enqueue(100);
    bench.worker().start();
    BOOST_TEST(bench.until([&] { return sessions() == "2"; }));
    BOOST_TEST(bench.until([&] { return count("completed") == "240"; }));
}

BOOST_AUTO_TEST_CASE(a_worker_that_leaves_meanwhile_writes_everything) {
    enqueue(1'000);
    bench.worker().start();
    BOOST_TEST_REQUIRE(bench.until([&] { return sessions() == "2"; }));
    bench.worker().terminate();
    BOOST_TEST_REQUIRE(bench.until([&] { return bench.farewell().has_value(); }));
    BOOST_TEST(bench.farewell()->graceful);
    BOOST_TEST(count("running") == "0");
    BOOST_TEST(database.value("SELECT count(*) FROM dormouse.runs WHERE status = 'queued' AND attempts = 0") ==
               std::to_string(1'000 - std::stoi(count("completed"))));
    BOOST_TEST(bench.until([&] { return sessions() == "0"; }));
}

// What was said last by a run that was canceled goes over it when nothing is at work any more.
BOOST_AUTO_TEST_CASE(it_is_not_closed_under_a_round_that_takes_long) {
    enqueue(400);
    bench.worker().start();
    BOOST_TEST_REQUIRE(bench.until([&] { return sessions() == "2" && count("completed") == "400"; }));
    enqueue(1, "tidies");
    BOOST_TEST_REQUIRE(bench.until([&] { return count("running") == "1"; }));
    BOOST_TEST_REQUIRE(
        bench.until([&] { return database.value("SELECT count(*) FROM dormouse.logs WHERE text = 'began'") == "1"; }));
    database.exec(
        "CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(7); RETURN NULL; "
        "END $$; CREATE TRIGGER slowly AFTER INSERT ON dormouse.run_logs EXECUTE FUNCTION slowly()");
    database.exec("SELECT dormouse.cancel(id) FROM dormouse.runs WHERE status = 'running'");
    BOOST_TEST(bench.until(
        [&] { return database.value("SELECT count(*) FROM dormouse.logs WHERE text = 'tidied up'") == "1"; }));
    BOOST_TEST(bench.until([&] { return sessions() == "1"; }));
    BOOST_TEST(bench.until_idle());
}

BOOST_AUTO_TEST_SUITE_END()
