// With 40 partitions of finished runs, as after a month: who knows which he wants goes to that one, who does not finds
// his run by the index of each.
#include "postgres/retention_fixture.h"
#include "sql/embedded.h"

namespace retention_plans {

using namespace dormouse;
using namespace dormouse::testing;

namespace {

struct Fixture : RetentionFixture {
    Fixture() {
        steps();
        for (int days = 1; days <= 31; ++days) day_ago(days);
        database.exec(
            "INSERT INTO dormouse.runs (task, status, finished_at) SELECT 't', 'completed', now() - n * interval '1 "
            "minute' "
            "FROM generate_series(1, 40000) n; ANALYZE dormouse.runs");
        BOOST_TEST_REQUIRE(count("dormouse.partitions_of('dormouse.runs_finished')") == "41");
    }
    std::string plan(const std::string& sql, const std::string& options = "COSTS OFF") {
        const auto lines = session.ask("explain", "EXPLAIN (" + options + ") " + sql);
        BOOST_TEST_REQUIRE(lines.has_value(), (lines ? "" : lines.error().message));
        std::string all;
        for (int row = 0; row < lines->rows(); ++row) all += std::string(lines->text(row, 0)) + "\n";
        return all;
    }
    static bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }
};

}  // namespace

}  // namespace retention_plans

BOOST_FIXTURE_TEST_SUITE(retention_plans, Fixture, *boost::unit_test::precondition(has_postgres))

BOOST_AUTO_TEST_CASE(statements_about_live_runs_see_no_partition_of_finished_ones) {
    for (const char* const sql :
         {"SELECT id, created_at FROM dormouse.runs WHERE status = 'queued' ORDER BY created_at ASC LIMIT 5",
          "UPDATE dormouse.runs SET status = 'queued', started_at = NULL WHERE status = 'running' AND started_at < "
          "now() - interval "
          "'60 minutes' RETURNING id",
          "SELECT * FROM dormouse.queue_stats", "SELECT * FROM dormouse.stuck_runs",
          "SELECT * FROM dormouse.workers"}) {
        const std::string found = plan(sql);
        BOOST_TEST(!has(found, "runs_finished"), sql << ":\n" << found);
    }
}

BOOST_AUTO_TEST_CASE(a_time_leaves_one_partition) {
    const std::string found = plan(
        "SELECT * FROM dormouse.runs WHERE status = 'completed' AND finished_at >= date_trunc('day', now())"
        " AND finished_at < now()");
    BOOST_TEST(!has(found, "runs_finished_ago_2"), found);
}

BOOST_AUTO_TEST_CASE(a_run_is_found_by_the_index_of_each_partition) {
    const std::string id = "'" + database.value("SELECT id FROM dormouse.runs LIMIT 1 OFFSET 20000") + "'";
    // The statement of `dormouse logs` is a function's: history_test.cpp counts what it locks.
    const std::string sql = "SELECT r.status, r.result FROM dormouse.runs r WHERE r.id = " + id;
    const std::string found = plan(sql);
    BOOST_TEST(!has(found, "Seq Scan on runs_finished_ago_20"), found);
    BOOST_TEST(has(found, "runs_finished_ago_20_id_idx"), found);
    const auto start = BootClock::now();
    for (int i = 0; i < 20; ++i)
        BOOST_REQUIRE(session.ask("", "SELECT * FROM dormouse.result(" + id + ")").has_value());
    BOOST_TEST_MESSAGE("result(id), 20 times: " << since(start).count() << " ms");
}

// By the buffers: 40 partitions must not be touched for one row that goes into one of them.
BOOST_AUTO_TEST_CASE(a_completion_touches_one_partition) {
    database.exec("SELECT dormouse.enqueue('t')");
    const auto opened = session.ask("open", sql::open_session, {std::to_string(PQbackendPID(session.get()))});
    BOOST_TEST_REQUIRE(opened.has_value());
    const std::string worker = "00000000-0000-4000-8000-000000000001";
    const auto claimed = session.ask("claim", sql::claim,
                                     {"{default}", "1", worker, "300000", "1000000", known_tasks, known_slots, "{}"});
    BOOST_TEST_REQUIRE(claimed.has_value());
    BOOST_TEST_REQUIRE(session.script("prepare", std::string("PREPARE finish AS ") + sql::finish).has_value());
    const std::string found = plan("EXECUTE finish('" + worker + "', ARRAY['" + std::string(claimed->text(0, 0)) +
                                       "'::uuid], ARRAY[" + std::string(claimed->text(0, 1)) +
                                       "::bigint], '{completed}', '{1}', ARRAY[NULL::text], "
                                       "'{0}', '{NULL}', '{1}', '{1}', '{t}')",
                                   "ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF");
    BOOST_TEST(has(found, "Insert on runs_finished"), found);
    BOOST_TEST(!has(found, "runs_finished_ago"), found);
    BOOST_TEST(
        database.value("SELECT count(*) FROM pg_locks l JOIN dormouse.partitions_of('dormouse.runs_finished') p ON "
                       "l.relation = p.part") == "0");
    BOOST_TEST(count("dormouse.runs_finished_default") == "0");
}

BOOST_AUTO_TEST_SUITE_END()
