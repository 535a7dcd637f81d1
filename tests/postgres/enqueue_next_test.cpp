// Follow-up runs: enqueued with the completion that asks for them, in its transaction, or not at all.
#include <boost/test/unit_test.hpp>

#include "sql/embedded.h"
#include "support/cluster.h"

namespace enqueue_next {

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
        const auto run = session.ask("claim", sql::claim,
                                     {"{default}", "1", worker, "300000", "1000000", known_tasks, known_slots, "{}"});
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
        the_id = id;
        BOOST_TEST_REQUIRE(session.script("begin", "BEGIN").has_value());
        BOOST_TEST(finish(id, fence));
        std::string said = next(id, fence, runs);
        BOOST_TEST_REQUIRE(session.script("commit", "COMMIT").has_value());
        return said;
    }
    std::string the_id;  ///< of the last one claimed

    std::string count() { return database.value("SELECT count(*) FROM dormouse.runs WHERE task <> 'first'"); }
};

}  // namespace

}  // namespace enqueue_next

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
    const auto refused = [&](const std::string& runs, std::string why) {
        const std::string said = finish_with(runs);
        if (const std::size_t at = why.find("RUN"); at != std::string::npos) why.replace(at, 3, the_id);
        BOOST_TEST(said.find(why) != std::string::npos, said);
        BOOST_TEST(count() == "0");
        BOOST_TEST(database.value("SELECT count(*) FROM dormouse.runs WHERE status = 'completed'") == "0");
    };
    refused(R"([{"task": "a"}, {"tsk": "b"}])",
            "follow-up 2 of run RUN: unknown member \"tsk\", expected one of task, payload");
    refused(R"([{"payload": 1}])", "follow-up 1 of run RUN: there is no task");
    refused(R"([{"task": null}])", "follow-up 1 of run RUN: there is no task");
    refused(R"([{"task": "a", "priority": "high"}])",
            "follow-up 1 of run RUN (task \"a\"): invalid input syntax for type integer: \"high\"");
    refused(R"([{"task": "a", "priority": 40000}])", "follow-up 1 of run RUN (task \"a\")");
    refused(R"([{"task": "a", "queue": ""}])", "bytes, expected 1 to 48");
    refused(R"([{"task": "a", "run_at": "soon"}])", "\"soon\"");
    refused(R"([{"task": "a", "run_at": "2126-01-01", "delay": 3}])", "run_at and delay exclude each other");
    refused(R"([{"task": "a", "payload": "\u0000"}])", "follow-ups of run RUN");
    refused(R"({"task": "a"})", "follow-ups of run RUN: expected an array of runs, found object");
    refused("[7]", "follow-up 1 of run RUN: expected an object, found number");
    refused("[", "follow-ups of run RUN: invalid input syntax for type json");
}

BOOST_AUTO_TEST_CASE(a_completion_enqueues_at_most_1000) {
    const auto many = [](int count) {
        std::string runs = "[";
        for (int n = 0; n < count; ++n) runs += std::string(n == 0 ? "" : ",") + R"({"task": "a"})";
        return runs + "]";
    };
    BOOST_TEST(finish_with(many(1'000)) == "default");
    BOOST_TEST(count() == "1000");
    for (const int count_of : {1'001, 50'000})
        BOOST_TEST(finish_with(many(count_of)).find(std::to_string(count_of) + " runs, expected at most 1000") !=
                   std::string::npos);
    BOOST_TEST(count() == "1000");
}

BOOST_AUTO_TEST_CASE(whatever_somebodys_trigger_says_names_the_run) {
    database.exec(
        "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "RAISE EXCEPTION 'not this one' USING ERRCODE = NEW.payload #>> '{}'; END $$;"
        "CREATE TRIGGER no BEFORE INSERT ON dormouse.runs_live FOR EACH ROW WHEN (NEW.task = 'odd') "
        "EXECUTE FUNCTION no()");
    for (const char* const code : {"APP01", "0A000", "42501", "42P01", "P0001", "21000", "53100", "40001"}) {
        const std::string said =
            finish_with(R"([{"task": "a"}, {"task": "odd", "payload": ")" + std::string(code) + "\"}]");
        const std::string place = "follow-up 2 of run " + the_id + " (task \"odd\"): not this one (22023)";
        BOOST_TEST(said.find(place) != std::string::npos, said);
        BOOST_TEST(count() == "0");
        database.exec("DELETE FROM dormouse.runs");
    }
}

BOOST_AUTO_TEST_CASE(a_key_of_an_open_transaction_is_waited_for_as_long_as_the_session_says) {
    BOOST_TEST_REQUIRE(session.script("patience", "SET lock_timeout = '100ms'").has_value());
    auto open = database.connect();
    BOOST_TEST_REQUIRE(open.script("open", "BEGIN; SELECT dormouse.enqueue('t', key => 'k')").has_value());
    const std::string said = finish_with(R"([{"task": "t", "key": "k"}])");
    BOOST_TEST(said.find("(55P03)") != std::string::npos, said);
    BOOST_TEST(said.find("follow-up 1 of run " + the_id) != std::string::npos, said);
}

BOOST_AUTO_TEST_CASE(only_an_end_of_this_very_transaction_enqueues) {
    const std::string runs = R"([{"task": "next"}])";
    const auto [id, fence] = claimed();
    BOOST_TEST(next(id, fence, runs) == "");  // it is still running
    BOOST_TEST(finish(id, fence));
    BOOST_TEST(next(id, fence, runs) == "");  // it was completed by a transaction whose answer was lost, perhaps
    for (const auto& [status, queues] : {std::pair{"canceled", ""}, std::pair{"failed", "default"}}) {
        const auto [ended, its_fence] = claimed();
        BOOST_TEST_REQUIRE(session.script("begin", "BEGIN").has_value());
        BOOST_TEST(finish(ended, its_fence, status));
        BOOST_TEST(next(ended, its_fence, runs) == queues);
        BOOST_TEST_REQUIRE(session.script("rollback", "ROLLBACK").has_value());
        database.exec("DELETE FROM dormouse.runs");
    }
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
    const auto run = session.ask("claim", sql::claim,
                                 {"{default}", "10", worker, "300000", "1000000", known_tasks, known_slots, "{}"});
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
