// What waits, as `dormouse status` and metrics count it: a part of it, however much there is, and they say so.
#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "sql/embedded.h"
#include "support/cluster.h"
#include "support/paths.h"
#include "support/process.h"

namespace cli_many_runs {

using namespace dormouse;
using namespace dormouse::testing;
using nlohmann::json;

namespace {

struct Fixture {
    TestDatabase database;
    const TemporaryDirectory directory;

    std::string out(std::vector<std::string> arguments) {
        arguments.insert(arguments.end(), {"--database-url", database.url()});
        return run(cli_program(std::move(arguments), {{"DORMOUSE_CONFIG_DIR", directory.path()}})).out;
    }
    /// queue: due, put_off, running, retrying, blocked, of the view or of status.
    std::string of_the_view() {
        return database.value(
            "SELECT coalesce(string_agg(concat_ws(' ', queue, due, put_off, running, retrying, blocked, "
            "to_char(oldest_due_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS'), "
            "to_char(next_run_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS')), '\n' ORDER BY queue), '') || '\n' "
            "|| (SELECT count(*) FROM dormouse.stuck_runs) FROM dormouse.queue_stats");
    }
    static std::string of_status(const json& status) {
        std::string text;
        for (const json& queue : status.at("queues")) {
            text += queue.at("queue").get<std::string>();
            for (const char* const count : {"due", "put_off", "running", "retrying", "blocked"})
                text += " " + std::to_string(queue.at(count).get<int>());
            for (const char* const time : {"oldest_due_at", "next_run_at"})
                if (!queue.at(time).is_null()) text += " " + queue.at(time).get<std::string>().substr(0, 19);
            text += "\n";
        }
        return text + std::to_string(status.at("stuck_count").get<int>());
    }
    static bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(cli_many_runs, Fixture, *boost::unit_test::precondition(has_postgres))

BOOST_AUTO_TEST_CASE(of_a_few_status_counts_what_the_views_count) {
    BOOST_TEST(of_status(json::parse(out({"status", "--json"}))) == "0");
    database.exec(
        "INSERT INTO dormouse.runs (queue, task, priority, status, attempts, run_at, started_at, worker, fence, "
        "lease_until) SELECT 'q' || n % 7, 't' || n % 5, n % 3 - 1, s.status, 1, "
        "date_trunc('second', now()) + (n % 400 - 200) * interval '1 minute', "
        "CASE s.status WHEN 'running' THEN now() END, CASE s.status WHEN 'running' THEN gen_random_uuid() END, "
        "CASE s.status WHEN 'running' THEN n END, CASE s.status WHEN 'running' THEN now() + (n % 2 * 2 - 1) * "
        "interval '1 hour' END FROM generate_series(1, 3000) n CROSS JOIN LATERAL (SELECT CASE WHEN n % 10 < 6 THEN "
        "'queued' WHEN n % 10 < 8 THEN 'retry' WHEN n % 10 < 9 THEN 'running' ELSE 'blocked' END) s (status)");
    const json status = json::parse(out({"status", "--json"}));
    BOOST_TEST(of_status(status) == of_the_view());
    for (const json& queue : status.at("queues")) BOOST_TEST(queue.at("at_least").empty(), queue.dump());
    BOOST_TEST(status.at("stuck").size() == 20);
    BOOST_TEST(status.at("more_stuck") == false);
    std::string stuck;
    for (const json& one : status.at("stuck"))
        stuck += (stuck.empty() ? "'" : ",'") + one.at("id").get<std::string>() + "'";
    BOOST_TEST(database.value("SELECT max(run_at) <= (SELECT min(run_at) FROM dormouse.stuck_runs WHERE id NOT IN (" +
                              stuck + ")) FROM dormouse.stuck_runs WHERE id IN (" + stuck + ")") == "t");
    database.exec("DELETE FROM dormouse.runs WHERE status IN ('queued', 'retry')");
    BOOST_TEST(of_status(json::parse(out({"status", "--json"}))) == of_the_view());
}

BOOST_AUTO_TEST_CASE(of_many_a_part_is_counted_and_status_and_metrics_say_so) {
    database.exec(
        "INSERT INTO dormouse.runs (queue, task, run_at) SELECT 'q' || n % 10, 't', now() - interval '1 hour' FROM "
        "generate_series(1, 60000) n; INSERT INTO dormouse.runs (queue, task, status, attempts, run_at) SELECT 'q1', "
        "'t', 'retry', 1, now() + interval '1 hour' FROM generate_series(1, 1100) n");
    const std::string text = out({"status"});
    for (const char* const part :
         {"q0     5000 or more  0      0        0", "q1     5000 or more  1100   0        1000 or more",
          "50000 or more runs: stuck", "and at least 49980 more"})
        BOOST_TEST(has(text, part), part << " is not in:\n" << text);
    const json status = json::parse(out({"status", "--json"}));
    BOOST_TEST(status.at("queues").at(1).at("at_least").dump() == R"(["due","retrying"])");
    BOOST_TEST(status.at("more_stuck") == true);
    BOOST_TEST(status.at("stuck").size() == 20);
    BOOST_TEST(has(out({"status", "--check"}), "due=50000 "));

    auto session = database.connect();
    const auto backlog = session.ask("backlog", sql::backlog, {"{q0,q1,q2,q3,q4,q5,q6,q7,q8,q9}", "{t}"});
    BOOST_TEST_REQUIRE(backlog.has_value(), (backlog ? "" : backlog.error().message));
    BOOST_TEST_REQUIRE(backlog->rows() == 10);
    for (int row = 0; row < 10; ++row) BOOST_TEST(backlog->integer(row, 1) == 5000);
}

BOOST_AUTO_TEST_CASE(what_a_queue_has_of_a_kind_is_said_however_much_of_it_another_has) {
    const auto add = [&](const std::string& queue, const std::string& status, int runs) {
        const std::string running =
            status == "running" ? "now(), gen_random_uuid(), n, now() + interval '1 hour'" : "NULL, NULL, NULL, NULL";
        database.exec(
            "INSERT INTO dormouse.runs (queue, task, status, attempts, run_at, started_at, worker, fence, "
            "lease_until) SELECT '" +
            queue + "', 't', '" + status + "', 1, now() + interval '1 hour', " + running + " FROM generate_series(1, " +
            std::to_string(runs) + ") n");
    };
    for (const char* const status : {"retry", "blocked", "running"}) {
        add("a", status, std::string(status) == "running" ? 10'000 : 5'000);
        add("b", status, 7);
    }
    database.exec("VACUUM ANALYZE dormouse.runs");
    const json queues = json::parse(out({"status", "--json"})).at("queues");
    BOOST_TEST_REQUIRE(queues.size() == 2U);
    BOOST_TEST(queues[0].at("at_least").dump() == R"(["running","retrying","blocked"])");
    BOOST_TEST(queues[1].at("at_least").empty(), queues[1].dump());
    for (const char* const kind : {"retrying", "blocked", "running"}) {
        BOOST_TEST(queues[0].at(kind) == (std::string(kind) == "running" ? 10'000 : 5'000), kind);
        BOOST_TEST(queues[1].at(kind) == 7, kind);
    }
}

BOOST_AUTO_TEST_CASE(of_more_than_1000_queues_the_others_are_not_looked_at) {
    database.exec("INSERT INTO dormouse.runs (queue, task) SELECT 'q' || n, 't' FROM generate_series(1, 1100) n");
    BOOST_TEST(has(out({"status"}), "more than 1,000 queues: the others were not looked at"));
    const json status = json::parse(out({"status", "--json"}));
    BOOST_TEST(status.at("queues").size() == 1000);
    BOOST_TEST(status.at("more_queues") == true);
    // of one that is known by what runs in it alone, it is not known what waits in it
    database.exec(
        "INSERT INTO dormouse.runs (queue, task, status, started_at, worker, fence, lease_until) SELECT 'z', 't', "
        "'running', now(), gen_random_uuid(), 1, now() + interval '1 hour'; INSERT INTO dormouse.runs (queue, task) "
        "SELECT 'z', 't' FROM generate_series(1, 3)");
    const json last = json::parse(out({"status", "--json"})).at("queues").back();
    BOOST_TEST(last.at("queue") == "z");
    BOOST_TEST(last.at("running") == 1);
    BOOST_TEST(last.at("at_least").dump() == R"(["due","put_off","retrying"])");
}

BOOST_AUTO_TEST_CASE(of_a_queue_with_very_many_priorities_and_tasks_the_first_are_looked_at) {
    database.exec("INSERT INTO dormouse.runs (queue, task) SELECT 'q', 't' || n FROM generate_series(1, 5100) n");
    const json queue = json::parse(out({"status", "--json"})).at("queues").at(0);
    BOOST_TEST(queue.at("due") == 5000);
    BOOST_TEST(queue.at("at_least").dump() == R"(["due","put_off"])");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace cli_many_runs
