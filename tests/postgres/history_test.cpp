// What an operation on one run costs when 110 days are kept. And that each finished run is found by its id, whatever
// its id and its times are.
#include <boost/test/unit_test.hpp>
#include <regex>

#include "postgres/history_fixture.h"
#include "sql/embedded.h"
#include "support/pool_bench.h"

BOOST_AUTO_TEST_SUITE(history, *boost::unit_test::precondition(dormouse::testing::has_postgres))

using namespace dormouse;
using namespace dormouse::testing;

BOOST_AUTO_TEST_CASE(a_run_is_found_and_changed_by_its_id_at_the_cost_of_a_few_days) {
    History one(1);
    History many(110);
    const std::string live = many.database.value("SELECT dormouse.enqueue('t')");
    const auto at = [](const std::string& sql, const std::string& id) {
        return std::regex_replace(sql, std::regex("\\bID\\b"), "'" + id + "'");
    };
    std::string lines = std::regex_replace(std::string(sql::cli::lines), std::regex("--[^\n]*"), "");
    for (const auto& [parameter, value] : {std::pair("\\$1", "ID"), {"\\$2", "0"}, {"\\$3", "0"}, {"\\$4", "NULL"}})
        lines = std::regex_replace(lines, std::regex(parameter), value);
    for (const std::string& sql :
         {lines, std::string("SELECT count(*) FROM dormouse.logs_of(ID)"),
          std::string("SELECT * FROM dormouse.result(ID)"), std::string("SELECT * FROM dormouse.run(ID)"),
          std::string("SELECT count(*) FROM dormouse.attempts_of(ID)"), std::string("SELECT dormouse.retry(ID)"),
          std::string("SELECT dormouse.archive(ID)"), std::string("SELECT dormouse.cancel(ID)")}) {
        BOOST_TEST_CONTEXT(sql) {
            const auto [locks, pages] = one.cost(at(sql, one.old));
            for (const std::string& id : {many.old, many.id_at("now() - interval '50 days'"),
                                          many.id_at("date_trunc('day', now()) - interval '1 hour'"), live,
                                          std::string("00000000-0000-7000-8000-000000000001")}) {
                const auto [more_locks, more_pages] = many.cost(at(sql, id));
                BOOST_TEST_MESSAGE(sql << ": " << locks << " locks, " << pages << " pages; of 110 days " << more_locks
                                       << ", " << more_pages);
                BOOST_TEST(more_locks <= 40);
                BOOST_TEST(more_pages <= pages + pages / 2 + 10);
            }
        }
    }
    // an UPDATE that a person writes, as docs/runs.md has it
    const auto update = [&](History& history) {
        const std::string time = history.database.value(at("SELECT dormouse.finished_at(ID)", history.old));
        return history.cost(
            at("UPDATE dormouse.runs SET priority = 1 WHERE id = ID AND finished_at = '" + time + "'", history.old));
    };
    const auto [locks_of_update, pages_of_update] = update(many);
    BOOST_TEST(locks_of_update <= 40);
    BOOST_TEST(pages_of_update <= update(one).second + 30);
    const std::string next =
        "SELECT dormouse.enqueue_next(gen_random_uuid(), ARRAY(SELECT gen_random_uuid() FROM generate_series(1, 100)), "
        "array_fill(1::bigint, ARRAY[100]), array_fill('[]'::text, ARRAY[100]))";
    const auto [locks, pages] = many.cost(next);
    BOOST_TEST(locks <= 20);
    BOOST_TEST(pages <= 200);
}

// Whatever the time of the day was when the id was made. What a worker does not note as a stray (finish.sql) lies
// within.
BOOST_AUTO_TEST_CASE(no_id_needs_more_than_three_days) {
    TestDatabase database;
    BOOST_TEST(
        database.value(
            "SELECT max((w.until AT TIME ZONE 'UTC')::date - (w.since AT TIME ZONE 'UTC')::date + 1) || ' days, ' "
            "|| bool_and(w.since < t - interval '1 hour' AND w.until > t + interval '36 hours') FROM "
            "generate_series(timestamptz '2026-03-01 00:00:00+00', '2026-03-02 00:00:00+00', '7 minutes') t, "
            "lpad(to_hex((extract(epoch FROM t) * 1000)::bigint), 12, '0') h, dormouse.finishes_within((left(h, "
            "8) || '-' || right(h, 4) || '-7fff-8000-000000000000')::uuid) w") == "3 days, true");
    // of ids that are no time: neither the first nor the last one is out of the range of timestamptz
    for (const char* const id : {"00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"})
        BOOST_TEST(database.value("SELECT dormouse.finished_at('" + std::string(id) + "') IS NULL") == "t");
}

// Whatever name of the table it was written by, and whoever has moved it later on.
BOOST_AUTO_TEST_CASE(a_run_that_was_written_below_the_table_is_found) {
    History history(30);
    TestDatabase& database = history.database;
    const std::string id = history.id_at("now() - interval '100 days'");
    database.exec("INSERT INTO dormouse.runs_finished (id, task, status, created_at, finished_at) VALUES ('" + id +
                  "', 't', 'completed', now() - interval '100 days', now() - interval '12 days')");
    BOOST_TEST(history.found(id) == "1");
    database.exec("UPDATE dormouse.runs SET finished_at = finished_at - interval '10 days' WHERE id = '" + id + "'");
    BOOST_TEST(history.found(id) == "1");
    const std::string leaf =
        database.value("SELECT max(tableoid::regclass::text) FROM dormouse.runs WHERE id = '" + id + "'");
    const std::string other = history.id_at("now() - interval '200 days'");
    database.exec("INSERT INTO " + leaf + " (id, task, status, created_at, finished_at) SELECT '" + other +
                  "', task, status, created_at, finished_at FROM dormouse.runs WHERE id = '" + id + "'");
    BOOST_TEST(history.found(other) == "1");
}

BOOST_AUTO_TEST_CASE(each_run_is_found_whatever_its_id_and_its_times_are) {
    History history(30);
    TestDatabase& database = history.database;
    for (const char* const age :
         {"1 second", "1 day", "40 hours", "3 days", "20 days", "400 days", "-3 hours", "-3 days"}) {
        for (const char* const ago : {"0", "10 hours", "12 days", "29 days", "100 days"}) {
            const std::string time = "now() - interval '" + std::string(ago) + "'";
            BOOST_TEST(history.found(history.finished(history.id_at(time + " - interval '" + age + "'"), time)) == "1",
                       age << " old, finished " << ago << " ago");
        }
    }
    const std::string random = "11111111-1111-4111-8111-111111111111";
    BOOST_TEST(history.found(history.finished(random, "now() - interval '5 days'")) == "1");
    BOOST_TEST(history.found("22222222-1111-4111-8111-111111111111") == "0");
    // changed afterwards; deleted
    database.exec("UPDATE dormouse.runs SET finished_at = now() - interval '25 days' WHERE id = '" + history.old + "'");
    BOOST_TEST(history.found(history.old) == "1");
    database.exec("UPDATE dormouse.runs SET id = '33333333-1111-4111-8111-111111111111' WHERE id = '" + history.old +
                  "'");
    BOOST_TEST(history.found("33333333-1111-4111-8111-111111111111") == "1");
    database.exec("DELETE FROM dormouse.runs WHERE id = '" + random + "'");
    BOOST_TEST(history.found(random) == "0");
    // of an id that was used again the live one, then the last
    database.exec("INSERT INTO dormouse.runs (id, task) VALUES ('" + history.old + "', 'again')");
    BOOST_TEST(database.value("SELECT status FROM dormouse.run('" + history.old + "')") == "queued");
    // retention forgets strays with their runs
    for (int i = 0;
         i < 400 && database.value("SELECT did FROM dormouse.retain('p', 86400000 * 10::bigint, now())") != ""; ++i) {
    }
    BOOST_TEST(database.value("SELECT count(*) FROM dormouse.strays WHERE finished_at < now() - interval '11 days'") ==
               "0");
}

BOOST_AUTO_TEST_CASE(a_worker_remembers_runs_that_waited_for_days) {
    TestDatabase database;
    PoolBench bench(database.url());
    for (const char* const age : {"1 minute", "30 hours", "2 days", "300 days", "-2 days"}) {
        const std::string id = database.value(
            "INSERT INTO dormouse.runs (id, task) SELECT (left(h, 8) || '-' || right(h, 4) || '-7' || "
            "substr(gen_random_uuid()::text, 16))::uuid, 'echo' FROM lpad(to_hex((extract(epoch FROM now() - interval "
            "'" +
            std::string(age) + "') * 1000)::bigint), 12, '0') h RETURNING id");
        const auto status = [&] { return database.value("SELECT status FROM dormouse.result('" + id + "')"); };
        BOOST_TEST(bench.until([&] { return status() == "completed"; }), age << ": " << status());
    }
    BOOST_TEST(database.value("SELECT count(*) FROM dormouse.strays") == "3");
}

BOOST_AUTO_TEST_CASE(workers_of_long_ago_are_forgotten_a_few_at_a_time) {
    TestDatabase database;
    database.exec(
        "INSERT INTO dormouse.worker_registry (id, pool, queues, host, pid, pid_start, boot_id, version, state, "
        "started_at, left_at) SELECT gen_random_uuid(), 'p', '{}', 'h', 1, 1, gen_random_uuid(), '0', CASE WHEN n % 2 "
        "= "
        "0 THEN 'left' ELSE 'awake' END, now() - interval '100 days', CASE WHEN n % 2 = 0 THEN now() - interval '40 "
        "days' END FROM generate_series(1, 2000) n; ANALYZE dormouse.worker_registry");
    for (int i = 0; i < 2; ++i) {
        PoolBench bench(database.url());
        BOOST_TEST(bench.until([&] {
            return database.value("SELECT count(*) FROM dormouse.worker_registry WHERE id = $1",
                                  {bench.id().to_string()}) == "1";
        }));
    }
    BOOST_TEST(database.value("SELECT count(*) FROM dormouse.worker_registry WHERE host = 'h'") == "1800");
}

BOOST_AUTO_TEST_SUITE_END()
