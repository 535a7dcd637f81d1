// The plans of the worker's statements: each uses the index that its file names, with 100,000 rows, parameters nobody
// has seen, and statistics that know nothing of them.
#include <boost/test/unit_test.hpp>

#include "sql/embedded.h"
#include "support/cluster.h"

BOOST_AUTO_TEST_SUITE(plans, *boost::unit_test::precondition(dormouse::testing::has_postgres))

using namespace dormouse;
using namespace dormouse::testing;

namespace {

constexpr const char* ids = "ARRAY[gen_random_uuid()]";
constexpr const char* worker = "gen_random_uuid()";

struct Query {
    const char* name;
    const char* sql;
    std::string arguments;
    std::string index;
    bool compares_fences = false;
    bool calls_function = false;  ///< whose plans EXPLAIN does not show; what they scan is counted
};

std::vector<Query> queries() {
    const std::string w = worker;
    const std::string held = w + ", " + ids + ", ARRAY[1::bigint]";
    return {
        {"claim", sql::claim,
         "ARRAY['default', 'other'], 8, " + w + ", 300000, 1000000, '{echo,mail}', '{1000000,2}', '{}'",
         "runs_live_claim", false, true},
        {"candidates", sql::candidates, "ARRAY['default', 'other'], 8, '{echo,mail}', '{1000000,2}', '{}'",
         "runs_live_claim", false, true},
        {"due", sql::due, "ARRAY['default', 'other'], " + w + ", 300000, '{}', '{echo,mail}', '{}'", "runs_live_claim",
         true, true},
        {"backlog", sql::backlog, "ARRAY['default', 'other'], '{echo,mail}'", "runs_live_claim", false, true},
        {"unknown", sql::cli::unknown, "'{\"default\": [\"mail\"], \"other\": [\"mail\"]}'", "runs_live_claim"},
        {"queues", sql::cli::queues, "", "runs_live_claim"},
        {"queues_ill", sql::cli::queues, "", "runs_live_retry_queue"},
        {"queues_running", sql::cli::queues, "", "runs_live_lease"},
        {"stuck", sql::cli::stuck, "'[\"default\", \"other\"]', 100", "runs_live_claim"},
        {"stuck_running", sql::cli::stuck, "'[\"default\", \"other\"]', 100", "runs_live_lease"},
        {"failing", sql::cli::failing, "", "runs_live_retry"},
        {"endings", sql::cli::endings, "", "endings_pkey"},
        {"rescue_own", sql::rescue_own, "ARRAY['default', 'other'], ARRAY[" + w + "]", "runs_live_lease"},
        {"claim_ids", sql::claim_ids, std::string(ids) + ", " + w + ", 300000, 1000, true", "runs_live_pkey"},
        {"payloads", sql::payloads, std::string(ids) + ", ARRAY[1::bigint], " + w + ", 1000", "runs_live_pkey"},
        {"refuse_waiting", sql::refuse_waiting, w + ", 'class', 'message'", "runs_live_pkey"},
        {"standing", sql::standing, w, "runs_live_pkey"},
        {"rescue", sql::rescue, "ARRAY['default', 'other'], '{}', 1000, " + w + ", " + w + ", 86400000, '{}'",
         "runs_live_lease"},
        {"rescue_ids", sql::rescue_ids, std::string(ids) + ", " + w + ", " + w + ", 86400000, '{}'", "runs_live_pkey"},
        {"lost_candidates", sql::lost_candidates, "ARRAY['default', 'other'], '{}', 1000, " + w + ", '{}'",
         "runs_live_lease"},
        {"release_forgotten", sql::release_forgotten, "ARRAY['default'], " + w + ", '{}'", "runs_live_lease", true},
        {"held", sql::held, held, "runs_live_pkey"},
        {"extend", sql::extend, held + ", 300000", "runs_live_pkey"},
        {"finish", sql::finish,
         held + ", ARRAY['completed'], ARRAY['{}'], ARRAY[NULL::text], ARRAY[0::smallint], ARRAY[NULL::smallint], "
                "ARRAY[1::bigint],"
                " ARRAY[1::bigint], ARRAY[true]",
         "runs_live_pkey"},
        {"finish_fast", sql::finish_fast,
         held + ", ARRAY['completed'], ARRAY['{}'], ARRAY[NULL::text], ARRAY[0::smallint], ARRAY[NULL::smallint], "
                "ARRAY[1::bigint],"
                " ARRAY[1::bigint], ARRAY[true]",
         "runs_live_pkey"},
        {"news", sql::news,
         held + ", ARRAY[500000::bigint], ARRAY['half'], ARRAY[1::bigint], ARRAY['[[1,\"info\",\"x\"]]']",
         "runs_live_pkey"},
        {"put_back", sql::put_back,
         held + ", ARRAY['retry'], ARRAY[1::bigint], ARRAY[true], ARRAY[NULL::text], ARRAY[0::smallint], "
                "ARRAY[NULL::smallint],"
                " ARRAY[1::bigint], ARRAY[1::bigint]",
         "runs_live_pkey"},
    };
}

std::string called(const std::string& name, const Query& query) {
    return query.arguments.empty() ? name : name + "(" + query.arguments + ")";
}

std::string plan_of(postgres::BlockingConnection& connection, const Query& query) {
    const std::string name = query.name;
    const Status prepared = connection.script("prepare", "PREPARE " + name + " AS " + query.sql);
    BOOST_TEST_REQUIRE(prepared.has_value(), (prepared ? "" : prepared.error().message));
    const auto lines = connection.ask("explain", "EXPLAIN (COSTS OFF) EXECUTE " + called(name, query));
    BOOST_TEST_REQUIRE(lines.has_value(), (lines ? "" : lines.error().message));
    std::string plan;
    for (int row = 0; row < lines->rows(); ++row) plan += std::string(lines->text(row, 0)) + "\n";
    return plan;
}

/// Scans of runs_live so far: of the table as a whole, of its index.
std::pair<int, int> scans(postgres::BlockingConnection& connection, const std::string& index) {
    const auto reply = connection.ask("scans",
                                      "SELECT pg_stat_get_xact_numscans('dormouse.runs_live'::regclass), "
                                      "pg_stat_get_xact_numscans('dormouse." +
                                          index + "'::regclass)");
    BOOST_TEST_REQUIRE(reply.has_value(), (reply ? "" : reply.error().message));
    return {std::stoi(std::string(reply->text(0, 0))), std::stoi(std::string(reply->text(0, 1)))};
}

void check_scans(postgres::BlockingConnection& connection, const Query& query) {
    BOOST_REQUIRE(connection.script("", "BEGIN").has_value());
    const auto before = scans(connection, query.index);
    const auto reply = connection.ask("execute", "EXECUTE " + called(query.name, query));
    BOOST_TEST_REQUIRE(reply.has_value(), (reply ? "" : reply.error().message));
    const auto after = scans(connection, query.index);
    BOOST_TEST(after.first == before.first, query.name << " scans the whole table");
    BOOST_TEST(after.second > before.second, query.name << " does not use " << query.index);
    BOOST_REQUIRE(connection.script("", "ROLLBACK").has_value());
}

void check_plans(TestDatabase& database) {
    auto connection = database.connect();
    const auto opened = connection.ask("open", sql::open_session, {std::to_string(PQbackendPID(connection.get()))});
    BOOST_TEST_REQUIRE(opened.has_value());
    for (const Query& query : queries()) {
        const std::string plan = plan_of(connection, query);
        BOOST_TEST(plan.find("Seq Scan on runs_live") == std::string::npos, query.name << ":\n" << plan);
        // A bitmap reads all of a level where its first row is wanted.
        BOOST_TEST(plan.find("Bitmap Heap Scan") == std::string::npos, query.name << ":\n" << plan);
        if (query.calls_function)
            check_scans(connection, query);
        else
            BOOST_TEST(plan.find(query.index) != std::string::npos, query.name << ":\n" << plan);
        if (query.compares_fences)  // each of its runs with thousands of fences otherwise
            BOOST_TEST(plan.find("hashed SubPlan") != std::string::npos, query.name << ":\n" << plan);
    }
}

constexpr const char* hundred_thousand =
    "INSERT INTO dormouse.runs (task, queue, priority, run_at) SELECT 'echo', CASE n % 2 WHEN 0 THEN 'default' ELSE "
    "'other' END,"
    " n % 3, now() + (n % 1000 - 500) * interval '1 s' FROM generate_series(1, 100000) n";

}  // namespace

BOOST_AUTO_TEST_CASE(without_statistics) {
    TestDatabase database;
    database.exec(hundred_thousand);
    check_plans(database);
}

BOOST_AUTO_TEST_CASE(with_statistics_of_an_empty_table) {
    TestDatabase database;
    database.exec("VACUUM ANALYZE");
    check_plans(database);
    database.exec(hundred_thousand);
    check_plans(database);
}

BOOST_AUTO_TEST_CASE(with_statistics_of_a_full_table_that_is_nearly_empty) {
    TestDatabase database;
    database.exec(hundred_thousand);
    database.exec("ANALYZE");
    check_plans(database);
    database.exec("DELETE FROM dormouse.runs WHERE id NOT IN (SELECT id FROM dormouse.runs LIMIT 10)");
    check_plans(database);
}

BOOST_AUTO_TEST_SUITE_END()
