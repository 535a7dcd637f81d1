// How many runs end, by task: counted in the statement that ends them, whoever does, and never in its way.
#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "sql/embedded.h"
#include "support/paths.h"
#include "support/pool_bench.h"
#include "support/process.h"

namespace endings {

using namespace dormouse;
using namespace dormouse::testing;
using nlohmann::json;

struct Fixture {
    TestDatabase database;

    /// "task completed/failed/canceled" of all times, by task.
    std::string counted() {
        return database.value(
            "SELECT coalesce(string_agg(c, ', ' ORDER BY c), '') FROM (SELECT task || ' ' || sum(completed) || '/' || "
            "sum(failed) || '/' || sum(canceled) AS c FROM dormouse.endings GROUP BY task) t");
    }
    bool all_ended() { return database.value("SELECT count(*) FROM dormouse.runs WHERE finished_at IS NULL") == "0"; }
    void enqueue(const std::string& task, int number) {
        database.exec("INSERT INTO dormouse.runs (task) SELECT '" + task + "' FROM generate_series(1, " +
                      std::to_string(number) + ")");
    }
    /// A worker's session that has one run, and ends it when asked.
    struct Worker {
        postgres::BlockingConnection connection;
        std::string id, fence;
    };
    Worker holding(const std::string& user = "postgres") {
        Worker worker{database.connect(user), {}, {}};
        const auto opened =
            worker.connection.ask("open", sql::open_session, {std::to_string(PQbackendPID(worker.connection.get()))});
        BOOST_TEST_REQUIRE(opened.has_value());
        worker.id = database.value(
            "INSERT INTO dormouse.runs_live (task, status, worker, fence, lease_until, started_at) VALUES ('held', "
            "'running', '00000000-0000-0000-0000-000000000001', 7, now() + '1 hour', now()) RETURNING id");
        return worker;
    }
    static Result<postgres::Reply> finish(Worker& worker, const char* statement) {
        return worker.connection.ask("finish", statement,
                                     {"00000000-0000-0000-0000-000000000001", "{" + worker.id + "}", "{7}",
                                      "{completed}", "{null}", "{null}", "{0}", "{null}", "{1}", "{1}", "{true}"});
    }
    json status() {
        const Ended ended = run(cli_program({"status", "--json"}, {{"DATABASE_URL", database.url()}}));
        BOOST_TEST((ended.exit_code == 0 || ended.exit_code == 13), ended.err);
        return json::parse(ended.out).at("endings");
    }
};

}  // namespace endings

BOOST_FIXTURE_TEST_SUITE(endings, Fixture, *boost::unit_test::precondition(has_postgres))

BOOST_AUTO_TEST_CASE(whatever_ends_a_run_counts_it) {
    enqueue("echo", 20);
    enqueue("fail", 2);
    {
        PoolBench bench(database.url());
        BOOST_TEST(bench.until([&] { return all_ended(); }));
    }
    BOOST_TEST(counted() == "echo 20/0/0, fail 0/2/0");
    enqueue("nobody", 10);
    BOOST_TEST(database.value("SELECT split_part(dormouse.cancel((SELECT id FROM dormouse.runs WHERE task = 'nobody' "
                              "LIMIT 1)), ':', 1)") == "canceled");
    BOOST_TEST(database.value("SELECT split_part(dormouse.archive((SELECT id FROM dormouse.runs WHERE task = 'nobody' "
                              "AND status = 'queued' LIMIT 1)), ':', 1)") == "archived");
    BOOST_TEST(database.value("SELECT changed FROM dormouse.cancel_runs(task => 'nobody')") == "8");
    enqueue("by_hand", 3);
    database.exec("UPDATE dormouse.runs SET status = 'completed' WHERE task = 'by_hand'");
    BOOST_TEST(counted() == "by_hand 3/0/0, echo 20/0/0, fail 0/2/0, nobody 0/0/10");
    auto person = database.connect();
    const auto typed = person.ask("", sql_of_page("docs/operations.md").front());
    BOOST_REQUIRE_MESSAGE(typed.has_value(), (typed ? "" : typed.error().message));
    std::string shown;
    for (int row = 0; row < typed->rows(); ++row)
        for (int column = 0; column < 4; ++column) shown += std::string(typed->text(row, column)) + " ";
    BOOST_TEST(shown == "by_hand 3 0 0 echo 20 0 0 fail 0 2 0 nobody 0 0 10 ");
    // what has not ended here
    database.exec(
        "INSERT INTO dormouse.runs (task, status, finished_at) VALUES ('history', 'completed', now());"
        "UPDATE dormouse.runs SET archived_at = now() WHERE task = 'echo'; DELETE FROM dormouse.runs;");
    BOOST_TEST(counted() == "by_hand 3/0/0, echo 20/0/0, fail 0/2/0, nobody 0/0/10");
}

BOOST_AUTO_TEST_CASE(a_run_that_cannot_be_claimed_and_one_that_is_lost_for_good_count_as_failed) {
    database.exec("INSERT INTO dormouse.runs (task) VALUES ('refused')");
    Worker worker = holding();
    BOOST_REQUIRE(worker.connection
                      .ask("refuse", sql::refuse_waiting,
                           {database.value("SELECT id FROM dormouse.runs WHERE task = 'refused'"), "class", "message"})
                      .has_value());
    BOOST_TEST(counted() == "refused 0/1/0");
    database.exec(
        "INSERT INTO dormouse.runs_live (task, status, attempts, max_attempts, worker, fence, lease_until, started_at) "
        "VALUES ('echo', 'running', 0, 1, gen_random_uuid(), 8, now() - '1 s'::interval, now() - '2 s'::interval)");
    PoolBench bench(database.url());
    BOOST_TEST(bench.until([&] { return counted() == "echo 0/1/0, refused 0/1/0"; }), counted());
}

BOOST_AUTO_TEST_CASE(an_ending_that_is_undone_is_not_counted) {
    Worker worker = holding();
    BOOST_REQUIRE(worker.connection.script("", "BEGIN").has_value());
    BOOST_REQUIRE(finish(worker, sql::finish_fast)->rows() == 1);
    BOOST_REQUIRE(worker.connection.script("", "ROLLBACK").has_value());
    BOOST_TEST(counted() == "");
    BOOST_REQUIRE(finish(worker, sql::finish)->rows() == 1);
    BOOST_TEST(counted() == "held 1/0/0");
    BOOST_TEST(finish(worker, sql::finish)->rows() == 0);
    BOOST_TEST(counted() == "held 1/0/0");
}

BOOST_AUTO_TEST_CASE(counts_that_are_locked_refused_or_gone_hold_up_no_ending) {
    for (const char* const statement : {sql::finish_fast, sql::finish}) {
        for (const char* const harm : {"LOCK TABLE dormouse.endings", "SELECT * FROM dormouse.endings FOR UPDATE"}) {
            Worker worker = holding();
            BOOST_REQUIRE(finish(worker, statement)->rows() == 1);  // so that there is a row of this session
            worker.id = holding().id;
            auto other = database.connect();
            BOOST_REQUIRE(other.script("", std::string("BEGIN; ") + harm).has_value());
            const auto ended = finish(worker, statement);
            BOOST_TEST_REQUIRE(ended.has_value(), harm << (ended ? "" : ended.error().message));
            BOOST_TEST(ended->rows() == 1, harm);
        }
    }
    for (const char* const harm :
         {"CREATE FUNCTION public.harm() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;"
          " CREATE TRIGGER harm BEFORE INSERT OR UPDATE ON dormouse.endings EXECUTE FUNCTION public.harm()",
          "ALTER TABLE dormouse.endings ADD CHECK (completed < 0) NOT VALID",
          "ALTER TABLE dormouse.endings RENAME completed TO other", "DROP TABLE dormouse.endings"}) {
        database.exec(harm);
        Worker worker = holding();
        const auto ended = finish(worker, sql::finish_fast);
        BOOST_TEST_REQUIRE(ended.has_value(), harm << (ended ? "" : ended.error().message));
        BOOST_TEST(ended->rows() == 1, harm);
        enqueue("canceled", 1);
        database.exec("UPDATE dormouse.runs SET status = 'canceled' WHERE task = 'canceled'");
    }
}

BOOST_AUTO_TEST_CASE(a_login_counts_without_a_right_on_the_counts) {
    apply_roles(database);
    database.exec("DROP ROLE IF EXISTS ends; CREATE ROLE ends LOGIN IN ROLE dormouse_worker");
    {
        Worker worker = holding("ends");
        const auto ended = finish(worker, sql::finish_fast);
        BOOST_TEST_REQUIRE(ended.has_value(), (ended ? "" : ended.error().message));
        BOOST_TEST(counted() == "held 1/0/0");
        BOOST_TEST(!worker.connection.script("", "UPDATE dormouse.endings SET completed = 9").has_value());
    }
    // somebody's own login that may change runs and nothing else of ours
    database.exec(
        "DROP ROLE IF EXISTS tidies; CREATE ROLE tidies LOGIN; GRANT USAGE ON SCHEMA dormouse TO tidies;"
        "GRANT SELECT, UPDATE, INSERT, DELETE ON dormouse.runs TO tidies");
    enqueue("tidied", 1);
    auto tidies = database.connect("tidies");
    const Status done =
        tidies.script("", "UPDATE dormouse.runs SET status = 'canceled' WHERE task = 'tidied' AND status = 'queued'");
    BOOST_TEST(done.has_value(), (done ? "" : done.error().message));
    BOOST_TEST(counted() == "held 1/0/0, tidied 0/0/1");
}

BOOST_AUTO_TEST_CASE(two_sessions_never_wait_for_each_other) {
    Worker first = holding();
    Worker second = holding();
    BOOST_REQUIRE(first.connection.script("", "BEGIN").has_value());
    BOOST_REQUIRE(second.connection.script("", "BEGIN").has_value());
    BOOST_REQUIRE(finish(first, sql::finish_fast)->rows() == 1);
    BOOST_REQUIRE(finish(second, sql::finish_fast)->rows() == 1);
    BOOST_REQUIRE(second.connection.script("", "COMMIT").has_value());
    BOOST_REQUIRE(first.connection.script("", "COMMIT").has_value());
    BOOST_TEST(counted() == "held 2/0/0");
}

BOOST_AUTO_TEST_CASE(retention_sums_up_by_the_hour_and_drops_what_is_old) {
    database.exec(
        "INSERT INTO dormouse.endings (since, session, task, completed, failed) SELECT date_bin('10 seconds', now() - "
        "n * interval '10 seconds', 'epoch'), 1000 + n % 2, 'a', 1, 2 FROM generate_series(0, 359 + 360 * 30) n;"
        "INSERT INTO dormouse.endings (since, session, task, completed) VALUES (now() - interval '9 days', 5, 'a', 1)");
    const std::string before = database.value(
        "SELECT sum(completed) FROM dormouse.endings WHERE since > date_bin('1 hour', now(), 'epoch') - interval '8 "
        "days'");
    database.exec("SELECT dormouse.retain('p', 7 * 86400000::bigint, now()) FROM generate_series(1, 3)");
    BOOST_TEST(database.value("SELECT sum(completed) FROM dormouse.endings") == before);
    BOOST_TEST(database.value("SELECT sum(failed) FROM dormouse.endings") == std::to_string(2 * std::stoi(before)));
    BOOST_TEST(database.value("SELECT count(*) FROM dormouse.endings WHERE session <> 0 AND since < date_bin('1 hour', "
                              "now(), 'epoch') - interval '1 hour'") == "0");
    BOOST_TEST(std::stoi(database.value("SELECT count(*) FROM dormouse.endings WHERE session = 0")) <= 31);
    BOOST_TEST(std::stoi(database.value("SELECT count(*) FROM dormouse.endings WHERE session <> 0")) >= 360);
}

BOOST_AUTO_TEST_CASE(status_shows_an_hour_and_a_day_by_task) {
    BOOST_TEST(status().empty());
    database.exec(
        "INSERT INTO dormouse.endings (since, session, task, completed, failed, canceled) VALUES"
        " (now(), 1, 'mail', 5, 1, 0), (now() - interval '50 minutes', 2, 'mail', 10, 0, 1),"
        " (now() - interval '5 hours', 0, 'mail', 100, 2, 0), (now() - interval '25 hours', 0, 'mail', 1000, 0, 0),"
        " (now() - interval '3 hours', 0, 'report', 1, 0, 0)");
    const json seen = status();
    BOOST_REQUIRE(seen.size() == 2U);
    BOOST_TEST(seen.at(0) == json::parse(R"({"task": "mail", "last_hour": {"completed": 15, "failed": 1, "canceled": 1},
                                   "last_day": {"completed": 115, "failed": 3, "canceled": 1}})"));
    BOOST_TEST(seen.at(1).at("last_hour").at("completed") == 0);
    const Ended text = run(cli_program({"status"}, {{"DATABASE_URL", database.url()}}));
    BOOST_TEST(text.out.find("COMPLETED 1H") != std::string::npos, text.out);
    BOOST_TEST(text.out.find("mail") != std::string::npos, text.out);
}

BOOST_AUTO_TEST_SUITE_END()
