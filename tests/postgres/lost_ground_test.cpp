// What is gone from under every run: a partition, the sequence of the fences, a statement that a rule of somebody's
// rewrites, a row that a trigger does not let go. No run pays for it: what was completed is kept and written when it is
// mended, nothing is executed again, and the log says what to type.
#include <boost/test/unit_test.hpp>
#include <csignal>

#include "support/foreground_worker.h"
#include "support/logged_worker.h"

namespace lost_ground {

using namespace dormouse;
using namespace dormouse::testing;

namespace {

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

struct Scene {
    TestDatabase database;

    std::string enqueue(const std::string& task) { return database.value("SELECT dormouse.enqueue('" + task + "')"); }
    std::string status(const std::string& id) {
        return database.value("SELECT status FROM dormouse.runs WHERE id = '" + id + "'");
    }
    bool completes(const std::string& id) {
        return eventually([&] { return status(id) == "completed"; });
    }
    /// By a trigger of somebody's that passes over each ending of the task.
    void keep_the_rows_of_echo() {
        database.exec(
            "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;"
            "CREATE TRIGGER keep BEFORE DELETE ON dormouse.runs_live FOR EACH ROW WHEN (OLD.task = 'echo') EXECUTE "
            "FUNCTION nothing()");
    }
    /// The run is executed once, says why it waits and what mends it, and is completed by that.
    void kept_until(const std::string& id, const std::string& breaks, const std::string& told,
                    const std::string& mends) {
        database.exec(breaks);
        LoggedWorker worker(database.url());
        BOOST_TEST_REQUIRE(worker.until_said("database_lost"), worker.log());
        BOOST_TEST(has(worker.said("database_lost").front().text, told), worker.said("database_lost").front().text);
        const auto tried = worker.all("database_lost").size();
        BOOST_TEST(eventually([&] { return worker.all("database_lost").size() > tried; }), worker.log());
        database.exec(mends);
        BOOST_TEST(completes(id), worker.log());
        BOOST_TEST(worker.until_said("database_back"), worker.log());
        BOOST_TEST(worker.said("database_lost").size() == 1U, worker.log());
        BOOST_TEST(worker.said("run_dispatched").size() == 1U, worker.log());
        worker.process().signal(SIGTERM);
        BOOST_TEST(worker.process().wait().exit_code == 0);
        BOOST_TEST(database.value("SELECT count(*) FROM dormouse.attempts") == "1");
    }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(lost_ground, Scene, *boost::unit_test::precondition(has_postgres))

BOOST_AUTO_TEST_CASE(a_run_that_has_completed_is_kept_while_the_default_partition_is_gone) {
    const std::string id = enqueue("echo");
    kept_until(id, "DROP TABLE dormouse.runs_finished_default", "SELECT dormouse.make_default()",
               "SELECT dormouse.make_default()");
}

BOOST_AUTO_TEST_CASE(a_sequence_that_is_exhausted_is_nobodys_fault) {
    const std::string id = enqueue("echo");
    const std::string mends = "ALTER SEQUENCE dormouse.fence NO MAXVALUE RESTART";
    kept_until(id, "SELECT setval('dormouse.fence', 9223372036854775807)", mends, mends);
}

BOOST_AUTO_TEST_CASE(a_rule_on_the_finished_runs_is_named_with_what_removes_it) {
    for (const std::string& rule : {std::string("DO ALSO SELECT 1"), std::string("DO INSTEAD NOTHING")}) {
        database.exec("TRUNCATE dormouse.runs");
        const std::string mends = "DROP RULE theirs ON dormouse.runs_finished";
        kept_until(enqueue("echo"), "CREATE RULE theirs AS ON INSERT TO dormouse.runs_finished " + rule, mends, mends);
    }
}

BOOST_AUTO_TEST_CASE(a_sequence_of_somebodys_own_that_is_exhausted_fails_the_run_that_needs_it_and_no_other) {
    database.exec(
        "CREATE SEQUENCE fence MAXVALUE 2; SELECT nextval('fence'), nextval('fence');"
        "CREATE FUNCTION number() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM nextval('public.fence'); RETURN "
        "NEW; END $$; CREATE TRIGGER number BEFORE UPDATE ON dormouse.runs_live FOR EACH ROW WHEN (NEW.task = 'hold') "
        "EXECUTE FUNCTION number()");
    const std::string theirs = enqueue("hold");
    const std::string other = enqueue("echo");
    LoggedWorker worker(database.url());
    BOOST_TEST(completes(other), worker.log());
    BOOST_TEST(eventually([&] { return status(theirs) == "failed"; }), worker.log());
    BOOST_TEST(worker.said("database_lost").empty(), worker.log());
}

BOOST_AUTO_TEST_CASE(a_trigger_that_keeps_the_row_is_named_and_the_ending_waits_longer_and_longer) {
    keep_the_rows_of_echo();
    const std::string id = enqueue("echo");
    const std::string other = enqueue("later");
    LoggedWorker worker(database.url());
    BOOST_TEST_REQUIRE(worker.until_said("ending_kept"), worker.log());
    const LoggedEvent told = worker.said("ending_kept").front();
    BOOST_TEST(has(told.text, "DROP TRIGGER keep ON dormouse.runs_live"), told.text);
    BOOST_TEST(has(told.text, id), told.text);
    BOOST_TEST(completes(other), worker.log());
    BOOST_TEST(eventually([&] { return worker.all("ending_kept").size() >= 4; }), worker.log());
    const std::vector<LoggedEvent> tries = worker.all("ending_kept");
    BOOST_TEST((tries[3].at - tries[2].at > tries[1].at - tries[0].at), worker.log());
    BOOST_TEST(worker.said("ending_kept").size() == 1U);
    database.exec("DROP TRIGGER keep ON dormouse.runs_live");
    BOOST_TEST(completes(id), worker.log());
    BOOST_TEST(worker.said("run_dispatched").size() == 3U, worker.log());
}

BOOST_AUTO_TEST_CASE(who_leaves_tries_once_more_what_it_kept_back_and_says_what_it_leaves_behind) {
    keep_the_rows_of_echo();
    for (const bool mended : {false, true}) {
        BOOST_TEST_CONTEXT("mended: " << mended) {
            const std::string id = enqueue("echo");
            LoggedWorker worker(database.url());
            BOOST_TEST(eventually([&] { return worker.all("ending_kept").size() >= 3; }), worker.log());
            if (mended) database.exec("DROP TRIGGER keep ON dormouse.runs_live");
            worker.process().signal(SIGTERM);
            BOOST_TEST(worker.process().wait().exit_code == 0);
            BOOST_TEST(status(id) == (mended ? "completed" : "running"));
            const auto told = worker.said("ending_kept");
            BOOST_TEST(told.size() == (mended ? 1U : 2U), worker.log());
            BOOST_TEST(has(told.back().text, id), worker.log());
            BOOST_TEST(has(told.back().text, "left without how the run ended") == !mended, worker.log());
        }
    }
}

// Whoever looks next has to be told when: at the end of the lease, with a lease of margin.
BOOST_AUTO_TEST_CASE(a_run_that_is_left_behind_is_due_when_its_lease_is_over) {
    const auto leaves_behind = [&](const char* how, const std::function<void(const std::string& id)>& hinder) {
        BOOST_TEST_CONTEXT(how) {
            PoolBench bench(database.url(), {.worker = "lease = \"30s\""});
            const std::string id = enqueue("hold");
            BOOST_TEST_REQUIRE(bench.until([&] { return bench.tasks().started().size() == 1U; }));
            hinder(id);
            bench.tasks().release();
            bench.turns_within(Millis{1'000});
            bench.worker().leave_within({Millis{0}, Millis{500}, Millis{2'000}});
            BOOST_TEST_REQUIRE(bench.until_gone());
            BOOST_TEST(status(id) == "running");
            BOOST_TEST(bench.farewell()->due_known);
            BOOST_TEST_REQUIRE(bench.farewell()->due.has_value());
            BOOST_TEST(bench.farewell()->due->count() > 20'000);
            BOOST_TEST(bench.farewell()->due->count() <= 60'000);
        }
    };
    auto person = database.connect();
    leaves_behind("locked", [&](const std::string& id) {
        BOOST_REQUIRE(person.script("", "BEGIN; SELECT FROM dormouse.runs_live WHERE id = '" + id + "' FOR UPDATE"));
    });
    BOOST_REQUIRE(person.script("", "ROLLBACK; DELETE FROM dormouse.runs"));
    leaves_behind("refused", [&](const std::string&) {
        database.exec(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not this one'; END "
            "$$; CREATE TRIGGER refuse BEFORE UPDATE OR DELETE ON dormouse.runs_live FOR EACH ROW EXECUTE FUNCTION "
            "refuse()");
    });
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace lost_ground
