// What a claim costs does not depend on how much else lies there: buffers, counted by Postgres, behind few and behind
// many rows. The plans: plans_test.cpp.
// `./dev bench claims` is the long form.
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "sql/embedded.h"
#include "support/cluster.h"

namespace claim_cost {

using namespace dormouse;
using namespace dormouse::testing;

namespace {

constexpr int few = 5'000;
constexpr int many = 60'000;
constexpr const char* one_task = "'{t}', '{1000000}', '{}'";

struct Fixture {
    TestDatabase database;
    postgres::BlockingConnection session = database.connect();

    Fixture() {
        database.exec("ALTER TABLE dormouse.runs_live SET (autovacuum_enabled = off)");
        const auto opened = session.ask("open", sql::open_session, {std::to_string(PQbackendPID(session.get()))});
        BOOST_TEST_REQUIRE(opened.has_value());
        BOOST_TEST_REQUIRE(session.script("prepare", std::string("PREPARE claim AS ") + sql::claim).has_value());
    }
    /// Runs that are due, evenly over queues and priorities.
    void fill(int rows, int queues = 1, int priorities = 1) {
        const std::string q = std::to_string(queues);
        database.exec(
            "TRUNCATE dormouse.runs; INSERT INTO dormouse.runs (task, queue, priority, run_at) SELECT 't', 'q' || n "
            "% " +
            q + ", n / " + q + " % " + std::to_string(priorities) +
            ", now() - interval '1 hour' + n::bigint * 7919 % 100003 * interval '1 ms' FROM generate_series(1, " +
            std::to_string(rows) + ") n");
        database.exec("VACUUM (ANALYZE) dormouse.runs");
    }
    /// Buffers of a claim of 8 runs, which is rolled back; the least of several, since the first ones fill the
    /// session's caches.
    std::int64_t buffers(const std::string& queues = "q0", const std::string& tasks = one_task) {
        std::int64_t least = INT64_MAX;
        for (int i = 0; i < 4; ++i) {
            BOOST_REQUIRE(session.script("", "BEGIN").has_value());
            const auto reply =
                session.ask("", "EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) EXECUTE claim('{" + queues +
                                    "}', 8, '00000000-0000-4000-8000-000000000001', 300000, 1000000, " + tasks + ")");
            BOOST_TEST_REQUIRE(reply.has_value(), (reply ? "" : reply.error().message));
            const std::string text(reply->text(0, 0));
            const auto plan = nlohmann::json::parse(text).at(0).at("Plan");
            BOOST_TEST_REQUIRE(plan.at("Actual Rows").get<int>() == 8);
            least = std::min(least, plan.at("Shared Hit Blocks").get<std::int64_t>() +
                                        plan.at("Shared Read Blocks").get<std::int64_t>());
            BOOST_REQUIRE(session.script("", "ROLLBACK").has_value());
            database.exec("VACUUM dormouse.runs_live");
        }
        return least;
    }
    static std::string names(int queues) {
        std::string all;
        for (int n = 0; n < queues; ++n) all += (n == 0 ? "q" : ",q") + std::to_string(n);
        return all;
    }
    static void compare(std::int64_t small, std::int64_t large, double most) {
        BOOST_TEST_MESSAGE("buffers of a claim of 8 runs: " << small << " behind few, " << large << " behind many");
        BOOST_TEST(static_cast<double>(large) <= most * static_cast<double>(small));
    }
};

}  // namespace

}  // namespace claim_cost

BOOST_FIXTURE_TEST_SUITE(claim_cost, Fixture, *boost::unit_test::precondition(has_postgres))

BOOST_AUTO_TEST_CASE(behind_many_runs_that_are_due) {
    fill(few);
    const auto small = buffers();
    fill(many);
    compare(small, buffers(), 1.1);
}

BOOST_AUTO_TEST_CASE(behind_many_that_have_finished) {
    fill(few);
    const auto small = buffers();
    database.exec(
        "INSERT INTO dormouse.runs (task, queue, status, finished_at) SELECT 't', 'q0', 'completed', now() FROM "
        "generate_series(1, " +
        std::to_string(many) + ")");
    compare(small, buffers(), 1.1);
}

BOOST_AUTO_TEST_CASE(behind_many_that_are_not_due_yet) {
    fill(few);
    const auto small = buffers();
    database.exec(
        "INSERT INTO dormouse.runs (task, queue, run_at) SELECT 't', 'q0', now() + n * interval '1 s' FROM "
        "generate_series(1, " +
        std::to_string(many) + ") n");
    database.exec("VACUUM dormouse.runs_live");
    compare(small, buffers(), 1.1);
}

BOOST_AUTO_TEST_CASE(behind_many_of_a_queue_that_is_not_served) {
    fill(few);
    const auto small = buffers();
    database.exec(
        "INSERT INTO dormouse.runs (task, queue, priority, run_at) SELECT 't', 'p', -9, now() - interval '1 day' FROM "
        "generate_series(1, " +
        std::to_string(many) + ")");
    database.exec("VACUUM dormouse.runs_live");
    compare(small, buffers(), 1.1);
}

BOOST_AUTO_TEST_CASE(with_many_priorities) {
    fill(few, 1, 101);
    const auto small = buffers();
    fill(many, 1, 101);
    compare(small, buffers(), 1.35);  // the index is one level deeper, for each of the descents
}

BOOST_AUTO_TEST_CASE(with_a_thousand_queues) {
    const std::string queues = names(1'000);
    fill(few, 1'000);
    const auto small = buffers(queues);
    fill(many, 1'000);
    compare(small, buffers(queues), 1.2);
}

BOOST_AUTO_TEST_CASE(with_a_thousand_queues_and_ten_priorities_half_not_due_behind_many_that_are_not_served) {
    const std::string queues = names(1'000);
    const auto claim_among = [&](int rows) {
        fill(rows, 1'000, 10);
        database.exec(
            "UPDATE dormouse.runs SET run_at = now() + interval '1 day' WHERE id > (SELECT id FROM "
            "dormouse.runs ORDER BY id OFFSET " +
            std::to_string(rows / 2) + " LIMIT 1)");
        database.exec(
            "INSERT INTO dormouse.runs (task, queue, priority, run_at) SELECT 't', 'a', -9, now() - interval '1 day' "
            "FROM generate_series(1, " +
            std::to_string(many) + ")");
        database.exec("VACUUM (ANALYZE) dormouse.runs_live");
        return buffers(queues);
    };
    const auto small = claim_among(few);
    compare(small, claim_among(many), 1.2);
}

BOOST_AUTO_TEST_CASE(behind_many_of_tasks_that_are_not_known) {
    fill(few);
    const auto small = buffers();
    database.exec(
        "INSERT INTO dormouse.runs (task, queue, priority, run_at) SELECT CASE n % 3 WHEN 0 THEN 'a' WHEN 1 THEN 'z' "
        "ELSE 's' || n END, 'q0', -n % 7, now() - interval '1 day' FROM generate_series(1, " +
        std::to_string(many) + ") n");
    database.exec("VACUUM (ANALYZE) dormouse.runs_live");
    compare(small, buffers(), 1.2);
}

BOOST_AUTO_TEST_CASE(behind_many_of_a_task_without_a_free_slot) {
    fill(few);
    const auto small = buffers("q0", "'{t,full}', '{1000000,0}', '{}'");
    database.exec(
        "INSERT INTO dormouse.runs (task, queue, run_at) SELECT 'full', 'q0', now() - interval '1 day' FROM "
        "generate_series(1, " +
        std::to_string(many) + ") n");
    database.exec("VACUUM (ANALYZE) dormouse.runs_live");
    compare(small, buffers("q0", "'{t,full}', '{1000000,0}', '{}'"), 1.2);
}

BOOST_AUTO_TEST_CASE(with_two_thousand_tasks_known_of_which_one_waits) {
    fill(few);
    const auto small = buffers();
    std::string tasks = "t", slots = "9";
    for (int n = 1; n < 2000; ++n) {
        tasks += ",t" + std::to_string(n);
        slots += ",9";
    }
    compare(small, buffers("q0", "'{" + tasks + "}', '{" + slots + "}', '{}'"), 1.1);
}

BOOST_AUTO_TEST_SUITE_END()
