// dormouse runs and status where the ids of runs say nothing of their time: newest first all the same.
#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>
#include <sstream>

#include "sql/embedded.h"
#include "support/cluster.h"
#include "support/process.h"

namespace cli_foreign {

using namespace dormouse::testing;
using nlohmann::json;
namespace sql = dormouse::sql;

struct Fixture {
    TestDatabase database;

    std::string out(std::vector<std::string> arguments) {
        const Ended ended = run(cli_program(std::move(arguments), {{"DATABASE_URL", database.url()}}));
        BOOST_TEST((ended.exit_code == 0 || ended.exit_code == 13), ended.err);
        BOOST_TEST(ended.err == "");
        return ended.out;
    }
    /// The tasks of those that are listed.
    std::string tasks(std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), {"runs", "--json"});
        std::istringstream lines(out(std::move(arguments)));
        std::string names;
        for (std::string line; std::getline(lines, line);) names += json::parse(line).at("task").get<std::string>();
        return names;
    }
    void add(const std::string& task, const std::string& id, const std::string& ago, const std::string& status) {
        database.exec("INSERT INTO dormouse.runs (id, task, status, created_at, finished_at) SELECT " + id + ", '" +
                      task + "', '" + status + "', t, CASE WHEN '" + status +
                      "' IN ('completed', 'failed') THEN t END FROM (SELECT now() - interval '" + ago + "' AS t) t");
    }
    /// As dormouse.new_id() would have made it then.
    static std::string made(const std::string& ago) {
        return "(substr(lpad(to_hex((extract(epoch FROM now() - interval '" + ago +
               "') * 1000)::bigint), 12, '0'), 1) || '7' || substr(md5(random()::text), 1, 3) || '8' || "
               "substr(md5(random()::text), 1, 15))::uuid";
    }
};

}  // namespace cli_foreign

BOOST_FIXTURE_TEST_SUITE(cli_foreign, Fixture, *boost::unit_test::precondition(has_postgres))

BOOST_AUTO_TEST_CASE(runs_are_listed_newest_first_by_time_whatever_their_ids_say) {
    for (const char* const status : {"queued", "completed"}) {
        database.exec("DELETE FROM dormouse.runs");
        add("a", "'ffffffff-ffff-4fff-8fff-ffffffffffff'", "5 hours", status);
        add("b", made("4 hours"), "4 hours", status);
        add("c", "'ffffffff-ffff-7fff-8fff-ffffffffffff'", "3 hours", status);
        add("d", made("2 hours"), "2 hours", status);
        add("e", "'00000000-0000-4000-8000-000000000001'", "1 hour", status);
        add("f", made("1 minute"), "1 minute", status);
        add("g", "'01f00000-0000-7000-8000-000000000001'", "1 s", status);  // a clock that is two years ahead
        BOOST_TEST(tasks({}) == "gfedcba");
        BOOST_TEST(tasks({"--limit", "4"}) == "gfed");
        BOOST_TEST(tasks({"--since", "200min"}) == "gfedc");
        BOOST_TEST(tasks({"--status", status, "--limit", "3"}) == "gfe");
        BOOST_TEST(tasks({"--older", "150min"}) == "cba");
    }
}

BOOST_AUTO_TEST_CASE(many_foreign_ids_hide_no_newer_run) {
    database.exec(
        "INSERT INTO dormouse.runs (id, task, status, created_at, finished_at) SELECT gen_random_uuid(), 'old', s, t, "
        "CASE s WHEN 'queued' THEN NULL ELSE t END FROM generate_series(1, 12000) n, (VALUES ('queued'), ('failed')) s "
        "(s), LATERAL (SELECT now() - interval '3 hours' - n * interval '1 s' AS t) t");
    add("a", made("2 hours"), "2 hours", "failed");
    add("b", "gen_random_uuid()", "1 hour", "queued");
    add("c", made("1 minute"), "1 minute", "queued");
    BOOST_TEST(tasks({"--limit", "4"}) == "cbaold");
    const Ended cut = run(cli_program({"runs", "--task", "none"}, {{"DATABASE_URL", database.url()}}));
    BOOST_TEST(cut.err.find("only the newest 10000") != std::string::npos, cut.err);
}

BOOST_AUTO_TEST_CASE(what_looks_for_foreign_ids_walks_indexes_and_not_the_tables) {
    database.exec(
        "INSERT INTO dormouse.runs (task, status, finished_at) SELECT 't', s, CASE s WHEN 'queued' THEN NULL ELSE "
        "now() END FROM generate_series(1, 20000) n, (VALUES ('queued'), ('completed')) s (s);"
        "INSERT INTO dormouse.runs (id, task, status, finished_at) SELECT gen_random_uuid(), 't', s, CASE s WHEN "
        "'queued' THEN NULL ELSE now() END FROM generate_series(1, 100) n, (VALUES ('queued'), ('completed')) s (s);"
        "ANALYZE dormouse.runs");
    auto session = database.connect();
    BOOST_TEST_REQUIRE(session.script("", "SET plan_cache_mode = force_custom_plan").has_value());
    const std::string text = sql::cli::runs_foreign;
    const std::optional<std::string> none;
    const auto plan = session.ask("", "EXPLAIN (COSTS off) " + text.substr(text.find("\nSELECT")),
                                  {none, none, none, none, "20", "f", "10000", "01f00000-0000-0000-0000-000000000000",
                                   none, none, none, none, none});
    BOOST_TEST_REQUIRE(plan.has_value(), (plan ? "" : plan.error().message));
    std::string lines;
    for (int row = 0; row < plan->rows(); ++row) lines += std::string(plan->text(row, 0)) + "\n";
    BOOST_TEST(lines.find("Seq Scan on runs_") == std::string::npos, lines);
    BOOST_TEST(lines.find("runs_live_foreign") != std::string::npos, lines);
}

BOOST_AUTO_TEST_CASE(several_statuses_and_what_else_runs_takes) {
    database.exec(
        "INSERT INTO dormouse.runs (task, key, status, error, worker, finished_at) VALUES "
        "('a', 'k1', 'queued', NULL, NULL, NULL), ('b', NULL, 'failed', '{\"class\": \"exit\", \"message\": "
        "\"ECONNREFUSED\"}', '00000000-0000-4000-8000-000000000001', now()), ('c', NULL, 'blocked', NULL, NULL, NULL)");
    BOOST_TEST(tasks({"--status", "queued,failed"}) == "ba");
    BOOST_TEST(tasks({"--status", "queued,blocked", "--limit", "1"}) == "c");
    BOOST_TEST(tasks({"--error", "ECONN"}) == "b");
    BOOST_TEST(tasks({"--key", "k1"}) == "a");
    BOOST_TEST(tasks({"--worker", "00000000-0000-4000-8000-000000000001"}) == "b");
    BOOST_TEST(tasks({"--older", "1h"}) == "");
    const auto refused = [&](const std::string& flag, const std::string& value) {
        const Ended ended = run(cli_program({"runs", flag, value}, {{"DATABASE_URL", database.url()}}));
        BOOST_TEST(ended.exit_code == 2);
        return ended.err;
    };
    BOOST_TEST(refused("--status", "queued,active").find("did you mean running?") != std::string::npos);
    BOOST_TEST(refused("--status", "archived").find("dormouse runs --archived") != std::string::npos);
    BOOST_TEST(refused("--worker", "w1").find("dormouse workers") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(tasks_that_fail_are_seen_by_when_they_failed_and_a_capped_count_says_so) {
    database.exec(
        "INSERT INTO dormouse.runs (task, status, started_at, finished_at) SELECT 'ok', 'failed', now(), now() FROM "
        "generate_series(1, 1500);"
        "INSERT INTO dormouse.runs (id, task, status, started_at, finished_at) SELECT ('ffffffff-ffff-4fff-8fff-' || "
        "lpad(n::text, 12, '0'))::uuid, 'old', 'failed', t, t FROM generate_series(1, 1000) n, (SELECT now() - "
        "interval '20 hours' AS t) t");
    const std::string status = out({"status"});
    const json failing = json::parse(out({"status", "--json"})).at("failing");
    BOOST_TEST_REQUIRE(failing.size() == 2U, failing);
    BOOST_TEST(failing.at(0).at("task") == "ok");
    BOOST_TEST(failing.at(0).at("failed_last_hour") == 1000);
    BOOST_TEST(failing.at(0).at("more") == true);
    BOOST_TEST(failing.at(1).at("task") == "old");
    BOOST_TEST(failing.at(1).at("failed_last_hour") == 0);
    BOOST_TEST(failing.at(1).at("failed_last_day") == 1000);
    BOOST_TEST(status.find("1000 or more") != std::string::npos, status);
}

BOOST_AUTO_TEST_CASE(what_runs_shows_its_progress_and_not_what_its_last_attempt_died_of) {
    const std::string id = database.value("SELECT dormouse.enqueue('t')");
    database.exec(
        "UPDATE dormouse.runs_live SET status = 'running', attempts = 1, fence = 7, worker = gen_random_uuid(), "
        "started_at = now(), lease_until = now() + interval '1 minute', progress = 0.25, progress_text = 'page 3', "
        "error = '{\"class\": \"exit\", \"message\": \"exit 1\\nTraceback\\nKeyError: 7\"}'");
    BOOST_TEST(out({"runs"}).find("25 % page 3") != std::string::npos);
    BOOST_TEST(out({"runs"}).find("exit 1") == std::string::npos);
    BOOST_TEST(json::parse(out({"runs", "--json"})).at("error").is_null());
    BOOST_TEST(out({"show", id}).find("exit 1") == std::string::npos);
    BOOST_TEST(json::parse(out({"show", id, "--json"})).at("error").is_null());
    database.exec("UPDATE dormouse.runs SET status = 'failed'");
    BOOST_TEST(out({"runs"}).find("exit: exit 1: KeyError: 7") != std::string::npos, out({"runs"}));
}

BOOST_AUTO_TEST_SUITE_END()
