// Planner settings of ours are ours alone: other people's triggers on dormouse.runs, which fire inside our functions,
// find those of their session.
#include <boost/test/unit_test.hpp>

#include "support/cluster.h"

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

BOOST_AUTO_TEST_SUITE_END()
