// The text of metrics: what Prometheus reads, and what the next worker reads back of it.
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include "metrics/exposition.h"
#include "metrics/tally.h"
#include "support/paths.h"
#include "support/process.h"

BOOST_AUTO_TEST_SUITE(metrics_text)

using namespace dormouse;
using namespace dormouse::metrics;
using namespace dormouse::testing;

namespace {

constexpr double noon = 1'800'000'000.5;

Tally busy_pool() {
    Tally tally("mail");
    tally.expect(4, {"send", "fe\"t\\ch\n"});
    tally.add(Metric::runs_completed, 3, "send");
    tally.add(Metric::runs_failed, 1, "fe\"t\\ch\n");
    tally.add(Metric::runs_lost, 2);
    tally.add(Metric::session_seconds, 12.25);
    tally.observe(Metric::run_duration, Millis{5}, "send");
    tally.observe(Metric::run_duration, Millis{6}, "send");
    tally.observe(Metric::run_duration, std::chrono::hours{9}, "send");
    tally.set(Metric::runs_queued, 7, "default");
    tally.set(Metric::oldest_due_age, 300.5, "default");
    return tally;
}

bool has_line(const std::string& text, const std::string& line) {
    return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

std::string trouble(const std::string& text) {
    const auto read = read_exposition(text, "mail");
    return read ? "" : read.error().message;
}

}  // namespace

BOOST_AUTO_TEST_CASE(each_family_has_help_and_type_once_and_its_samples_behind_it) {
    const std::string text = exposition(busy_pool(), noon);
    std::set<std::string> told;
    std::istringstream lines(text);
    std::string current;
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        std::string hash;
        std::string kind;
        std::string name;
        if (line.starts_with("# HELP ")) {
            words >> hash >> kind >> current;
            BOOST_TEST(told.insert(current).second, current);
        } else if (!line.starts_with("#")) {
            BOOST_TEST(line.starts_with(current), line);
            BOOST_TEST(
                std::regex_search(line, std::regex(R"(^[a-z_]+\{pool="mail"[^ ]*\} [-+0-9.e]+$|^dormouse_runs.*fe)")),
                line);
        }
    }
    BOOST_TEST(has_line(text, "# TYPE dormouse_runs_completed_total counter"));
    BOOST_TEST(has_line(text, "dormouse_runs_completed_total{pool=\"mail\",task=\"send\"} 3"));
    BOOST_TEST(has_line(text, R"(dormouse_runs_failed_total{pool="mail",task="fe\"t\\ch\n"} 1)"));
    BOOST_TEST(has_line(text, "dormouse_snapshot_timestamp_seconds{pool=\"mail\"} 1800000000.5"));
    BOOST_TEST(has_line(text, "dormouse_claims_total{pool=\"mail\"} 0"));
}

BOOST_AUTO_TEST_CASE(buckets_are_cumulative_and_a_bound_belongs_to_its_bucket) {
    const std::string text = exposition(busy_pool(), noon);
    const std::string bucket = "dormouse_run_duration_seconds_bucket{pool=\"mail\",task=\"send\",le=\"";
    BOOST_TEST(has_line(text, bucket + "0.005\"} 1"));
    BOOST_TEST(has_line(text, bucket + "0.025\"} 2"));
    BOOST_TEST(has_line(text, bucket + "14400\"} 2"));
    BOOST_TEST(has_line(text, bucket + "+Inf\"} 3"));
    BOOST_TEST(has_line(text, "dormouse_run_duration_seconds_count{pool=\"mail\",task=\"send\"} 3"));
}

BOOST_AUTO_TEST_CASE(old_runbooks_find_their_four_names) {
    const std::string text = exposition(busy_pool(), noon);
    BOOST_TEST(has_line(text, "nova_worker_pool_size{pool=\"mail\"} 4"));
    BOOST_TEST(has_line(text, "nova_runs_queued{pool=\"mail\"} 7"));
    BOOST_TEST(has_line(text, "nova_run_duration_seconds_count{pool=\"mail\"} 3"));
    BOOST_TEST(has_line(text, "nova_worker_errors_total{pool=\"mail\"} 3"));
}

BOOST_AUTO_TEST_CASE(totals_go_on_from_what_was_written_and_gauges_do_not) {
    const std::string before = exposition(busy_pool(), noon);
    const auto left = read_exposition(before, "mail");
    BOOST_TEST_REQUIRE(left.has_value());
    Tally next("mail");
    next.expect(4, {"send"});
    next.add(Metric::runs_completed, 1, "send");
    next.observe(Metric::run_duration, Millis{1}, "send");
    next.go_on_from(*left);
    const std::string text = exposition(next, noon + 60);
    BOOST_TEST(has_line(text, "dormouse_runs_completed_total{pool=\"mail\",task=\"send\"} 4"));
    BOOST_TEST(has_line(text, R"(dormouse_runs_failed_total{pool="mail",task="fe\"t\\ch\n"} 1)"));
    BOOST_TEST(has_line(text, "dormouse_database_session_seconds_total{pool=\"mail\"} 12.25"));
    BOOST_TEST(has_line(text, "dormouse_run_duration_seconds_count{pool=\"mail\",task=\"send\"} 4"));
    BOOST_TEST(has_line(text, "dormouse_run_duration_seconds_bucket{pool=\"mail\",task=\"send\",le=\"0.005\"} 2"));
    BOOST_TEST(text.find("dormouse_runs_queued{") == std::string::npos);
    Tally again("mail");
    again.go_on_from(*read_exposition(text, "mail"));
    BOOST_TEST(again.total(Metric::runs_completed) == 4);
}

BOOST_AUTO_TEST_CASE(what_no_worker_of_the_pool_has_written_is_refused_with_its_line) {
    const std::string good = "dormouse_claims_total{pool=\"mail\"} 1\n";
    BOOST_TEST(trouble(good).empty());
    BOOST_TEST(trouble("").empty());
    BOOST_TEST(trouble("# whatever\n" + good).empty());
    BOOST_TEST(trouble("another_total{pool=\"mail\"} -5\n").empty());  // of another version
    for (const std::string bad :
         {"x", "dormouse_claims_total 1", "dormouse_claims_total{pool=\"mail\"} NaN",
          "dormouse_claims_total{pool=\"mail\"} -1", "dormouse_claims_total{pool=\"mail\"} +Inf",
          "dormouse_claims_total{pool=\"mail\"} 1e300", "dormouse_claims_total{pool=\"mail\"} 1 2",
          "dormouse_claims_total{pool=\"mail} 1", "dormouse_claims_total{pool=\"mail\\",
          "dormouse_claims_total{pool=\"mail\",pool=\"mail\"} 1", "dormouse_claims_total{pool=\"other\"} 1",
          "dormouse_claims_total{} 1", "{} 1", "\x01\xff",
          R"(dormouse_run_wait_seconds_bucket{pool="mail",task="t",le="x"} 1)",
          R"(dormouse_run_wait_seconds_bucket{pool="mail",task="t",le="1"} 1.5)"})
        BOOST_TEST(trouble(good + bad + "\n").starts_with("line 2: "), bad);
    BOOST_TEST(trouble(good + R"(dormouse_run_wait_seconds_bucket{pool="mail",task="t",le="1"} 5)" + "\n" +
                       R"(dormouse_run_wait_seconds_bucket{pool="mail",task="t",le="5"} 4)" + "\n")
                   .starts_with("line 3: "));
    BOOST_TEST(trouble("dormouse_claims_total{pool=\"mail\"} 1") == "its last line is cut off");
}

BOOST_AUTO_TEST_CASE(the_number_of_series_is_bounded_whatever_the_names_are) {
    Tally tally("mail");
    for (int i = 0; i < 2'000; ++i) {
        tally.add(Metric::runs_failed, 1, "task" + std::to_string(i));
        tally.observe(Metric::run_wait, Millis{1}, "task" + std::to_string(i));
    }
    BOOST_TEST(tally.values(Metric::runs_failed).size() <= Tally::most_labels + 1);
    BOOST_TEST(tally.histograms(Metric::run_wait).size() <= Tally::most_labels + 1);
    BOOST_TEST(tally.total(Metric::runs_failed) == 2'000);
}

BOOST_AUTO_TEST_CASE(sessions_count_by_time_and_statements_go_on_when_a_session_is_opened_anew) {
    Tally tally("mail");
    const auto start = BootClock::now();
    using std::chrono::seconds;
    Sessions told;
    tally.sessions(told, start, {true, false}, {5, 0});
    tally.sessions(told, start + seconds{10}, {true, true}, {9, 4});
    tally.sessions(told, start + seconds{20}, {false, false}, {9, 4});
    tally.sessions(told, start + seconds{3'600}, {true, false}, {3, 0});
    BOOST_TEST(tally.total(Metric::session_seconds) == 30, boost::test_tools::tolerance(1e-9));
    BOOST_TEST(tally.total(Metric::statements) == 16);
}

BOOST_AUTO_TEST_CASE(the_table_of_metrics_in_the_documentation_is_that_of_the_program) {
    std::ostringstream page;
    page << std::ifstream(std::string(source_directory) + "/docs/metrics.md").rdbuf();
    std::string table;
    for (const Family& family : families())
        table += "| `" + std::string(family.name) + "` | " +
                 (family.kind == MetricKind::gauge     ? "gauge"
                  : family.kind == MetricKind::counter ? "counter"
                                                       : "histogram") +
                 " | " + (family.label.empty() ? "" : "`" + std::string(family.label) + "`") + " | " +
                 std::string(family.help) + " |\n";
    BOOST_TEST((page.str().find(table) != std::string::npos), "docs/metrics.md has to have this table:\n" << table);
}

BOOST_AUTO_TEST_SUITE_END()
