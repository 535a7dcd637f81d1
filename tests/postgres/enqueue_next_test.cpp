// Follow-up runs: enqueued with the completion that asks for them, in its transaction, or not at all.
#include <boost/test/unit_test.hpp>

#include "sql/embedded.h"
#include "support/cluster.h"

using namespace dormouse;
using namespace dormouse::testing;

namespace {

constexpr const char* worker = "00000000-0000-4000-8000-000000000001";

struct Fixture {
    TestDatabase database;
    postgres::BlockingConnection session = database.connect();

    /// A run at work: its id and fence.
    std::pair<std::string, std::string> claimed() {
        database.exec("SELECT dormouse.enqueue('first')");
        const auto run =
            session.ask("claim", sql::claim, {"{default}", "1", worker, "300000", "1000000", known_tasks, known_slots, "{}"});
        return {std::string(run->text(0, 0)), std::string(run->text(0, 1))};
    }
    bool finish(const std::string& id, const std::string& fence, const std::string& status = "completed") {
        const auto done = session.ask("finish", sql::finish,
                                      {worker, "{" + id + "}", "{" + fence + "}", "{" + status + "}", "{NULL}",
                                       "{NULL}", "{0}", "{NULL}", "{1}", "{1}", "{true}"});
        BOOST_TEST_REQUIRE(done.has_value(), (done ? "" : done.error().message));
        return done->rows() == 1;
    }
    /// The queues into which something went; or why not.
    std::string next(const std::string& id, const std::string& fence, const std::string& runs) {
        auto done = session.ask(
            "next",
            "SELECT string_agg(q, ' ') FROM dormouse.enqueue_next($1, ARRAY[$2::uuid], ARRAY[$3::bigint], ARRAY[$4]) q",
            {worker, id, fence, runs});
        return done ? std::string(done->text(0, 0)) : done.error().message;
    }
    /// All of it in one transaction, which is undone when something is wrong.
    std::string finish_with(const std::string& runs) {
        const auto [id, fence] = claimed();
        BOOST_TEST_REQUIRE(session.script("begin", "BEGIN").has_value());
        BOOST_TEST(finish(id, fence));
        std::string said = next(id, fence, runs);
        BOOST_TEST_REQUIRE(session.script("commit", "COMMIT").has_value());
        return said;
    }
    std::string count() { return database.value("SELECT count(*) FROM dormouse.runs WHERE task <> 'first'"); }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(enqueue_next, Fixture, *boost::unit_test::precondition(has_postgres))

BOOST_AUTO_TEST_CASE(a_follow_up_run_takes_all_that_enqueue_takes) {
    BOOST_TEST(
        finish_with(R"([{"task": "a", "payload": [1, null], "queue": "q", "priority": -3, "delay": "1h", "key": "k",
                                "max_attempts": 7, "timeout": 90, "traceparent": "00-x", "watched": true},
                               {"task": "b", "run_at": "2126-01-01T00:00:00Z"}, {"task": "c", "payload": null}])") ==
        "q default");
    BOOST_TEST(
        database.value("SELECT payload::text || queue || priority || (run_at > now() + interval '59 min') || key || "
                       "max_attempts || timeout_ms || traceparent || watched FROM dormouse.runs WHERE task = 'a'") ==
        "[1, null]q-3truek79000000-xtrue");
    BOOST_TEST(database.value("SELECT run_at = '2126-01-01 00:00Z' FROM dormouse.runs WHERE task = 'b'") == "t");
    BOOST_TEST(database.value("SELECT payload::text || max_attempts IS NULL FROM dormouse.runs WHERE task = 'c'") ==
               "t");
}

BOOST_AUTO_TEST_CASE(a_key_that_is_taken_adds_nothing) {
    BOOST_TEST(finish_with(R"([{"task": "a", "key": "k"}, {"task": "a", "key": "k"}])") == "default");
    BOOST_TEST(finish_with(R"([{"task": "a", "key": "k"}])") == "default");
    BOOST_TEST(count() == "1");
}

BOOST_AUTO_TEST_CASE(one_that_is_not_right_undoes_all_and_is_named) {
    const auto refused = [&](const std::string& runs, const std::string& why) {
        const std::string said = finish_with(runs);
        BOOST_TEST(said.find(why) != std::string::npos, said);
        BOOST_TEST(count() == "0");
        BOOST_TEST(database.value("SELECT count(*) FROM dormouse.runs WHERE status = 'completed'") == "0");
    };
    refused(R"([{"task": "a"}, {"tsk": "b"}])",
            "enqueue, element 2: unknown member \"tsk\", expected one of task, payload");
    refused(R"([{"payload": 1}])", "enqueue, element 1: there is no task");
    refused(R"([{"task": null}])", "enqueue, element 1: there is no task");
    refused(R"([{"task": "a", "priority": "high"}])",
            "enqueue, element 1 (task \"a\"): invalid input syntax for type integer: \"high\"");
    refused(R"([{"task": "a", "priority": 40000}])", "enqueue, element 1 (task \"a\")");
    refused(R"([{"task": "a", "queue": ""}])", "queue_is_1_to_48_bytes");
    refused(R"([{"task": "a", "run_at": "soon"}])", "\"soon\"");
    refused(R"([{"task": "a", "run_at": "2126-01-01", "delay": 3}])", "run_at and delay exclude each other");
    refused(R"([{"task": "a", "payload": "\u0000"}])", "enqueue");
    refused(R"({"task": "a"})", "enqueue: expected an array of runs, found object");
    refused("[7]", "enqueue, element 1: expected an object, found number");
    refused("[", "enqueue: invalid input syntax for type json");
}

BOOST_AUTO_TEST_CASE(only_a_completion_of_this_very_transaction_enqueues) {
    const std::string runs = R"([{"task": "next"}])";
    const auto [id, fence] = claimed();
    BOOST_TEST(next(id, fence, runs) == "");  // it is still running
    BOOST_TEST(finish(id, fence));
    BOOST_TEST(next(id, fence, runs) == "");  // it was completed by a transaction whose answer was lost, perhaps
    const auto [failed, its_fence] = claimed();
    BOOST_TEST_REQUIRE(session.script("begin", "BEGIN").has_value());
    BOOST_TEST(finish(failed, its_fence, "failed"));
    BOOST_TEST(next(failed, its_fence, runs) == "");
    BOOST_TEST_REQUIRE(session.script("commit", "COMMIT").has_value());
    const auto [other, old_fence] = claimed();
    BOOST_TEST_REQUIRE(session.script("begin", "BEGIN").has_value());
    BOOST_TEST(!finish(other, "1"));  // a fence that is gone
    BOOST_TEST(next(other, "1", runs) == "");
    BOOST_TEST_REQUIRE(session.script("commit", "COMMIT").has_value());
    BOOST_TEST(count() == "0");
}

BOOST_AUTO_TEST_CASE(the_workers_role_may) {
    apply_roles(database);
    database.exec(
        "DO $$ BEGIN CREATE ROLE said_worker LOGIN IN ROLE dormouse_worker; EXCEPTION WHEN duplicate_object THEN NULL; "
        "END $$");
    session = database.connect("said_worker");
    BOOST_TEST(finish_with(R"([{"task": "next"}])") == "default");
    BOOST_TEST(count() == "1");
    database.exec("SELECT dormouse.enqueue('talks')");
    const auto run =
        session.ask("claim", sql::claim, {"{default}", "10", worker, "300000", "1000000", known_tasks, known_slots, "{}"});
    BOOST_TEST_REQUIRE(run.has_value());
    const auto said =
        session.ask("news", sql::news,
                    {worker, "{" + std::string(run->text(0, 0)) + "}", "{" + std::string(run->text(0, 1)) + "}",
                     "{500000}", "{half}", "{1}", R"({"[[1,\"info\",\"x\"]]"})"});
    BOOST_TEST_REQUIRE(said.has_value(), (said ? "" : said.error().message));
    BOOST_TEST(database.value("SELECT progress || progress_text FROM dormouse.runs WHERE progress IS NOT NULL") ==
               "0.5half");
    BOOST_TEST(session.ask("logs", "SELECT count(*) FROM dormouse.logs")->text(0, 0) == "1");
}

BOOST_AUTO_TEST_SUITE_END()
