// A key and its run: whoever asks with a key gets a run that is there, whatever was done to the tables.
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <vector>

#include "support/cluster.h"

namespace keys {

using namespace dormouse;
using namespace dormouse::testing;

namespace {

struct Fixture {
    TestDatabase database;

    std::string enqueue(const std::string& key) {
        return database.value("SELECT dormouse.enqueue('t', key => $1)", {key});
    }
    std::string many(const std::string& keys) {
        return database.value(
            "SELECT string_agg(id::text, ' ') FROM dormouse.enqueue_many('t', "
            "array_fill('{}'::jsonb, ARRAY[cardinality($1::text[])]), keys => $1::text[]) id",
            {keys});
    }
    std::string runs_of(const std::string& id) {
        return database.value("SELECT count(*) FROM dormouse.runs WHERE id = $1", {id});
    }
    std::string keys() { return database.value("SELECT string_agg(key, ' ' ORDER BY key) FROM dormouse.keys"); }
    /// How long a statement takes, in ms, as the server sees it.
    double cost(const std::string& sql) {
        const auto begin = std::chrono::steady_clock::now();
        database.exec(sql);
        return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
    }
};

}  // namespace

}  // namespace keys

BOOST_FIXTURE_TEST_SUITE(keys, Fixture, *boost::unit_test::precondition(has_postgres))

BOOST_AUTO_TEST_CASE(a_key_whose_run_is_gone_is_taken_over) {
    const struct {
        const char* how;
        bool forgotten;  ///< at once; else when somebody asks for it
    } ways[] = {
        {"DELETE FROM dormouse.runs", true},
        {"TRUNCATE dormouse.runs", true},
        {"TRUNCATE dormouse.runs_live", true},
        {"DELETE FROM dormouse.runs_live", false},
        {"UPDATE dormouse.runs SET status = 'canceled'; DELETE FROM dormouse.runs WHERE status = 'canceled'", true},
        {"UPDATE dormouse.runs SET status = 'canceled'; TRUNCATE dormouse.runs_finished", false},
        {"UPDATE dormouse.runs SET status = 'canceled'; "
         "ALTER TABLE dormouse.runs_finished DETACH PARTITION dormouse.runs_finished_default; "
         "DROP TABLE dormouse.runs_finished_default; "
         "CREATE TABLE dormouse.runs_finished_default PARTITION OF dormouse.runs_finished DEFAULT",
         false},
    };
    for (const auto& way : ways) {
        const std::string old = enqueue("k");
        enqueue("other");
        database.exec(way.how);
        BOOST_TEST(runs_of(old) == "0", way.how);
        BOOST_TEST(keys() == (way.forgotten ? "" : "k other"), way.how);
        const std::string id = enqueue("k");
        BOOST_TEST(id != old, way.how);
        BOOST_TEST(runs_of(id) == "1", way.how);
        BOOST_TEST(enqueue("k") == id, way.how);
        const std::string several = many("{k,other,new,other}");
        BOOST_TEST(several.substr(0, 36) == id, way.how);
        BOOST_TEST(several.substr(37, 36) == several.substr(111, 36), way.how);
        for (const std::size_t at : {0U, 37U, 74U}) BOOST_TEST(runs_of(several.substr(at, 36)) == "1", way.how);
        BOOST_TEST(database.value("SELECT count(*) FROM dormouse.runs") == "3", way.how);
        database.exec("DELETE FROM dormouse.runs; DELETE FROM dormouse.keys");
    }
}

BOOST_AUTO_TEST_CASE(every_way_in_takes_it_over) {
    database.exec(
        "SELECT dormouse.enqueue('t', key => n::text) FROM generate_series(1, 2) n; DELETE FROM dormouse.runs_live");
    database.exec("INSERT INTO dormouse.runs (task, key) VALUES ('t', '1')");
    BOOST_TEST(database.value("SELECT outcome FROM dormouse.import_runs(ARRAY[dormouse.new_id()], "
                              "ARRAY['{\"task\": \"t\", \"key\": \"2\"}'], 'default')") == "imported");
    BOOST_TEST(database.value("SELECT count(*) FROM dormouse.runs r JOIN dormouse.keys k ON k.run_id = r.id") == "2");
}

BOOST_AUTO_TEST_CASE(a_key_that_is_changed_by_sql_changes_its_owner) {
    const std::string id = enqueue("a");
    database.exec("UPDATE dormouse.runs SET key = 'b'");
    BOOST_TEST(enqueue("b") == id);
    BOOST_TEST(enqueue("a") != id);
    BOOST_CHECK_EXCEPTION(database.exec("UPDATE dormouse.runs SET key = 'a' WHERE key = 'b'"), std::runtime_error,
                          [](const std::runtime_error& error) {
                              return std::string(error.what()).find("is taken by another run") != std::string::npos;
                          });
    database.exec("UPDATE dormouse.runs SET key = NULL WHERE key = 'b'");
    BOOST_TEST(keys() == "a");
    database.exec("UPDATE dormouse.runs SET task = 'u' WHERE key = 'a'");
    BOOST_TEST(database.value("SELECT task FROM dormouse.keys") == "u");
}

BOOST_AUTO_TEST_CASE(a_run_that_finishes_keeps_its_key_however_long_ago_it_was_taken) {
    const std::string id = enqueue("k");
    database.exec("UPDATE dormouse.runs SET status = 'completed', finished_at = '2001-01-01'");  // before its key
    BOOST_TEST(enqueue("k") == id);
    BOOST_TEST(many("{k}") == id);
}

// As they come with the history of another queue.
BOOST_AUTO_TEST_CASE(a_finished_run_that_is_inserted_owns_its_key) {
    const auto insert = [&](const std::string& key, const std::string& finished_at) {
        return database.value(
            "INSERT INTO dormouse.runs (task, key, status, finished_at) VALUES ('t', $1, 'completed', $2) RETURNING id",
            {key, finished_at});
    };
    for (const char* const finished_at : {"now", "2001-01-01"}) {
        const std::string key = finished_at;
        const std::string id = insert(key, finished_at);
        BOOST_TEST(enqueue(key) == id);
        BOOST_TEST(many("{" + key + "}") == id);
        BOOST_CHECK_THROW(insert(key, finished_at), std::runtime_error);
        BOOST_CHECK_THROW(database.exec("INSERT INTO dormouse.runs (task, key) VALUES ('t', '" + key + "')"),
                          std::runtime_error);
    }
    enqueue("live");
    BOOST_CHECK_THROW(insert("live", "now"), std::runtime_error);
    BOOST_CHECK_THROW(database.exec("INSERT INTO dormouse.runs (task, key, status, finished_at) VALUES "
                                    "('t', 'twice', 'failed', '2001-01-01'), ('t', 'twice', 'failed', '2001-01-02')"),
                      std::runtime_error);
    BOOST_TEST(keys() == "2001-01-01 live now");
    database.exec("DELETE FROM dormouse.runs WHERE status = 'completed'");
    BOOST_TEST(keys() == "live");
}

BOOST_AUTO_TEST_CASE(a_run_that_has_lost_its_key_can_end_all_the_same) {
    const std::string id = enqueue("k");
    database.exec("DELETE FROM dormouse.keys");
    BOOST_TEST(enqueue("k") != id);
    BOOST_TEST(database.value("SELECT dormouse.cancel($1)", {id}) == "canceled: it was queued");
    database.exec("UPDATE dormouse.runs SET status = 'completed' WHERE status = 'queued'");
    BOOST_TEST(database.value("SELECT string_agg(status, ' ' ORDER BY status) FROM dormouse.runs") ==
               "canceled completed");
}

BOOST_AUTO_TEST_CASE(a_row_that_is_not_inserted_takes_no_key) {
    const std::string id = enqueue("a");
    database.exec("INSERT INTO dormouse.runs (id, task, key) VALUES ('" + id + "', 't', 'b') ON CONFLICT DO NOTHING");
    BOOST_TEST(keys() == "a");
    BOOST_TEST(enqueue("b") != id);
    BOOST_TEST(enqueue("a") == id);
}

BOOST_AUTO_TEST_CASE(many_have_a_time_or_a_delay) {
    BOOST_CHECK_EXCEPTION(
        database.exec("SELECT dormouse.enqueue_many('t', ARRAY['1']::jsonb[], run_at => now(), delay => '1 h')"),
        std::runtime_error, [](const std::runtime_error& error) {
            return std::string(error.what()).find("run_at and delay exclude each other") != std::string::npos;
        });
}

// Both wait for "m" first: without one order of the keys each would then hold what the other wants.
BOOST_AUTO_TEST_CASE(producers_with_the_same_keys_in_opposite_order_wait_for_each_other_and_do_not_deadlock) {
    auto holds = database.connect();
    BOOST_TEST_REQUIRE(holds.script("m", "BEGIN; SELECT dormouse.enqueue('t', key => 'm')").has_value());
    auto up = database.connect();
    auto down = database.connect();
    const auto waiting = [&](const std::string& count) {
        const auto end = BootClock::now() + std::chrono::seconds(60);
        while (database.value("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND "
                              "wait_event = 'transactionid'") != count)
            BOOST_TEST_REQUIRE((BootClock::now() < end));
    };
    const auto many_of = [](const std::string& keys) {
        return "SELECT dormouse.enqueue_many('t', ARRAY['1', '2', '3']::jsonb[], keys => ARRAY[" + keys + "])";
    };
    BOOST_TEST_REQUIRE(PQsendQuery(up.get(), many_of("'a', 'm', 'z'").c_str()) == 1);
    waiting("1");
    BOOST_TEST_REQUIRE(PQsendQuery(down.get(), many_of("'z', 'm', 'a'").c_str()) == 1);
    waiting("2");
    BOOST_TEST_REQUIRE(holds.script("m", "COMMIT").has_value());
    for (const auto* const one : {&up, &down})
        while (PGresult* const result = PQgetResult(one->get())) {
            BOOST_TEST(PQresultStatus(result) == PGRES_TUPLES_OK, PQresultErrorMessage(result));
            PQclear(result);
        }
    BOOST_TEST(database.value("SELECT count(*) || ' ' || count(DISTINCT key) FROM dormouse.runs") == "3 3");
}

BOOST_AUTO_TEST_CASE(an_owner_that_waits_elsewhere_is_not_taken_for_gone) {
    auto first = database.connect();
    auto second = database.connect();
    BOOST_TEST_REQUIRE(first.script("first", "BEGIN; SELECT dormouse.enqueue('t', key => 'b')").has_value());
    BOOST_TEST_REQUIRE(PQsendQuery(second.get(),
                                   "SELECT dormouse.enqueue_many('t', ARRAY['1', '2']::jsonb[], "
                                   "keys => ARRAY['a', 'b'])") == 1);
    const auto end = BootClock::now() + std::chrono::seconds(60);
    while (database.value("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND "
                          "wait_event = 'transactionid'") != "1")
        BOOST_TEST_REQUIRE((BootClock::now() < end));
    BOOST_TEST_REQUIRE(first.script("first", "COMMIT").has_value());
    while (PGresult* const result = PQgetResult(second.get())) {
        BOOST_TEST(PQresultStatus(result) == PGRES_TUPLES_OK, PQresultErrorMessage(result));
        PQclear(result);
    }
    BOOST_TEST(database.value("SELECT count(*) || ' ' || count(DISTINCT key) FROM dormouse.runs") == "2 2");
}

BOOST_AUTO_TEST_CASE(a_run_that_is_moved_while_somebody_asks_to_watch_it_fails_nobody) {
    const std::string id = enqueue("k");
    auto other = database.connect();
    BOOST_TEST_REQUIRE(other.script("move", "BEGIN; UPDATE dormouse.runs SET status = 'completed'").has_value());
    auto asks = database.connect();
    BOOST_TEST_REQUIRE(PQsendQuery(asks.get(), "SELECT dormouse.enqueue('t', key => 'k', watched => true)") == 1);
    const auto end = BootClock::now() + std::chrono::seconds(60);
    while (database.value("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND "
                          "wait_event_type = 'Lock'") != "1")
        BOOST_TEST_REQUIRE((BootClock::now() < end));
    BOOST_TEST_REQUIRE(other.script("move", "COMMIT").has_value());
    PGresult* const result = PQgetResult(asks.get());
    BOOST_TEST_REQUIRE(PQresultStatus(result) == PGRES_TUPLES_OK, PQresultErrorMessage(result));
    BOOST_TEST(PQgetvalue(result, 0, 0) == id);
    PQclear(result);
}

BOOST_AUTO_TEST_CASE(an_id_that_was_used_again_has_one_result) {
    const std::string id = enqueue("k");
    database.exec("UPDATE dormouse.runs SET status = 'completed', result = '1'");
    database.exec("INSERT INTO dormouse.runs (id, task) VALUES ('" + id + "', 't')");
    const std::string result = "SELECT string_agg(status, ' ') FROM dormouse.result('" + id + "')";
    BOOST_TEST(database.value(result) == "queued");
    database.exec("UPDATE dormouse.runs SET status = 'failed' WHERE status = 'queued'");
    BOOST_TEST(database.value(result) == "failed");
}

BOOST_AUTO_TEST_CASE(many_keys_cost_what_they_are_whatever_the_statistics_say) {
    const auto batch = [&](const std::string& task, int count) {
        const std::string n = std::to_string(count);
        return cost("SELECT dormouse.enqueue_many('" + task + "', array_fill('{}'::jsonb, ARRAY[" + n +
                    "]), keys => ARRAY(SELECT n::text FROM generate_series(1, " + n + ") n))");
    };
    const double without = batch("a", 30'000);
    database.exec("ANALYZE");
    const double with = batch("b", 30'000);
    const double again = batch("b", 30'000);
    const double small = batch("c", 10'000);
    const double large = batch("d", 40'000);
    BOOST_TEST_MESSAGE("30,000 keys: " << without << " ms, after ANALYZE " << with << ", again " << again
                                       << "; 10,000: " << small << ", 40,000: " << large);
    BOOST_TEST(with < 5 * without);
    BOOST_TEST(again < 5 * without);
    BOOST_TEST(large < 4 * 3 * small);
    BOOST_TEST(database.value("SELECT count(*) FROM dormouse.runs") == "110000");
}

BOOST_AUTO_TEST_CASE(a_plan_made_while_there_were_few_keys_serves_many) {
    enqueue("first");
    database.exec("ANALYZE");  // one key: a plan of now would read all of the table
    const auto batch = [&](int from, int until) {
        return cost("SELECT dormouse.enqueue('t', key => n::text) FROM generate_series(" + std::to_string(from) + ", " +
                    std::to_string(until) + ") n");
    };
    database.exec("BEGIN");
    const double first = batch(1, 5'000);
    batch(5'001, 15'000);
    const double last = batch(15'001, 20'000);
    database.exec("COMMIT");
    BOOST_TEST_MESSAGE("keys 1 to 5,000: " << first << " ms, 15,001 to 20,000: " << last);
    BOOST_TEST(last < 3 * first);
}

BOOST_AUTO_TEST_SUITE_END()
