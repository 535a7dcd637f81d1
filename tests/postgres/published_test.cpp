// In a database that is published whole (a replica, a change stream, an upgrade by replication) everything goes on.
#include <boost/test/unit_test.hpp>

#include "sql/embedded.h"
#include "support/pool_bench.h"

BOOST_AUTO_TEST_SUITE(published, *boost::unit_test::precondition(dormouse::testing::has_postgres))

using namespace dormouse;
using namespace dormouse::testing;

// Without a replica identity Postgres refuses UPDATE and DELETE; whether anything is replicated does not matter.
BOOST_AUTO_TEST_CASE(each_table_and_each_new_day_says_which_row_was_changed) {
    TestDatabase database;
    for (int i = 0; i < 12; ++i) database.exec("SELECT * FROM dormouse.retain('p', 86400000, now())");
    BOOST_TEST(database.value("SELECT count(*) > 3 FROM pg_class c WHERE relnamespace = 'dormouse'::regnamespace AND "
                              "relispartition AND relname ~ '_20[0-9]{6}'") == "t");
    BOOST_TEST(database.value(
                   "SELECT string_agg(relname, ', ') FROM pg_class c WHERE relnamespace = 'dormouse'::regnamespace AND "
                   "relkind = 'r' AND (relreplident = 'n' OR relreplident = 'd' AND NOT EXISTS (SELECT FROM pg_index i "
                   "WHERE i.indrelid = c.oid AND i.indisprimary))") == "");
    // a subscriber finds the row by all of it, so each column needs an equality
    BOOST_TEST(database.value(
                   "SELECT string_agg(c.relname || '.' || a.attname, ', ') FROM pg_class c JOIN pg_attribute a ON "
                   "a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped JOIN pg_type t ON t.oid = a.atttypid"
                   " WHERE c.relnamespace = 'dormouse'::regnamespace AND c.relkind = 'r' AND c.relreplident = 'f' AND "
                   "t.typelem = 0 AND NOT EXISTS (SELECT FROM pg_opclass o JOIN pg_am m ON m.oid = o.opcmethod WHERE "
                   "m.amname IN ('btree', 'hash') AND (o.opcintype = t.oid OR t.typtype IN ('d', 'e')))") == "");
}

BOOST_AUTO_TEST_CASE(runs_are_executed_retried_archived_and_deleted) {
    TestDatabase database;
    database.exec("CREATE PUBLICATION everything FOR ALL TABLES");
    PoolBench bench(database.url());
    const std::string good = database.value("SELECT dormouse.enqueue('echo', key => 'k')");
    const std::string bad = database.value("SELECT dormouse.enqueue('broken', max_attempts => 1::smallint)");
    const auto status = [&](const std::string& run) {
        return database.value("SELECT status FROM dormouse.runs WHERE id = '" + run + "'");
    };
    BOOST_TEST(bench.until([&] { return status(good) == "completed"; }));
    database.exec("UPDATE dormouse.runs SET status = 'failed', finished_at = now() WHERE id = '" + bad + "'");
    BOOST_TEST(database.value("SELECT dormouse.retry('" + bad + "') IS NOT NULL") == "t");
    database.exec("SELECT dormouse.archive('" + good + "')");
    database.exec("UPDATE dormouse.runs SET archived_at = NULL");
    database.exec("DELETE FROM dormouse.runs");
    BOOST_TEST(database.value("SELECT count(*) FROM dormouse.runs") == "0");
}

BOOST_AUTO_TEST_SUITE_END()
