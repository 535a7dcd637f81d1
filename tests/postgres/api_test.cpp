// What happens in the database by itself: who is told of what, what cannot be stored, what a key means, who
// may do what.
#include <boost/test/unit_test.hpp>
#include <thread>
#include <vector>

#include "sql/embedded.h"
#include "support/cluster.h"

BOOST_AUTO_TEST_SUITE(api, *boost::unit_test::precondition(dormouse::testing::has_postgres))

using namespace dormouse;
using namespace dormouse::testing;
using postgres::BlockingConnection;

namespace {

constexpr const char* worker = "00000000-0000-4000-8000-000000000001";

/// Hears the queues "default" and "other", the ends of runs and one worker.
struct Listener {
    explicit Listener(TestDatabase& database) : database_(database), session_(database.connect()) {
        BOOST_REQUIRE(
            session_.listen({"queue:default", "queue:other", "done", "marker", std::string("worker:") + worker})
                .has_value());
        BOOST_REQUIRE(
            session_.script("register", "SELECT dormouse.listens('default'), dormouse.listens('other')").has_value());
    }

    /// The topics that were notified up to now, in order. Notifications come in the order of commits, so
    /// the mark, which is committed now, comes after all of them.
    std::string heard() {
        database_.exec("SELECT pg_notify(dormouse.channel('marker'), '')");
        std::string topics;
        while (true) {
            const auto notification = session_.wait(BootClock::now() + std::chrono::seconds(20));
            BOOST_REQUIRE(notification.has_value());
            BOOST_REQUIRE(notification->has_value());
            if ((*notification)->topic == "marker") return topics;
            topics += (topics.empty() ? "" : " ") + (*notification)->topic;
        }
    }

    std::string after(const std::string& sql) {
        database_.exec(sql);
        return heard();
    }

  private:
    TestDatabase& database_;
    BlockingConnection session_;
};

/// Claims what is due, as a worker does.
std::string claim(TestDatabase& database) {
    return database.value(sql::claim, {"{default}", "10", worker, "300000", "1000000", known_tasks, known_slots, "{}"});
}

/// The SQLSTATE and the words of a statement that must fail.
std::string refusal(BlockingConnection& session, const std::string& statement) {
    const auto reply = session.ask("", statement);
    BOOST_REQUIRE_MESSAGE(!reply, statement << " was not refused");
    return reply.error().message;
}

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_way_to_insert_a_run_rings_its_queue_once) {
    TestDatabase database;
    Listener listener(database);
    for (const char* const sql :
         {"INSERT INTO dormouse.runs (task) VALUES ('t')",
          "INSERT INTO dormouse.runs (task) VALUES ('t'), ('t'), ('t')",
          "INSERT INTO dormouse.runs (task) SELECT 't' FROM generate_series(1, 100)",
          "COPY dormouse.runs (task, queue) FROM PROGRAM 'printf \"t\\tdefault\\nt\\tdefault\\n\"'",
          "INSERT INTO dormouse.runs (task) VALUES ('t') ON CONFLICT DO NOTHING", "SELECT dormouse.enqueue('t')",
          "SELECT dormouse.enqueue_many('t', ARRAY['1', '2']::jsonb[])",
          "BEGIN; SELECT dormouse.enqueue('t'); "
          "INSERT INTO dormouse.runs (task) VALUES ('t'); COMMIT"})
        BOOST_TEST(listener.after(sql) == "queue:default", sql);
    BOOST_TEST(
        listener.after("INSERT INTO dormouse.runs (task, queue) VALUES ('t', 'default'), ('t', 'other')").size() ==
        std::string("queue:default queue:other").size());
}

BOOST_AUTO_TEST_CASE(a_run_that_is_not_due_yet_rings_as_well) {
    TestDatabase database;
    Listener listener(database);
    BOOST_TEST(listener.after("INSERT INTO dormouse.runs (task, run_at) VALUES ('t', now() + interval '1 day')") ==
               "queue:default");
    BOOST_TEST(listener.after("SELECT dormouse.enqueue('t', delay => '1 day')") == "queue:default");
}

BOOST_AUTO_TEST_CASE(what_makes_no_run_claimable_rings_nobody) {
    TestDatabase database;
    Listener listener(database);
    BOOST_TEST(listener.after("BEGIN; INSERT INTO dormouse.runs (task) VALUES ('t'); ROLLBACK") == "");
    BOOST_TEST(listener.after("INSERT INTO dormouse.runs (task) SELECT 't' WHERE false") == "");
    BOOST_TEST(listener.after("INSERT INTO dormouse.runs (task, status) VALUES ('t', 'blocked')") == "");
    BOOST_TEST(
        listener.after("INSERT INTO dormouse.runs (task, status, finished_at) VALUES ('t', 'completed', now())") == "");
    listener.after("SELECT dormouse.enqueue('t', delay => '1 hour')");
    for (const char* const set :
         {"priority = 5", "payload = '1'", "progress_text = 'x'", "run_at = run_at + interval '1 hour'", "attempts = 1",
          "status = 'blocked' WHERE false"})
        BOOST_TEST(listener.after("UPDATE dormouse.runs SET " + std::string(set)) == "", set);
    BOOST_TEST(listener.after("BEGIN; SET LOCAL dormouse.notify = off; SELECT dormouse.enqueue('t'); COMMIT") == "");
}

BOOST_AUTO_TEST_CASE(what_makes_a_run_claimable_or_due_earlier_rings) {
    TestDatabase database;
    Listener listener(database);
    listener.after("SELECT dormouse.enqueue('t', delay => '1 hour')");
    BOOST_TEST(listener.after("UPDATE dormouse.runs SET run_at = run_at - interval '1 minute'") == "queue:default");
    BOOST_TEST(listener.after("UPDATE dormouse.runs SET queue = 'other'") == "queue:other");
    BOOST_TEST(listener.after("UPDATE dormouse.runs SET task = 'its right name'") == "queue:other");
    listener.after("UPDATE dormouse.runs SET status = 'blocked'");
    BOOST_TEST(listener.after("UPDATE dormouse.runs SET status = 'queued'") == "queue:other");
    listener.after("UPDATE dormouse.runs SET status = 'failed'");
    BOOST_TEST(listener.after("UPDATE dormouse.runs SET status = 'retry'") == "queue:other");
}

BOOST_AUTO_TEST_CASE(a_worker_hears_that_its_run_was_taken_away) {
    TestDatabase database;
    Listener listener(database);
    for (const char* const sql : {"UPDATE dormouse.runs SET status = 'completed'", "DELETE FROM dormouse.runs"}) {
        database.exec("DELETE FROM dormouse.runs; SELECT dormouse.enqueue('t')");
        claim(database);
        listener.heard();
        BOOST_TEST(listener.after(sql) == std::string("worker:") + worker, sql);
    }
    database.exec("SELECT dormouse.enqueue('t')");
    claim(database);
    listener.heard();
    BOOST_TEST(listener.after("UPDATE dormouse.runs SET progress = 0.5 WHERE status = 'running'") == "");
}

BOOST_AUTO_TEST_CASE(the_end_of_a_watched_run_is_told) {
    TestDatabase database;
    Listener listener(database);
    database.exec("SELECT dormouse.enqueue('t', watched => true); SELECT dormouse.enqueue('u')");
    listener.heard();
    BOOST_TEST(listener.after("UPDATE dormouse.runs SET status = 'canceled'") == "done");
}

BOOST_AUTO_TEST_CASE(who_waits_for_a_run_that_has_the_key_already_is_told_of_its_end) {
    TestDatabase database;
    Listener listener(database);
    database.exec("SELECT dormouse.enqueue('t', key => 'k')");
    const std::string id = database.value("SELECT dormouse.enqueue('t', key => 'k', watched => true)");
    BOOST_TEST(id == database.value("SELECT id FROM dormouse.runs"));
    listener.heard();
    BOOST_TEST(listener.after("UPDATE dormouse.runs SET status = 'failed'") == "done");
}

BOOST_AUTO_TEST_CASE(who_cannot_be_told_because_he_sees_an_older_state_hears_that_he_has_to_repeat) {
    TestDatabase database;
    auto session = database.connect();
    for (const char* const change :
         {"UPDATE dormouse.runs SET priority = 1", "UPDATE dormouse.runs SET status = 'completed'"}) {
        database.exec("DELETE FROM dormouse.runs; SELECT dormouse.enqueue('t', key => 'k')");
        BOOST_REQUIRE(
            session.script("", "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM dormouse.runs").has_value());
        database.exec(change);
        BOOST_TEST(has(refusal(session, "SELECT dormouse.enqueue('t', key => 'k', watched => true)"), "(40001)"),
                   change);
        BOOST_REQUIRE(session.script("", "ROLLBACK").has_value());
    }
}

BOOST_AUTO_TEST_CASE(one_key_is_one_run_also_for_two_at_once_and_over_history) {
    TestDatabase database;
    auto first = database.connect();
    auto second = database.connect();
    BOOST_REQUIRE(first.script("", "BEGIN").has_value());
    const std::string id(first.ask("", "SELECT dormouse.enqueue('t', key => 'k')")->text(0, 0));
    std::string other;
    std::thread waits([&] { other = second.ask("", "SELECT dormouse.enqueue('t', key => 'k')")->text(0, 0); });
    while (database.value("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname "
                          "= current_database()") != "1")
        std::this_thread::yield();
    BOOST_REQUIRE(first.script("", "COMMIT").has_value());
    waits.join();
    BOOST_TEST(other == id);
    BOOST_TEST(database.value("SELECT count(*) FROM dormouse.runs") == "1");

    database.exec("UPDATE dormouse.runs SET status = 'completed'");
    BOOST_TEST(database.value("SELECT dormouse.enqueue('t', key => 'k')") == id);
    BOOST_TEST(database.value("SELECT dormouse.enqueue('other_task', key => 'k')") != id);
}

BOOST_AUTO_TEST_CASE(a_key_whose_first_enqueue_was_rolled_back_is_free) {
    TestDatabase database;
    auto first = database.connect();
    BOOST_REQUIRE(first.script("", "BEGIN").has_value());
    const std::string id(first.ask("", "SELECT dormouse.enqueue('t', key => 'k')")->text(0, 0));
    auto second = database.connect();
    std::string other;
    std::thread waits([&] { other = second.ask("", "SELECT dormouse.enqueue('t', key => 'k')")->text(0, 0); });
    while (database.value("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname "
                          "= current_database()") != "1")
        std::this_thread::yield();
    BOOST_REQUIRE(first.script("", "ROLLBACK").has_value());
    waits.join();
    BOOST_TEST(other != id);
    BOOST_TEST(database.value("SELECT id FROM dormouse.runs") == other);
}

BOOST_AUTO_TEST_CASE(a_plain_insert_cannot_take_a_key_twice) {
    TestDatabase database;
    database.exec("INSERT INTO dormouse.runs (task, key) VALUES ('t', 'k')");
    auto session = database.connect();
    BOOST_TEST(has(refusal(session, "INSERT INTO dormouse.runs (task, key) VALUES ('t', 'k')"), "(23505)"));
}

BOOST_AUTO_TEST_CASE(enqueue_many_keeps_the_order_of_its_payloads) {
    TestDatabase database;
    const auto order_of = [&](const std::string& call) {
        database.exec("CREATE TEMP TABLE made AS SELECT * FROM " + call + " WITH ORDINALITY e (id, n)");
        const std::string order = database.value(
            "SELECT string_agg(r.payload::text, ' ' ORDER BY n) FROM made JOIN dormouse.runs r USING (id)");
        database.exec("DROP TABLE made");
        return order;
    };
    BOOST_TEST(order_of("dormouse.enqueue_many('t', ARRAY['3', '1', '2']::jsonb[])") == "3 1 2");
    database.exec("SELECT dormouse.enqueue('t', '\"first\"', key => 'b')");
    BOOST_TEST(order_of("dormouse.enqueue_many('t', ARRAY['3', '1', '2']::jsonb[], keys => ARRAY['c', 'b', NULL])") ==
               "3 \"first\" 2");
    BOOST_TEST(database.value("SELECT count(*) FROM dormouse.enqueue_many('t', ARRAY['1', '2']::jsonb[], "
                              "keys => ARRAY['x', 'x'])") == "2");
    BOOST_TEST(database.value("SELECT count(*) FROM dormouse.runs WHERE key = 'x'") == "1");
}

BOOST_AUTO_TEST_CASE(keys_without_payloads_are_refused_in_these_words) {
    TestDatabase database;
    auto session = database.connect();
    for (const char* const payloads : {"NULL", "'{}'"})
        BOOST_TEST(
            has(refusal(session, "SELECT dormouse.enqueue_many('t', " + std::string(payloads) + ", keys => '{a}')"),
                "0 payloads and 1 keys"),
            payloads);
    BOOST_TEST(database.value("SELECT count(*) FROM dormouse.enqueue_many('t', NULL)") == "0");
}

// A caller's standard_conforming_strings turns them around.
BOOST_AUTO_TEST_CASE(no_function_has_a_backslash) {
    TestDatabase database;
    BOOST_TEST(database.value("SELECT coalesce(string_agg(proname, ', '), '') FROM pg_proc WHERE pronamespace = "
                              "'dormouse'::regnamespace AND strpos(prosrc, chr(92)) > 0") == "");
}

BOOST_AUTO_TEST_CASE(a_status_from_elsewhere_gets_a_hint) {
    TestDatabase database;
    auto session = database.connect();
    BOOST_TEST(
        has(refusal(session, "INSERT INTO dormouse.runs (task, status) VALUES ('t', 'pending')"), "Use \"queued\""));
    database.exec("SELECT dormouse.enqueue('t')");
    BOOST_TEST(has(refusal(session, "UPDATE dormouse.runs SET status = 'error'"), "Use \"failed\""));
    BOOST_TEST(has(refusal(session, "UPDATE dormouse.runs SET status = 'nonsense'"), "It is one of queued, running"));
}

BOOST_AUTO_TEST_CASE(what_no_run_can_be_cannot_be_stored) {
    TestDatabase database;
    auto session = database.connect();
    for (const char* const values :
         {"(task, status) VALUES ('t', 'running')", "(task, status, started_at) VALUES ('t', 'running', now())",
          "(task, fence) VALUES ('t', 1)", "(task, lease_until) VALUES ('t', now())",
          "(task, finished_at) VALUES ('t', now())", "(task, status) VALUES ('t', 'completed')",
          "(task, queue) VALUES ('t', '')", "(task, queue) VALUES ('t', repeat('q', 49))", "(task) VALUES ('')",
          "(task, max_attempts) VALUES ('t', 0)", "(task, timeout_ms) VALUES ('t', -1)",
          "(task, progress) VALUES ('t', 1.5)", "(task, run_at) VALUES ('t', '-infinity')"})
        BOOST_TEST(has(refusal(session, std::string("INSERT INTO dormouse.runs ") + values), "(23514)"), values);
    database.exec("SELECT dormouse.enqueue('t')");
    BOOST_TEST(has(refusal(session, "UPDATE dormouse.runs SET status = 'running'"), "(23514)"));
}

BOOST_AUTO_TEST_CASE(a_run_that_is_parked_for_ever_is_neither_due_nor_in_the_way) {
    TestDatabase database;
    database.exec("INSERT INTO dormouse.runs (task, run_at) VALUES ('parked', 'infinity')");
    BOOST_TEST(database.value(sql::due, {"{default}", worker, "300000", "{}", known_tasks, "{}"}) == "");
    BOOST_TEST(claim(database) == "");
    database.exec("SELECT dormouse.enqueue('now')");
    BOOST_TEST(!claim(database).empty());
}

BOOST_AUTO_TEST_CASE(a_run_that_ends_by_sql_has_finished_and_one_that_starts_again_has_not) {
    TestDatabase database;
    const std::string id = database.value("SELECT dormouse.enqueue('t', max_attempts => 3)");
    claim(database);
    database.exec("UPDATE dormouse.runs SET status = 'failed', attempts = 3, error = '{\"message\": \"by hand\"}'");
    BOOST_TEST(database.value("SELECT finished_at = now()::timestamptz OR finished_at > now() - interval '1 "
                              "minute' FROM dormouse.runs") == "t");
    BOOST_TEST(
        database.value("SELECT fence IS NULL AND lease_until IS NULL AND last_fence IS NOT NULL FROM dormouse.runs") ==
        "t");
    database.exec("UPDATE dormouse.runs SET status = 'queued'");
    BOOST_TEST(database.value("SELECT finished_at IS NULL AND error IS NULL AND attempts = 0 FROM dormouse.runs") ==
               "t");
    BOOST_TEST(database.value("SELECT string_agg(outcome, ' ') FROM dormouse.attempts WHERE run_id = $1", {id}) ==
               "failed");
    BOOST_TEST(!claim(database).empty());
}

BOOST_AUTO_TEST_CASE(result_tells_how_a_run_stands) {
    TestDatabase database;
    const std::string id = database.value("SELECT dormouse.enqueue('t')");
    BOOST_TEST(database.value("SELECT status FROM dormouse.result($1)", {id}) == "queued");
    database.exec("UPDATE dormouse.runs SET status = 'completed', result = '{\"a\": 1}'");
    BOOST_TEST(database.value("SELECT result FROM dormouse.result($1)", {id}) == "{\"a\": 1}");
    BOOST_TEST(database.value("SELECT count(*) FROM dormouse.result(gen_random_uuid())") == "0");
}

BOOST_AUTO_TEST_CASE(a_producer_can_enqueue_and_ask_for_results_and_nothing_else) {
    TestDatabase database;
    apply_roles(database);
    database.exec("DROP ROLE IF EXISTS app; CREATE ROLE app LOGIN IN ROLE dormouse_producer");
    auto app = database.connect("app");
    BOOST_TEST(
        app.ask("", "SELECT dormouse.enqueue('t', '{}', key => 'k', delay => '1 s', watched => true)").has_value());
    BOOST_TEST(app.ask("", "SELECT dormouse.enqueue('t', '{}', key => 'k', watched => true)").has_value());
    BOOST_TEST(app.ask("", "SELECT * FROM dormouse.enqueue_many('t', ARRAY['1']::jsonb[])").has_value());
    BOOST_TEST(app.ask("", "SELECT * FROM dormouse.result(gen_random_uuid())").has_value());
    for (const char* const sql :
         {"SELECT * FROM dormouse.runs", "INSERT INTO dormouse.runs (task) VALUES ('t')",
          "UPDATE dormouse.runs SET priority = 1", "DELETE FROM dormouse.runs", "SELECT * FROM dormouse.keys",
          "SELECT * FROM dormouse.attempts", "SELECT * FROM dormouse.queue_stats", "SELECT nextval('dormouse.fence')",
          "CREATE TABLE dormouse.x ()", "TRUNCATE dormouse.runs", "SELECT * FROM dormouse.migrations"})
        BOOST_TEST(has(refusal(app, sql), "(42501)"), sql);
    database.exec("DROP OWNED BY app; DROP ROLE app");
}

BOOST_AUTO_TEST_CASE(a_reader_can_look_and_nothing_else) {
    TestDatabase database;
    apply_roles(database);
    database.exec(
        "DROP ROLE IF EXISTS eyes; CREATE ROLE eyes LOGIN IN ROLE dormouse_reader; SELECT "
        "dormouse.enqueue('t')");
    auto eyes = database.connect("eyes");
    for (const char* const view : {"runs", "attempts", "queue_stats", "workers", "stuck_runs", "migrations"})
        BOOST_TEST(eyes.ask("", "SELECT * FROM dormouse." + std::string(view)).has_value(), view);
    for (const char* const sql : {"SELECT dormouse.enqueue('t')", "INSERT INTO dormouse.runs (task) VALUES ('t')",
                                  "UPDATE dormouse.runs SET priority = 1", "DELETE FROM dormouse.runs"})
        BOOST_TEST(has(refusal(eyes, sql), "(42501)"), sql);
    database.exec("DROP OWNED BY eyes; DROP ROLE eyes");
}

BOOST_AUTO_TEST_CASE(a_worker_role_can_do_a_workers_work) {
    TestDatabase database;
    apply_roles(database);
    database.exec(
        "DROP ROLE IF EXISTS pool; CREATE ROLE pool LOGIN IN ROLE dormouse_worker; SELECT "
        "dormouse.enqueue('t')");
    auto pool = database.connect("pool");
    const auto claimed =
        pool.ask("claim", sql::claim, {"{default}", "10", worker, "300000", "1000000", known_tasks, known_slots, "{}"});
    BOOST_REQUIRE_MESSAGE(claimed.has_value(), (claimed ? "" : claimed.error().message));
    const std::string id = "{" + std::string(claimed->text(0, 0)) + "}";
    const std::string fence = "{" + std::string(claimed->text(0, 1)) + "}";
    BOOST_TEST(pool.ask("extend", sql::extend, {worker, id, fence, "300000"})->rows() == 1);
    BOOST_TEST(pool.ask("held", sql::held, {worker, id, fence})->rows() == 1);
    const auto done =
        pool.ask("finish", sql::finish,
                 {worker, id, fence, "{completed}", "{1}", "{NULL}", "{0}", "{NULL}", "{1}", "{1}", "{t}"});
    BOOST_TEST(done.has_value(), (done ? "" : done.error().message));
    BOOST_TEST(pool.ask("due", sql::due, {"{default}", worker, "300000", "{}", known_tasks, "{}"}).has_value());
    BOOST_TEST(
        pool.ask("rescue", sql::rescue, {"{default}", "{}", "10", worker, worker, "86400000", "{}"}).has_value());
    BOOST_TEST(pool.ask("runbook", "UPDATE dormouse.runs SET status = 'queued'").has_value());
    database.exec("DROP OWNED BY pool; DROP ROLE pool");
}

BOOST_AUTO_TEST_SUITE_END()
