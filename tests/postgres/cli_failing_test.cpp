// Which tasks fail, as `dormouse status` tells it.
#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "support/cluster.h"
#include "support/process.h"

namespace cli_failing {

using namespace dormouse::testing;
using nlohmann::json;

struct Fixture {
    TestDatabase database;

    json failing() {
        const Ended ended = run(cli_program({"status", "--json"}, {{"DATABASE_URL", database.url()}}));
        BOOST_TEST((ended.exit_code == 0 || ended.exit_code == 13), ended.err);
        return json::parse(ended.out).at("failing");
    }
    /// A run of the task that has failed for good.
    void failed(const std::string& task, const std::string& message, const std::string& when = "now()") {
        database.exec("INSERT INTO dormouse.runs (task, status, started_at, finished_at, error) VALUES ('" + task +
                      "', 'failed', " + when + ", " + when + ", jsonb_build_object('class', 'error', 'message', '" +
                      message + "'))");
    }
};

}  // namespace cli_failing

BOOST_FIXTURE_TEST_SUITE(cli_failing, Fixture, *boost::unit_test::precondition(has_postgres))

BOOST_AUTO_TEST_CASE(failures_of_an_hour_and_a_day_are_counted_and_the_newest_error_is_shown) {
    BOOST_TEST(failing().empty());
    failed("mail", "first", "now() - '2 hours'::interval");
    failed("mail", "second", "now() - '1 minute'::interval");
    failed("old", "long ago", "now() - '2 days'::interval");
    const json seen = failing();
    BOOST_REQUIRE(seen.size() == 1U);
    BOOST_TEST(seen.at(0).at("task") == "mail");
    BOOST_TEST(seen.at(0).at("failed_last_hour") == 1);
    BOOST_TEST(seen.at(0).at("failed_last_day") == 2);
    BOOST_TEST(seen.at(0).at("retrying") == 0);
    BOOST_TEST(seen.at(0).at("error") == "second");
}

BOOST_AUTO_TEST_CASE(what_waits_for_another_attempt_is_counted_by_task) {
    database.exec(
        "INSERT INTO dormouse.runs (task, status, error) "
        "SELECT CASE WHEN n <= 3 THEN 'a' ELSE 'b' END, 'retry', jsonb_build_object('class', 'spawn', 'message', 'no ' "
        "|| n) "
        "FROM generate_series(1, 5) n; "
        "INSERT INTO dormouse.runs (task) SELECT 'fine' FROM generate_series(1, 100)");
    failed("b", "for good");
    const json seen = failing();
    BOOST_REQUIRE(seen.size() == 2U);
    BOOST_TEST(seen.at(0).at("task") == "b");  // it has failed within the hour
    BOOST_TEST(seen.at(0).at("retrying") == 2);
    BOOST_TEST(seen.at(0).at("failed_last_hour") == 1);
    BOOST_TEST(seen.at(0).at("error_class") == "spawn");  // of what can still be mended
    BOOST_TEST(seen.at(1).at("task") == "a");
    BOOST_TEST(seen.at(1).at("retrying") == 3);
}

BOOST_AUTO_TEST_SUITE_END()
