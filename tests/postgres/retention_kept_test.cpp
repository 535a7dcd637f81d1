// dormouse.retain() where a trigger of somebody's does not let a row go: it is passed over and named, all others go,
// and what else there is to do is done.
#include <boost/test/unit_test.hpp>

#include "postgres/retention_fixture.h"

namespace retention_kept {

using namespace dormouse;
using namespace dormouse::testing;

namespace {

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

/// A trigger of somebody's on `table` that does `body` with each row of the task bad.
void keep_bad(TestDatabase& database, const std::string& table, const std::string& body) {
    database.exec("CREATE OR REPLACE FUNCTION public.keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN " + body +
                  "; RETURN OLD; END $$; CREATE TRIGGER keep BEFORE DELETE ON dormouse." + table +
                  " FOR EACH ROW WHEN (OLD.task = 'bad') EXECUTE FUNCTION public.keep()");
}

}  // namespace

}  // namespace retention_kept

BOOST_FIXTURE_TEST_SUITE(retention_kept, RetentionFixture, *boost::unit_test::precondition(has_postgres))

BOOST_AUTO_TEST_CASE(a_row_that_a_trigger_does_not_let_go_is_named_and_all_others_go) {
    for (const char* const body : {"RAISE EXCEPTION 'not in this shop' USING ERRCODE = 'APP01'", "RETURN NULL",
                                   "PERFORM currval('public.unused')", "PERFORM pg_read_file('/nowhere/at/all')"}) {
        BOOST_TEST_CONTEXT(body) {
            database.exec("CREATE SEQUENCE IF NOT EXISTS public.unused; TRUNCATE dormouse.runs_finished");
            keep_bad(database, "runs_finished", body);
            finished("ok", 40, 4);
            finished("bad", 40, 1);
            finished("ok", 40, 5);
            const std::string bad = database.value("SELECT id FROM dormouse.runs WHERE task = 'bad'");
            Step one = step();
            int deleted = 0;  // a busy machine takes two steps for them
            for (int n = 0; n < 40 && !one.did.empty(); ++n, one = step())
                if (has(one.did, "rows from dormouse.runs_finished_default"))
                    deleted += std::stoi(one.did.substr(std::string("deleted ").size()));
            BOOST_TEST(deleted == 9);
            BOOST_TEST(one.did == "");
            BOOST_TEST(has(one.trouble, "old rows stay in dormouse.runs_finished_default (1)"), one.trouble);
            BOOST_TEST(has(one.trouble, "run " + bad), one.trouble);
            BOOST_TEST(database.value("SELECT trouble FROM dormouse.retention") == one.trouble);
            BOOST_TEST(database.value("SELECT string_agg(task, ' ') FROM dormouse.runs") == "bad");
            BOOST_TEST(count("dormouse.partitions_of('dormouse.runs_finished')") == "10");  // ahead, too
            database.exec("DROP TRIGGER keep ON dormouse.runs_finished");
            BOOST_TEST(steps().size() == 1U);
            BOOST_TEST(count("dormouse.runs") == "0");
            BOOST_TEST(database.value("SELECT trouble IS NULL FROM dormouse.retention") == "t");
        }
    }
}

BOOST_AUTO_TEST_CASE(however_many_are_not_let_go_what_lies_behind_them_goes) {
    steps();
    keep_bad(database, "runs_finished", "RAISE EXCEPTION 'no'");
    finished("bad", 41, 1'100);
    finished("ok", 40, 500);
    const auto start = BootClock::now();
    int all = 0;
    Step one = step();
    for (; all < 300 && !one.did.empty(); ++all) one = step();
    BOOST_TEST_MESSAGE(all << " steps, " << since(start).count() << " ms");
    BOOST_TEST(all < 300);
    BOOST_TEST(database.value("SELECT string_agg(DISTINCT task, ' ') FROM dormouse.runs") == "bad");
    BOOST_TEST(has(database.value("SELECT trouble FROM dormouse.retention"), "(P0001)"));
}

// Each step has time for one of them, and the last step meets none.
BOOST_AUTO_TEST_CASE(the_trouble_stays_named_after_the_last_step_of_several) {
    steps();
    keep_bad(database, "runs_finished", "PERFORM pg_sleep(0.11); RAISE EXCEPTION 'no'");
    finished("bad", 41, 2);
    Step one = step();
    int all = 1;
    for (; all < 20 && !one.did.empty(); ++all) one = step();
    BOOST_TEST((all > 2 && all < 20), all);
    BOOST_TEST(has(one.trouble, "(P0001)"), one.trouble);
    BOOST_TEST(database.value("SELECT trouble FROM dormouse.retention") == one.trouble);
    database.exec("DROP TRIGGER keep ON dormouse.runs_finished");
    steps();
    BOOST_TEST(database.value("SELECT trouble IS NULL FROM dormouse.retention") == "t");
}

BOOST_AUTO_TEST_CASE(a_partition_goes_with_all_that_is_in_it_and_no_trigger_is_asked) {
    steps();
    day_ago(40);
    database.exec("SELECT dormouse.enqueue('bad', key => 'k' || n) FROM generate_series(1, 3) n");
    database.exec(
        "UPDATE dormouse.runs SET status = 'completed', finished_at = date_trunc('day', now()) - interval '40 days' + "
        "interval '1 hour'");
    keep_bad(database, "runs_finished_ago_40", "RAISE EXCEPTION 'no'");
    steps();
    BOOST_TEST(count("dormouse.runs") == "0");
    BOOST_TEST(count("dormouse.keys") == "0");
}

BOOST_AUTO_TEST_CASE(attempts_that_a_trigger_does_not_let_go_hold_up_nothing_else) {
    const auto attempts = [&](int count) {
        database.exec(
            "INSERT INTO dormouse.attempt_log (run_id, worker, fence, started_at, ended_at, outcome) SELECT "
            "gen_random_uuid(), gen_random_uuid(), n, now(), now() - interval '40 days', 'retry' FROM "
            "generate_series(1, " +
            std::to_string(count) + ") n");
    };
    database.exec(
        "CREATE FUNCTION public.keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE "
        "= '55000'; END $$; CREATE TRIGGER keep BEFORE DELETE ON dormouse.attempt_log FOR EACH ROW WHEN (OLD.fence = "
        "3) EXECUTE FUNCTION public.keep()");
    attempts(10);
    Step one = step();
    for (int n = 0; n < 40 && !one.did.empty(); ++n) one = step();
    BOOST_TEST(count("dormouse.attempt_log") == "1");
    BOOST_TEST(has(one.trouble, "run " + database.value("SELECT run_id FROM dormouse.attempt_log")), one.trouble);
    BOOST_TEST(count("dormouse.partitions_of('dormouse.runs_finished')") == "10");
}

BOOST_AUTO_TEST_SUITE_END()
