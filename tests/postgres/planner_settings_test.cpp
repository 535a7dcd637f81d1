// Planner settings of ours are ours alone: other people's triggers on dormouse.runs, which fire inside our functions,
// find those of their session.
#include <boost/test/unit_test.hpp>

#include "sql/embedded.h"
#include "support/cluster.h"
#include "support/pool_bench.h"

namespace planner_settings {

using namespace dormouse;
using namespace dormouse::testing;

namespace {

struct Fixture {
    TestDatabase database;

    /// A trigger at each place of dormouse.runs and its tables notes each planner setting that is not what the session
    /// has.
    Fixture() {
        database.exec(
            "CREATE TABLE changed (tg text, setting text, value text); CREATE TABLE fired (tg text);"
            "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            "  INSERT INTO public.fired VALUES (TG_OP);"
            "  INSERT INTO public.changed SELECT TG_OP || ' ' || TG_WHEN || ' ' || TG_LEVEL, name, setting FROM "
            "pg_catalog.pg_settings"
            "   WHERE (category LIKE 'Query Tuning%' OR name LIKE 'jit%') AND setting <> reset_val;"
            "  RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END; END $$;"
            "CREATE TRIGGER zz_before BEFORE INSERT OR UPDATE OR DELETE ON dormouse.runs FOR EACH ROW EXECUTE FUNCTION "
            "note();"
            "CREATE TRIGGER zz_after AFTER INSERT OR UPDATE OR DELETE ON dormouse.runs FOR EACH ROW EXECUTE FUNCTION "
            "note();"
            "CREATE TRIGGER zz_first BEFORE INSERT OR UPDATE OR DELETE ON dormouse.runs EXECUTE FUNCTION note();"
            "CREATE TRIGGER zz_last AFTER INSERT OR UPDATE OR DELETE ON dormouse.runs EXECUTE FUNCTION note();");
    }
    void each_finds_its_own(const std::string& statement) {
        BOOST_TEST_CONTEXT(statement) {
            database.exec("TRUNCATE changed, fired; " + statement);
            BOOST_TEST(database.value("SELECT count(*) > 0 FROM fired") == "t");
            BOOST_TEST(database.value("SELECT coalesce(string_agg(DISTINCT tg || ': ' || setting || ' = ' || value, ', "
                                      "'), '') FROM changed") == "");
        }
    }
};

}  // namespace

}  // namespace planner_settings

BOOST_FIXTURE_TEST_SUITE(planner_settings, Fixture, *boost::unit_test::precondition(has_postgres))

BOOST_AUTO_TEST_CASE(triggers_inside_the_functions_of_producers_and_operators_find_those_of_their_session) {
    const std::string one = "(SELECT id FROM dormouse.runs ORDER BY id LIMIT 1)";
    each_finds_its_own("SELECT dormouse.enqueue('t'), dormouse.enqueue('t', key => 'k')");
    each_finds_its_own("SELECT dormouse.enqueue_many('t', ARRAY['{}', '{}']::jsonb[], keys => ARRAY['a', 'b'])");
    each_finds_its_own(
        "SELECT dormouse.import_runs(ARRAY[gen_random_uuid()], ARRAY['{\"task\": \"t\", \"key\": \"spooled\"}'], 'q')");
    each_finds_its_own("SELECT dormouse.cancel(" + one + ")");
    each_finds_its_own("SELECT dormouse.retry(" + one + ")");
    each_finds_its_own("SELECT dormouse.archive(" + one + ")");
    each_finds_its_own("SELECT dormouse.cancel_runs(task => 't')");
    each_finds_its_own("SELECT dormouse.archive_runs('canceled')");
    database.exec("UPDATE dormouse.runs SET archived_at = NULL");
    each_finds_its_own("SELECT dormouse.retry_runs('canceled')");
    database.exec("UPDATE dormouse.runs SET status = 'retry', run_at = now() + interval '1 hour'");
    each_finds_its_own("SELECT dormouse.retry(" + one + ")");
    each_finds_its_own("SELECT dormouse.retry_runs('retry')");
    each_finds_its_own("SELECT dormouse.archive_runs('retry')");
    database.exec("UPDATE dormouse.runs SET finished_at = now() - interval '3 days' WHERE finished_at IS NOT NULL");
    each_finds_its_own("SELECT dormouse.retain('p', 86400000, now()) FROM generate_series(1, 40)");
}

BOOST_AUTO_TEST_CASE(triggers_in_a_workers_session_find_those_that_it_began_with) {
    database.exec("ALTER ROLE " + database.value("SELECT quote_ident(current_user)") + " IN DATABASE " +
                  database.value("SELECT quote_ident(current_database())") + " SET enable_hashjoin = off");
    PoolBench bench(database.url(), {.rest = R"([task.next]
command = ["/bin/bash", "-c", "echo '{\"type\":\"completed\",\"enqueue\":[{\"task\":\"echo\"}]}' >&3"])"});
    database.exec("SELECT dormouse.enqueue('echo'), dormouse.enqueue('fail'), dormouse.enqueue('next')");
    BOOST_TEST(bench.until([&] {
        return database.value("SELECT count(*) FROM dormouse.runs WHERE status IN ('completed', 'failed')") == "4";
    }));
    BOOST_TEST(database.value("SELECT count(DISTINCT tg) FROM fired") == "3");
    BOOST_TEST(database.value("SELECT coalesce(string_agg(DISTINCT tg || ': ' || setting || ' = ' || value, ', '), '') "
                              "FROM changed") == "");
}

// What is planned after a trigger of somebody's, in the same transaction, is planned as everything of ours.
BOOST_AUTO_TEST_CASE(what_a_worker_plans_next_has_its_settings_again) {
    const std::string ours = "force_generic_plan off off off";
    const std::string now =
        "SELECT concat_ws(' ', current_setting('plan_cache_mode'), current_setting('enable_seqscan'), "
        "current_setting('enable_bitmapscan'), current_setting('jit'))";
    database.exec("SELECT dormouse.enqueue('t') FROM generate_series(1, 3)");
    auto session = database.connect();
    BOOST_TEST_REQUIRE(
        session.ask("open", sql::open_session, {std::to_string(PQbackendPID(session.get()))}).has_value());
    for (const char* const statement :
         {"UPDATE dormouse.runs_live SET progress = 0.5", "UPDATE dormouse.runs SET progress = 0.6",
          "INSERT INTO dormouse.runs (task) VALUES ('t')",
          "WITH moved AS (DELETE FROM dormouse.runs_live WHERE id = (SELECT min(id::text)::uuid FROM "
          "dormouse.runs_live) RETURNING *)"
          " INSERT INTO dormouse.runs_finished (id, task, status, finished_at) SELECT id, task, 'completed', now() "
          "FROM moved"}) {
        BOOST_TEST_REQUIRE(session.script("begin", "BEGIN").has_value());
        const Status done = session.script("statement", statement);
        BOOST_TEST(done.has_value(), (done ? "" : done.error().message));
        BOOST_TEST(session.ask("now", now)->text(0, 0) == ours, statement);
        BOOST_TEST_REQUIRE(session.script("commit", "COMMIT").has_value());
    }
}

BOOST_AUTO_TEST_SUITE_END()
