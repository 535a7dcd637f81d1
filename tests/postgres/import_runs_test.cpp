// dormouse.import_runs(): spooled runs in the database's words.
#include <boost/test/unit_test.hpp>

#include "base/uuid.h"
#include "support/cluster.h"

BOOST_AUTO_TEST_SUITE(import_runs, *boost::unit_test::precondition(dormouse::testing::has_postgres))

using namespace dormouse;
using namespace dormouse::testing;

namespace {

/// Imports one file; "outcome" or "outcome: reason".
std::string import_file(TestDatabase& database, const std::string& id, const std::string& text) {
    return database.value("SELECT outcome || coalesce(': ' || reason, '') FROM dormouse.import_runs(ARRAY['" + id +
                          "']::uuid[], ARRAY[$f$" + text + "$f$], 'default')");
}

std::string count(TestDatabase& database) {
    return database.value("SELECT count(*) FROM dormouse.runs");
}

const std::string some_id = "01900000-0000-7000-8000-000000000001";

}  // namespace

BOOST_AUTO_TEST_CASE(a_file_becomes_a_run_with_the_id_of_its_name) {
    TestDatabase database;
    BOOST_TEST(
        import_file(
            database, some_id,
            R"({"task": "t", "payload": {"n": 1e3}, "queue": "slow", "priority": 7, "key": "k", "max_attempts": 3,
                          "run_at": "2040-01-01T00:00:00Z", "timeout": "1h30min", "traceparent": "x"})") == "imported");
    BOOST_TEST(
        database.value("SELECT concat_ws(' ', id, task, payload, queue, priority, key, max_attempts, timeout_ms, "
                       "extract(year FROM run_at AT TIME ZONE 'UTC'), traceparent, status) FROM dormouse.runs") ==
        some_id + " t {\"n\": 1000} slow 7 k 3 5400000 2040 x queued");
}

BOOST_AUTO_TEST_CASE(what_is_not_said_is_as_with_enqueue) {
    TestDatabase database;
    BOOST_TEST(import_file(database, some_id, R"({"task": "t"})") == "imported");
    BOOST_TEST(database.value("SELECT concat_ws(' ', queue, payload, priority, run_at <= now()) FROM dormouse.runs") ==
               "default {} 0 t");
}

BOOST_AUTO_TEST_CASE(the_same_file_is_imported_once_also_after_its_run_has_finished) {
    TestDatabase database;
    const std::string text = R"({"task": "t"})";
    BOOST_TEST(import_file(database, some_id, text) == "imported");
    BOOST_TEST(import_file(database, some_id, text) == "known");
    database.exec("UPDATE dormouse.runs SET status = 'completed'");
    BOOST_TEST(import_file(database, some_id, text) == "known");
    database.exec("DELETE FROM dormouse.runs");
    BOOST_TEST(import_file(database, some_id, text) == "known");
    BOOST_TEST(count(database) == "0");
}

BOOST_AUTO_TEST_CASE(a_key_that_is_taken_makes_no_second_run) {
    TestDatabase database;
    database.exec("SELECT dormouse.enqueue('t', key => 'k')");
    BOOST_TEST(import_file(database, some_id, R"({"task": "t", "key": "k"})") == "known");
    BOOST_TEST(count(database) == "1");
}

BOOST_AUTO_TEST_CASE(values_that_the_database_refuses_leave_the_others_alone) {
    TestDatabase database;
    const char* const bad[] = {R"({"task": "t", "payload": "\u0000"})",
                               R"({"task": "t", "payload": 1e200000})",
                               R"({"task": ""})",
                               R"({"task": "t", "priority": 40000})",
                               R"({"task": "t", "run_at": "tomorrowish"})",
                               R"({"task": "t", "timeout": "soon"})",
                               R"({"task": "t", "max_attempts": 0})"};
    int number = 10;
    for (const char* text : bad) {
        const std::string good = Uuid::time_ordered().to_string();
        const std::string id = "01900000-0000-7000-8000-0000000000" + std::to_string(number++);
        const std::string seen =
            database.value("SELECT string_agg(outcome, ' ') FROM dormouse.import_runs(ARRAY['" + id + "', '" + good +
                           "']::uuid[], ARRAY[$f$" + text + "$f$, '{\"task\": \"t\"}'], 'default')");
        BOOST_TEST(seen == "refused imported", text);
        BOOST_TEST(database.value("SELECT count(*) FROM dormouse.imports WHERE id = '" + id + "'") ==
                   "0");  // may be repaired
    }
    const std::string deep = R"({"task": "t", "payload": )" + std::string(50'000, '[') + std::string(50'000, ']') + "}";
    BOOST_TEST(import_file(database, some_id, deep).starts_with("refused: "));
}

BOOST_AUTO_TEST_CASE(an_id_that_is_taken_by_another_run_is_refused) {
    TestDatabase database;
    database.exec("INSERT INTO dormouse.runs (id, task) VALUES ('" + some_id + "', 'other')");
    BOOST_TEST(import_file(database, some_id, R"({"task": "t"})").starts_with("refused: "));
}

BOOST_AUTO_TEST_CASE(an_id_of_a_finished_run_is_refused) {
    TestDatabase database;
    database.exec("INSERT INTO dormouse.runs (id, task) VALUES ('" + some_id +
                  "', 'other');"
                  "UPDATE dormouse.runs SET status = 'completed'");
    BOOST_TEST(import_file(database, some_id, R"({"task": "t"})") ==
               "refused: a run of the id " + some_id + " has finished already");
    BOOST_TEST(count(database) == "1");
}

BOOST_AUTO_TEST_CASE(whatever_somebodys_trigger_says_is_about_that_file_alone) {
    TestDatabase database;
    database.exec(
        "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "RAISE EXCEPTION 'not this one' USING ERRCODE = NEW.payload #>> '{}'; END $$;"
        "CREATE TRIGGER no BEFORE INSERT ON dormouse.runs_live FOR EACH ROW WHEN (NEW.task = 'odd') "
        "EXECUTE FUNCTION no()");
    const auto import_both = [&](const std::string& code) {
        return "SELECT string_agg(concat_ws(': ', outcome, reason), ' ') FROM dormouse.import_runs(ARRAY["
               "dormouse.new_id(), dormouse.new_id()], ARRAY['{\"task\": \"odd\", \"payload\": \"" +
               code + "\"}', '{\"task\": \"t\"}'], 'default')";
    };
    for (const char* const code : {"APP01", "0A000", "42501", "42P01", "42883", "P0001", "P0002", "21000", "XX000",
                                   "55000", "57P03", "53100", "40001", "40P01", "25006", "55P03", "58030"})
        BOOST_TEST(database.value(import_both(code)) == "refused: not this one imported", code);
    BOOST_TEST(count(database) == "17");
}

// What a trigger asks for and does not get speaks as if of the session, the server or its files.
BOOST_AUTO_TEST_CASE(whatever_somebodys_trigger_meets_is_about_that_file_alone) {
    TestDatabase database;
    database.exec("CREATE SEQUENCE public.unused; CREATE EXTENSION dblink SCHEMA public");
    for (const auto& [statement, said] :
         {std::pair{"currval('public.unused')", "is not yet defined"},
          std::pair{"pg_read_file('/nowhere/at/all')", "could not open file"},
          std::pair{"public.dblink_connect('host=/nowhere')", "could not establish connection"}}) {
        database.exec("DROP TRIGGER IF EXISTS no ON dormouse.runs_live");
        database.exec("CREATE OR REPLACE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM " +
                      std::string(statement) +
                      "; RETURN NEW; END $$; CREATE TRIGGER no BEFORE INSERT ON dormouse.runs_live FOR EACH ROW WHEN "
                      "(NEW.task = 'odd') EXECUTE FUNCTION no()");
        const std::string outcomes = database.value(
            "SELECT string_agg(concat_ws(': ', outcome, reason), ' ') FROM dormouse.import_runs(ARRAY["
            "dormouse.new_id(), dormouse.new_id()], ARRAY['{\"task\": \"odd\"}', '{\"task\": \"t\"}'], 'default')");
        BOOST_TEST(outcomes.starts_with("refused: "), outcomes);
        BOOST_TEST(outcomes.find(said) != std::string::npos, outcomes);
        BOOST_TEST(outcomes.ends_with(" imported"), outcomes);
    }
    BOOST_TEST(count(database) == "3");
}

BOOST_AUTO_TEST_CASE(a_key_of_an_open_transaction_is_waited_for_half_a_second) {
    TestDatabase database;
    auto open = database.connect();
    BOOST_TEST_REQUIRE(open.script("open", "BEGIN; SELECT dormouse.enqueue('t', key => 'k')").has_value());
    auto session = database.connect();
    const std::string import_it = "SELECT outcome FROM dormouse.import_runs(ARRAY['" + some_id +
                                  "']::uuid[], ARRAY['{\"task\": \"t\", \"key\": \"k\"}'], 'default')";
    const auto later = session.ask("import", import_it);
    BOOST_TEST_REQUIRE(!later);
    BOOST_TEST((later.error().kind == ErrorKind::conflict));
    BOOST_TEST(later.error().message.find("spooled run " + some_id) != std::string::npos, later.error().message);
    BOOST_TEST_REQUIRE(open.script("open", "COMMIT").has_value());
    BOOST_TEST(session.ask("import", import_it)->text(0, 0) == "known");
}

BOOST_AUTO_TEST_CASE(what_was_imported_a_month_ago_is_forgotten) {
    TestDatabase database;
    database.exec("INSERT INTO dormouse.imports VALUES ('" + some_id + "', now() - interval '31 days')");
    BOOST_TEST(import_file(database, Uuid::time_ordered().to_string(), R"({"task": "t"})") == "imported");
    BOOST_TEST(database.value("SELECT count(*) FROM dormouse.imports") == "1");
}

BOOST_AUTO_TEST_SUITE_END()
