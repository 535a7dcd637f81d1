// A claim is several statements, and each sees what others have committed meanwhile: what a claim takes when another
// one has emptied a level between two of them.
#include <boost/test/unit_test.hpp>

#include "support/cluster.h"

namespace claim_emptied {

using namespace dormouse;
using namespace dormouse::testing;

namespace {

struct Fixture {
    TestDatabase database;

    /// From here on the runs of task "gone" are gone as soon as a claim has seen the levels.
    Fixture() {
        database.exec(
            "CREATE SCHEMA original; ALTER FUNCTION dormouse.levels SET SCHEMA original;"
            "CREATE FUNCTION dormouse.levels(queue text, known text[], passed_over uuid[], OUT task text, OUT task_no "
            "integer, OUT nth integer, OUT priority smallint, OUT run_at timestamptz, OUT id uuid) RETURNS SETOF "
            "record LANGUAGE plpgsql AS $$ BEGIN RETURN QUERY SELECT * FROM original.levels($1, $2, $3);"
            "DELETE FROM dormouse.runs_live l WHERE l.task = 'gone'; END $$");
    }

    void add(const std::string& task, int count, int priority) {
        database.exec("INSERT INTO dormouse.runs (task, priority) SELECT '" + task + "', " + std::to_string(priority) +
                      " FROM generate_series(1, " + std::to_string(count) + ")");
    }
    std::string next(int most, bool locking) {
        database.exec(
            "CREATE TEMP TABLE IF NOT EXISTS next (tid tid); TRUNCATE next; INSERT INTO next SELECT unnest("
            "dormouse.next_runs('{default}', " +
            std::to_string(most) +
            ", '{a,b,c,gone}', '{999,999,999,999}', "
            "'{}', " +
            (locking ? "true" : "false") + "))");
        return database.value(
            "SELECT string_agg(task || ' ' || runs, ', ' ORDER BY task) FROM (SELECT l.task, count(*) AS runs FROM "
            "next n "
            "JOIN dormouse.runs_live l ON l.ctid = n.tid GROUP BY l.task) t");
    }
};

}  // namespace

}  // namespace claim_emptied

BOOST_FIXTURE_TEST_SUITE(claim_emptied, Fixture, *boost::unit_test::precondition(has_postgres))

BOOST_AUTO_TEST_CASE(the_others_keep_their_order) {
    for (const bool locking : {true, false}) {
        database.exec("TRUNCATE dormouse.runs");
        add("gone", 3, 0);
        add("a", 300, 1);
        add("b", 300, 2);
        add("c", 3, 3);
        BOOST_TEST(next(100, locking) == "a 100");
    }
}

BOOST_AUTO_TEST_CASE(what_was_not_looked_at_takes_the_place_and_nothing_is_taken_twice) {
    for (const bool locking : {true, false}) {
        database.exec("TRUNCATE dormouse.runs");
        add("gone", 1, 0);
        add("a", 1, 1);
        add("b", 1, 2);
        add("c", 1, 3);
        BOOST_TEST(next(3, locking) == "a 1, b 1, c 1");
    }
}

BOOST_AUTO_TEST_CASE(nothing_is_left) {
    for (const int priorities : {1, 2}) {
        for (int n = 0; n < priorities; ++n) add("gone", 5, n);
        BOOST_TEST(database.value("SELECT dormouse.next_runs('{default}', 9, '{gone}', '{9}', '{}', true)") == "{}");
    }
}

BOOST_AUTO_TEST_SUITE_END()
