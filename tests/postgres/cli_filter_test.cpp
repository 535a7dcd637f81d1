// Operations on many: what a filter may name, what is shown before, how runs are spread over time, and what is kept of
// who did it.
#include <boost/test/unit_test.hpp>
#include <csignal>
#include <nlohmann/json.hpp>

#include "support/foreground_worker.h"
#include "support/paths.h"
#include "support/process.h"

namespace cli_filter {

using namespace dormouse;
using namespace dormouse::testing;
using nlohmann::json;

namespace {

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

struct Fixture {
    TestDatabase database;
    TemporaryDirectory directory;
    std::string by_sudo = "root";

    Program program(std::vector<std::string> arguments) {
        return cli_program(std::move(arguments), {{"DATABASE_URL", database.url("postgres")},
                                                  {"SUDO_USER", by_sudo},
                                                  {"DORMOUSE_CONFIG_DIR", directory.path()},
                                                  {"DORMOUSE_PATHS_RUNTIME_DIRECTORY", directory.path()}});
    }
    Ended cli(std::vector<std::string> arguments) { return run(program(std::move(arguments))); }
    std::string out(std::vector<std::string> arguments) {
        const Ended ended = cli(std::move(arguments));
        BOOST_TEST(ended.exit_code == 0, ended.err);
        return ended.out;
    }
    std::int64_t matching(std::vector<std::string> arguments) {
        arguments.insert(arguments.end(), {"--dry-run", "--json"});
        return json::parse(out(std::move(arguments))).at("matching");
    }
    std::string failed(const std::string& message, const std::string& more = "") {
        return database.value("INSERT INTO dormouse.runs (task, status, finished_at, error" +
                              std::string(more.empty() ? "" : ", key") +
                              ") VALUES ('t', 'failed', now(), jsonb_build_object('class', 'ValueError', 'message', '" +
                              message + "')" + (more.empty() ? "" : ", '" + more + "'") + ") RETURNING id");
    }
    std::string count(const std::string& what) {
        return database.value("SELECT count(*) FROM dormouse.runs WHERE " + what);
    }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(cli_filter, Fixture, *boost::unit_test::precondition(has_postgres))

BOOST_AUTO_TEST_CASE(a_filter_names_an_error_a_key_or_several_statuses) {
    failed("connect ECONNREFUSED 10.0.0.1");
    failed("connect ECONNREFUSED 10.0.0.2", "order-1");
    failed("100%_ of it");
    database.exec("SELECT dormouse.enqueue('t'); SELECT dormouse.enqueue('t', run_at => 'infinity', key => 'order-2')");
    BOOST_TEST(matching({"retry", "--error", "ECONNREFUSED"}) == 2);
    BOOST_TEST(matching({"retry", "--error", "ValueError: 100%_"}) == 1);
    BOOST_TEST(matching({"retry", "--error", "100%x"}) == 0);  // no pattern
    BOOST_TEST(matching({"retry", "--error", "econnrefused"}) == 0);
    BOOST_TEST(matching({"retry", "--key", "order-1"}) == 1);
    BOOST_TEST(matching({"cancel", "--key", "order-2"}) == 1);
    BOOST_TEST(matching({"archive", "--status", "failed,queued"}) == 5);
    BOOST_TEST(cli({"retry", "--status", "failed,quued"}).exit_code == 2);
    BOOST_TEST(cli({"retry", "--status", "failed,"}).exit_code == 2);
    BOOST_TEST(cli({"retry", "--status", "failed,running"}).exit_code == 2);
    BOOST_TEST(cli({"cancel", "--worker", "me"}).exit_code == 2);
    out({"retry", "--error", "ECONNREFUSED", "--yes"});
    BOOST_TEST(count("status = 'failed'") == "1");
    out({"archive", "--status", "failed,queued", "--yes"});
    BOOST_TEST(count("archived_at IS NULL") == "0");
    BOOST_TEST(count("status = 'canceled'") == "4");
}

BOOST_AUTO_TEST_CASE(a_filter_names_the_worker_that_has_them_or_had_them_last) {
    ForegroundWorker worker(database);
    const std::string held = worker.hold();
    const std::string done = database.value("SELECT dormouse.enqueue('fail')");
    BOOST_TEST_REQUIRE(eventually([&] { return count("status = 'failed'") == "1"; }));
    database.exec("INSERT INTO dormouse.runs (task, status, finished_at) VALUES ('fail', 'failed', now())");
    const std::string id = database.value("SELECT id FROM dormouse.worker_registry");
    BOOST_TEST(matching({"retry", "--worker", id}) == 1);
    out({"cancel", "--worker", id, "--yes"});
    BOOST_TEST(database.value("SELECT status FROM dormouse.runs WHERE id = '" + held + "'") == "canceled");
}

BOOST_AUTO_TEST_CASE(what_is_meant_is_shown_before_with_some_of_it) {
    for (int run = 0; run < 7; ++run) failed("no such file");
    const json document = json::parse(out({"retry", "--status", "failed", "--dry-run", "--json"}));
    BOOST_TEST(document.at("matching") == 7);
    BOOST_TEST(document.at("more") == false);
    BOOST_TEST(document.at("samples").size() == 5U);
    BOOST_TEST(document.at("samples").at(0).at("error") == "ValueError: no such file");
    const std::string text = out({"retry", "--status", "failed", "--dry-run"});
    BOOST_TEST(has(text, "AMONG THEM"), text);
    BOOST_TEST(has(text, document.at("samples").at(0).at("id").get<std::string>()), text);
    BOOST_TEST(has(text, "ValueError: no such file"), text);
}

BOOST_AUTO_TEST_CASE(more_than_can_be_counted_is_said_and_done_all_the_same) {
    database.exec(
        "INSERT INTO dormouse.runs (task, run_at) SELECT 't', 'infinity' FROM generate_series(1, 100100); ANALYZE "
        "dormouse.runs");
    const std::string text = out({"cancel", "--task", "t", "--dry-run"});
    BOOST_TEST(has(text, "would cancel all of them, 100000 or more"), text);
    const json document = json::parse(out({"cancel", "--task", "t", "--limit", "300", "--yes", "--json"}));
    BOOST_TEST(document.at("more") == true);
    BOOST_TEST(document.at("changed") == 300);
}

BOOST_AUTO_TEST_CASE(runs_that_are_started_again_may_be_spread_over_time) {
    for (int run = 0; run < 450; ++run) failed("busy");  // three portions
    const std::string text = out({"retry", "--status", "failed", "--per-minute", "60", "--dry-run"});
    BOOST_TEST(has(text, "would retry 450 runs, 60 a minute"), text);
    out({"retry", "--status", "failed", "--per-minute", "60", "--yes"});
    BOOST_TEST(count("status = 'queued'") == "450");
    BOOST_TEST(database.value("SELECT round(extract(epoch FROM max(run_at) - min(run_at))) FROM dormouse.runs") ==
               "449");
    BOOST_TEST(count("run_at <= now()") != "450");
    BOOST_TEST(
        database.value("SELECT bool_and(step = 1) FROM (SELECT round(extract(epoch FROM run_at - lag(run_at) OVER "
                       "(ORDER BY run_at))) AS step FROM dormouse.runs) s") == "t");
    BOOST_TEST(cli({"retry", "01234567-89ab", "--per-minute", "3"}).exit_code == 2);
    BOOST_TEST(cli({"cancel", "--task", "t", "--per-minute", "3"}).exit_code != 0);
}

BOOST_AUTO_TEST_CASE(an_interrupt_ends_it_between_portions_and_says_what_was_done) {
    database.exec(
        "INSERT INTO dormouse.runs (task, run_at) SELECT 't', 'infinity' FROM generate_series(1, 20000);"
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.05); RETURN NULL; END "
        "$$; CREATE TRIGGER slow AFTER UPDATE ON dormouse.runs FOR EACH STATEMENT EXECUTE FUNCTION slow()");
    Process process(program({"cancel", "--task", "t", "--yes"}));
    BOOST_TEST_REQUIRE(eventually([&] { return count("status = 'canceled'") != "0"; }));
    process.signal(SIGINT);
    const Ended ended = process.wait();
    BOOST_TEST(ended.exit_code == 2);
    BOOST_TEST(has(ended.err, "stopped; "), ended.err);
    BOOST_TEST(has(ended.err, count("status = 'canceled'") + " runs were canceled before that"), ended.err);
    BOOST_TEST(count("status = 'queued'") != "0");
}

BOOST_AUTO_TEST_CASE(a_portion_is_smaller_where_a_run_takes_long) {
    database.exec(
        "INSERT INTO dormouse.runs (task, run_at) SELECT 't', 'infinity' FROM generate_series(1, 300);"
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.002); RETURN NEW; END "
        "$$; CREATE TRIGGER slow BEFORE UPDATE ON dormouse.runs_live FOR EACH ROW EXECUTE FUNCTION slow()");
    out({"cancel", "--task", "t", "--yes"});
    BOOST_TEST(count("status = 'canceled'") == "300");
    BOOST_TEST(database.value("SELECT count(DISTINCT xmin::text) FROM dormouse.runs_finished") == "5");  // 100, 50, ...
    database.exec(
        "DROP TRIGGER slow ON dormouse.runs_live; INSERT INTO dormouse.runs (task) SELECT 'u' FROM "
        "generate_series(1, 300)");
    BOOST_TEST(database.value("SELECT changed FROM dormouse.cancel_runs(task => 'u')") == "200");
}

BOOST_AUTO_TEST_CASE(who_did_what_is_kept) {
    BOOST_TEST(has(out({"history"}), "nothing was canceled"));
    for (int run = 0; run < 401; ++run) failed("busy");
    const std::string one = failed("alone", "k");
    out({"retry", one});
    out({"retry", "--error", "busy", "--yes"});
    by_sudo = "anna";
    out({"cancel", one, "--reason", "wrong file"});
    by_sudo = "an\u00fcna(";
    out({"cancel", one});  // changes nothing
    const std::string text = out({"history", "--json"});
    std::vector<json> lines;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) lines.push_back(json::parse(line));
    BOOST_TEST_REQUIRE(lines.size() == 3U);
    BOOST_TEST(lines[0].at("operation") == "cancel");
    BOOST_TEST(lines[0].at("run") == one);
    BOOST_TEST(lines[0].at("reason") == "wrong file");
    BOOST_TEST(lines[0].at("who") == "postgres (anna)");
    BOOST_TEST(lines[1].at("who") == "postgres");
    BOOST_TEST(database.value("SELECT error ->> 'message' FROM dormouse.runs WHERE id = $1", {one}) ==
               "canceled by postgres (anna): wrong file");
    BOOST_TEST(database.value("SELECT dormouse.who() FROM set_config('dormouse.person', E'b) (\nob', false)") ==
               "postgres (b? ??ob)");
    BOOST_TEST(lines[1].at("filter").at("error") == "busy");
    BOOST_TEST(lines[1].at("runs") == 401);
    BOOST_TEST(lines[2].at("operation") == "retry");
    const std::string of_one = out({"history", one.substr(0, 30)});
    BOOST_TEST(has(of_one, "wrong file"), of_one);
    const auto filter = of_one.find("with a filter, while the run was there; it may have been among them:");
    BOOST_TEST_REQUIRE(filter != std::string::npos, of_one);
    BOOST_TEST(of_one.find("401") > filter, of_one);
    const std::string last = out({"history", one, "--json"});
    const json maybe = json::parse(last.substr(last.rfind('\n', last.size() - 2) + 1));
    BOOST_TEST(maybe.at("maybe") == true);
    BOOST_TEST(maybe.at("filter").at("error") == "busy");
    BOOST_TEST(!lines[1].contains("maybe"));
    const std::string later = failed("busy");  // it was not there yet
    BOOST_TEST(has(out({"history", later}), "this run was not canceled, retried or archived by its id"));
    BOOST_TEST(!has(out({"history", later}), "with a filter"));
    out({"retry", "--task", "another", "--status", "failed", "--yes"});
    BOOST_TEST(!has(out({"history", later}), "with a filter"));
    out({"archive", "--status", "failed", "--yes"});
    BOOST_TEST(has(out({"history", later}), "with a filter"));
    BOOST_TEST(has(out({"history"}), "error busy"));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace cli_filter
