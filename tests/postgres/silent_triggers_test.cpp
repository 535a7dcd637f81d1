// Triggers of somebody's that undo what was done and say nothing: no statement fails, and yet nothing has happened. It
// is not taken for done, it is said, and everybody else's work goes on.
#include <boost/test/unit_test.hpp>
#include <csignal>
#include <cstdlib>

#include "support/foreground_worker.h"
#include "support/logged_worker.h"

namespace silent_triggers {

using namespace dormouse;
using namespace dormouse::testing;

namespace {

struct Scene {
    TestDatabase database;

    /// A row trigger for task "victim" that does `body`.
    void trigger(const std::string& when, const std::string& condition, const std::string& body) {
        database.exec("CREATE FUNCTION undo() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN " + body +
                      " END $$; CREATE TRIGGER undo BEFORE " + when + " FOR EACH ROW WHEN (" + condition +
                      ") EXECUTE FUNCTION undo()");
    }
    std::string enqueue(const std::string& task) { return database.value("SELECT dormouse.enqueue('" + task + "')"); }
    std::string status(const std::string& id) {
        return database.value("SELECT status FROM dormouse.runs WHERE id = '" + id + "'");
    }
};

const char* const victim = "[task.victim]\ncommand = [\"/bin/true\"]\n";

}  // namespace

BOOST_FIXTURE_TEST_SUITE(silent_triggers, Scene, *boost::unit_test::precondition(has_postgres))

BOOST_AUTO_TEST_CASE(a_run_that_is_set_back_as_it_is_claimed_is_not_executed_and_is_named) {
    trigger("UPDATE ON dormouse.runs_live", "NEW.task = 'victim' AND NEW.status = 'running'", "RETURN OLD;");
    const std::string id = enqueue("victim");
    const std::string other = enqueue("echo");
    LoggedWorker worker(database.url(), {.rest = victim});
    BOOST_TEST_REQUIRE(worker.until_said("run_passed_over"));
    BOOST_TEST(worker.said("run_passed_over").at(0).text.find("set back") != std::string::npos);
    BOOST_TEST(worker.said("run_passed_over").at(0).text.find(id) != std::string::npos);
    BOOST_TEST(eventually([&] { return status(other) == "completed"; }));
    database.exec("DROP TRIGGER undo ON dormouse.runs_live");
    worker.process().signal(SIGTERM);
    BOOST_TEST(worker.process().wait().exit_code == 0);
    BOOST_TEST(worker.said("run_dispatched").size() <= 2U);
    BOOST_TEST(worker.said("run_passed_over").size() == 1U);
    BOOST_TEST(status(id) == "queued");
}

// Nobody knows its id: its row was locked for the claim, and then the update did not come to it.
BOOST_AUTO_TEST_CASE(who_leaves_a_due_run_that_no_look_brings_says_so) {
    trigger("UPDATE ON dormouse.runs_live", "NEW.task = 'victim' AND NEW.status = 'running'", "RETURN NULL;");
    const std::string id = enqueue("victim");
    LoggedWorker worker(database.url(), {.worker = "idle_exit = \"500ms\"", .rest = victim});
    BOOST_TEST_REQUIRE(worker.until_said("idle_exit"));
    const LoggedEvent left = worker.said("idle_exit").at(0);
    BOOST_TEST(left.level == "warning");
    BOOST_TEST(left.text.find("a due run cannot be claimed") != std::string::npos, left.text);
    BOOST_TEST(worker.process().wait().exit_code == 0);
    BOOST_TEST(status(id) == "queued");
}

BOOST_AUTO_TEST_CASE(a_run_whose_row_is_kept_out_when_it_has_ended_is_still_there_and_says_why) {
    trigger("INSERT ON dormouse.runs_finished", "NEW.task = 'victim'", "RETURN NULL;");
    const std::string id = enqueue("victim");
    const std::string other = enqueue("echo");
    LoggedWorker worker(database.url(), {.rest = victim});
    BOOST_TEST_REQUIRE(worker.until_said("run_retry"));
    BOOST_TEST(eventually([&] { return status(other) == "completed"; }));
    BOOST_TEST(status(id) == "retry");
    const std::string why = database.value("SELECT error ->> 'message' FROM dormouse.runs WHERE id = '" + id + "'");
    BOOST_TEST(why.find("keeps the run out of dormouse.runs_finished") != std::string::npos, why);
    BOOST_TEST(worker.said("result_refused").empty());
}

BOOST_AUTO_TEST_CASE(a_run_that_cannot_be_claimed_and_is_kept_out_as_failed_is_named) {
    trigger("UPDATE ON dormouse.runs_live", "NEW.task = 'victim' AND NEW.status = 'running'", "RAISE EXCEPTION 'no';");
    database.exec(
        "CREATE FUNCTION keep_out() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;"
        "CREATE TRIGGER keep_out BEFORE INSERT ON dormouse.runs_finished FOR EACH ROW WHEN (NEW.task = 'victim') "
        "EXECUTE FUNCTION keep_out()");
    const std::string id = enqueue("victim");
    LoggedWorker worker(database.url(), {.rest = victim});
    BOOST_TEST_REQUIRE(worker.until_said("run_passed_over"));
    BOOST_TEST(worker.said("run_passed_over").at(0).text.find(id) != std::string::npos);
    BOOST_TEST(status(id) == "queued");
}

BOOST_AUTO_TEST_CASE(a_key_that_is_never_kept_is_an_error_and_no_endless_loop) {
    database.exec(
        "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;"
        "CREATE TRIGGER nothing BEFORE INSERT ON dormouse.keys FOR EACH ROW EXECUTE FUNCTION nothing()");
    auto session = database.connect();
    BOOST_REQUIRE(session.script("", "SET statement_timeout = '20s'").has_value());
    const auto reply = session.ask("enqueue", "SELECT dormouse.enqueue('t', key => 'k')");
    BOOST_REQUIRE(!reply.has_value());
    BOOST_TEST(reply.error().message.find("can be neither taken nor read") != std::string::npos, reply.error().message);
}

BOOST_AUTO_TEST_CASE(when_it_cannot_be_asked_what_is_due_somebody_looks_all_the_same) {
    if (std::getenv("DORMOUSE_FULL") == nullptr) {
        BOOST_TEST_MESSAGE("skipped: it takes half a minute (DORMOUSE_FULL)");
        return;
    }
    database.exec(
        "ALTER TABLE dormouse.runs DROP CONSTRAINT running_has_lease_fence_worker_and_start;"
        "INSERT INTO dormouse.runs (task, status, fence, worker, started_at, lease_until) VALUES ('echo', "
        "'running', 1, "
        "gen_random_uuid(), now(), '294276-12-31 23:59:59+00')");
    LoggedWorker worker(database.url());
    BOOST_TEST_REQUIRE(worker.until_said("due_unknown"));
    const std::string later = database.value("SELECT dormouse.enqueue('echo', run_at => now() + interval '2 seconds')");
    bool done = false;
    for (int twenty_seconds = 0; twenty_seconds < 3 && !done; ++twenty_seconds)
        done = eventually([&] { return status(later) == "completed"; });
    BOOST_TEST(done);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace silent_triggers
