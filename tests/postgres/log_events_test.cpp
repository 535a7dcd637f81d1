// The events that people search, count and alert on: each is said where it belongs, at its level, with its fields. That
// the names are those of ARCHITECTURE.md is what ./dev check events looks at; in the journal each is the field
// DORMOUSE_EVENT (system.recover.database).
#include <boost/test/unit_test.hpp>
#include <csignal>

#include "support/foreground_worker.h"
#include "support/logged_worker.h"

BOOST_AUTO_TEST_SUITE(log_events, *boost::unit_test::precondition(dormouse::testing::has_postgres))

using namespace dormouse;
using namespace dormouse::testing;

namespace {

constexpr const char* left = "SELECT count(*) FROM dormouse.runs WHERE status NOT IN ('completed', 'failed')";

/// The only one of that name and level that says all of these words; fails the test otherwise.
void says(const LoggedWorker& worker, const std::string& level, const std::string& name,
          const std::vector<std::string>& words) {
    std::size_t found = 0;
    for (const LoggedEvent& event : worker.all(name)) {
        bool fits = event.level == level;
        for (const std::string& word : words) fits = fits && (" " + event.text + " ").find(word) != std::string::npos;
        found += fits ? 1 : 0;
    }
    std::string wanted;
    for (const std::string& word : words) wanted += " [" + word + "]";
    BOOST_TEST(found == 1U, found << " times " << level << " " << name << ":" << wanted << " in\n" << worker.log());
}

/// As if another worker had claimed all runs meanwhile: this one is not told.
void another_claims(TestDatabase& database) {
    database.exec("SET LOCAL dormouse.session = 'worker'; UPDATE dormouse.runs_live SET fence = fence + 1000");
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_worker_says_its_start_its_runs_and_its_end) {
    TestDatabase database;
    const auto enqueue = [&](const std::string& task) { return database.value("SELECT dormouse.enqueue($1)", {task}); };
    const std::string good = enqueue("echo");
    const std::string bad = enqueue("fail");
    const std::string later = enqueue("later");
    const std::string unknown = enqueue("nobody_handles_this");
    LoggedWorker worker(database.url());
    BOOST_TEST_REQUIRE(eventually([&] { return database.value(left) == "1"; }));
    BOOST_TEST_REQUIRE(worker.until_said("run_completed", 2));
    worker.process().signal(SIGTERM);
    BOOST_TEST(worker.process().wait().exit_code == 0);
    BOOST_TEST(database.value("SELECT status FROM dormouse.runs WHERE id = $1", {unknown}) == "queued");

    says(worker, "info", "worker_pool_starting", {"dormouse", " pool=logged "});
    says(worker, "warning", "tasks_loaded", {"echo, fail, ghost, hold, later", "ghost", " pool=logged "});
    says(worker, "info", "listening", {"connected to"});
    says(worker, "info", "run_dispatched", {" run_id=" + good + " ", " task=echo ", " queue=default ", " attempt=1 "});
    says(worker, "info", "run_completed", {" run_id=" + good + " ", " task=echo ", " attempt=1 "});
    for (const char* const attempt : {" attempt=1 ", " attempt=2 "})
        says(worker, "info", "run_dispatched", {" run_id=" + bad + " ", " task=fail ", attempt});
    says(worker, "info", "run_retry",
         {" run_id=" + bad + " ", " task=fail ", " attempt=1 ", "exit 3", "the reason", "(retry, due in "});
    says(worker, "warning", "run_failed",
         {" run_id=" + bad + " ", " task=fail ", " attempt=2 ", "fail: exit: exit 3", "the reason"});
    says(worker, "info", "run_retry", {" run_id=" + later + " ", " task=later "});
    BOOST_TEST(worker.said("run_log").size() == 2U);
    BOOST_TEST(worker.said("run_log").front().text.find("the reason run_id=" + bad + " task=fail") == 0U);
    says(worker, "info", "worker_pool_signal_received", {"leaving: running handlers may finish"});
    says(worker, "info", "worker_pool_shutting_down", {"signal, 0 runs in flight"});
    says(worker, "info", "worker_pool_stopped", {"next due: none", " graceful=true ", " pool=logged "});
    for (const char* const never : {"database_lost", "database_back", "claim_failed", "idle_exit", "result_refused"})
        BOOST_TEST(worker.said(never).empty(), never);
}

BOOST_AUTO_TEST_CASE(a_worker_that_leaves_because_it_is_quiet_says_idle_exit) {
    TestDatabase database;
    LoggedWorker worker(database.url(), {.worker = "idle_exit = \"50ms\"\nlook_exit = \"50ms\""});
    BOOST_TEST(worker.process().wait().exit_code == 0);
    says(worker, "info", "idle_exit", {"found nothing to run"});
    says(worker, "info", "worker_pool_shutting_down", {"quiet"});
    says(worker, "info", "worker_pool_stopped", {" graceful=true "});
    BOOST_TEST(worker.said("worker_pool_signal_received").empty());
}

BOOST_AUTO_TEST_CASE(of_runs_that_were_fetched_ahead_and_given_back_it_says_nothing) {
    TestDatabase database;
    database.exec("SELECT dormouse.enqueue('echo', priority => 0) FROM generate_series(1, 300)");
    database.exec("SELECT dormouse.enqueue('hold', priority => 1)");
    database.exec("SELECT dormouse.enqueue('echo', priority => 2) FROM generate_series(1, 40)");
    LoggedWorker worker(database.url(), {.worker = "concurrency = 1"});
    const auto given_back = [&] {
        return database.value("SELECT count(*) > 0 FROM dormouse.attempts WHERE outcome = 'handed_back'") == "t";
    };
    BOOST_TEST_REQUIRE(eventually(given_back));
    worker.process().signal(SIGKILL);
    worker.process().wait();
    BOOST_TEST(worker.said("run_retry").empty());
}

/// A trigger that refuses to let runs be claimed.
std::string refusing(const std::string& for_each) {
    return "CREATE FUNCTION refuses() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not today'; END $$;"
           "CREATE TRIGGER refuses BEFORE UPDATE ON dormouse.runs_live FOR EACH " +
           for_each + " EXECUTE FUNCTION refuses();";
}

BOOST_AUTO_TEST_CASE(a_run_whose_claim_the_database_refuses_fails_by_itself_and_nothing_else_is_said) {
    TestDatabase database;
    const std::string id = database.value("SELECT dormouse.enqueue('echo')");
    database.exec(refusing("ROW"));
    LoggedWorker worker(database.url());
    BOOST_TEST_REQUIRE(worker.until_said("run_failed"));
    says(worker, "warning", "run_failed", {"trigger_refused", "not today", " run_id=" + id + " "});
    for (const char* const never : {"database_lost", "database_back", "claim_failed"})
        BOOST_TEST(worker.said(never).empty(), never);
}

BOOST_AUTO_TEST_CASE(a_database_that_lets_nothing_be_claimed_is_lost_until_it_does) {
    TestDatabase database;
    database.exec(refusing("STATEMENT") + "SELECT dormouse.enqueue('echo')");
    LoggedWorker worker(database.url());
    BOOST_TEST_REQUIRE(eventually([&] { return worker.all("claim_failed").size() >= 2; }));
    database.exec("DROP TRIGGER refuses ON dormouse.runs_live");
    BOOST_TEST(worker.until_said("run_completed"));
    says(worker, "warning", "claim_failed", {"not today", " kind=invalid "});  // again and again is for debug
    BOOST_TEST(worker.said("claim_failed").size() == 1U);
    BOOST_TEST(worker.said("database_lost").size() == 1U);
    BOOST_TEST(worker.said("database_back").size() == 1U);
    BOOST_TEST(worker.said("listening").size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_session_that_is_ended_is_a_database_lost_and_back) {
    TestDatabase database;
    LoggedWorker worker(database.url());
    BOOST_TEST_REQUIRE(worker.until_said("listening"));
    database.exec(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'dormouse worker%' AND "
        "datname = current_database()");
    BOOST_TEST_REQUIRE(worker.until_said("database_back"));
    says(worker, "warning", "database_lost", {"the session with the database was lost", " kind=disconnected "});
    says(worker, "info", "database_back", {"connected to"});
}

BOOST_AUTO_TEST_CASE(a_run_that_somebody_else_has_by_now_is_canceled_or_its_result_refused) {
    TestDatabase database;
    const std::string taken = database.value("SELECT dormouse.enqueue('hold')");
    LoggedWorker worker(database.url());
    BOOST_TEST_REQUIRE(eventually([&] { return worker.tasks().started().size() == 1; }));
    database.exec("UPDATE dormouse.runs SET status = 'completed'");
    BOOST_TEST_REQUIRE(worker.until_said("run_canceled"));
    says(worker, "info", "run_canceled", {" run_id=" + taken + " ", " task=hold "});

    const std::string given = database.value("SELECT dormouse.enqueue('hold')");
    BOOST_TEST_REQUIRE(eventually([&] { return worker.tasks().started().size() == 2; }));
    another_claims(database);
    worker.tasks().release();
    BOOST_TEST_REQUIRE(worker.until_said("result_refused"));
    says(worker, "warning", "result_refused", {" run_id=" + given + " ", " task=hold ", " attempt=1 "});
}

BOOST_AUTO_TEST_CASE(an_extension_of_what_somebody_else_has_by_now_is_said_to_be_refused) {
    TestDatabase database;
    const std::string given = database.value("SELECT dormouse.enqueue('hold')");
    LoggedWorker worker(database.url(), {.worker = "lease = \"2s\""});
    BOOST_TEST_REQUIRE(eventually([&] { return worker.tasks().started().size() == 1; }));
    another_claims(database);
    BOOST_TEST_REQUIRE(worker.until_said("extension_refused"));
    BOOST_TEST(worker.until_said("run_canceled"));
    says(worker, "warning", "extension_refused", {" run_id=" + given + " ", " task=hold "});
}

BOOST_AUTO_TEST_CASE(a_worker_that_must_leave_without_having_written_says_that_it_was_not_graceful) {
    Cluster cluster;
    TestDatabase database(TestDatabase::Schema::migrated, cluster);
    database.exec("SELECT dormouse.enqueue('hold')");
    LoggedWorker worker(database.url());
    BOOST_TEST_REQUIRE(eventually([&] { return worker.tasks().started().size() == 1; }));
    cluster.stop();
    worker.process().signal(SIGTERM);
    BOOST_TEST_REQUIRE(worker.until_said("worker_pool_signal_received"));
    worker.process().signal(SIGTERM);
    BOOST_TEST(worker.process().wait().exit_code == 1);
    says(worker, "info", "worker_pool_signal_received", {"the grace ends now"});
    says(worker, "error", "worker_pool_shutting_down", {"gave up"});
    says(worker, "error", "worker_pool_stopped", {"next due: unknown", " graceful=false ", " pool=logged "});
}

BOOST_AUTO_TEST_SUITE_END()
