// What an operation on one run costs when 110 days are kept: locks and pages, not times. And that each finished run is
// found by its id, whatever its id and its times are.
#include <boost/test/unit_test.hpp>

#include "sql/embedded.h"
#include "support/pool_bench.h"
#include "support/process.h"

using namespace dormouse;
using namespace dormouse::testing;

namespace {

/// A database that keeps so many days, with a finished run in each that is over: partitions as retention makes them.
struct History {
    TestDatabase database;
    std::string old;  ///< the run of the oldest day

    explicit History(int days) {
        const std::string n = std::to_string(days - 1);
        database.exec(
            "DO $$ DECLARE day date; name text; BEGIN FOR i IN -8 .. " + n +
            " LOOP day := current_date - i; name := 'runs_finished_' || to_char(day, 'YYYYMMDD');"
            " EXECUTE format('CREATE TABLE dormouse.%I (LIKE dormouse.runs_finished INCLUDING DEFAULTS INCLUDING "
            "CONSTRAINTS)', name);"
            " EXECUTE format('ALTER TABLE dormouse.runs_finished ATTACH PARTITION dormouse.%I FOR VALUES FROM (%L) TO "
            "(%L)', name, day, day + 1); END LOOP; END $$");
        for (int day = 0; day < days; ++day) {
            const std::string time = "now() - interval '" + std::to_string(day) + " days 1 minute'";
            old = finished(id_at(time), time);
        }
    }
    /// An id that was made at that time.
    std::string id_at(const std::string& time) {
        return database.value(
            "SELECT (left(h, 8) || '-' || right(h, 4) || '-7' || substr(gen_random_uuid()::text, 16))::uuid FROM "
            "lpad(to_hex((extract(epoch FROM " +
            time + ") * 1000)::bigint), 12, '0') h");
    }
    std::string finished(const std::string& id, const std::string& time) {
        database.exec(
            "INSERT INTO dormouse.runs (id, task, status, created_at, started_at, finished_at, worker, last_fence) "
            "VALUES ('" +
            id + "', 't', 'completed', " + time + ", " + time + ", " + time + ", gen_random_uuid(), 1)");
        return id;
    }
    /// So many more, one after the other in the last three days.
    void fill(const std::string& status, int runs) {
        database.exec(
            "SET session_replication_role = replica; INSERT INTO dormouse.runs_finished (id, task, status, created_at, "
            "started_at, finished_at, worker, last_fence) SELECT (left(h, 8) || '-' || right(h, 4) || '-7' || "
            "substr(gen_random_uuid()::text, 16))::uuid, 't', '" +
            status + "', t, t, t, gen_random_uuid(), 1 FROM generate_series(1, " + std::to_string(runs) +
            ") n, LATERAL (SELECT now() - interval '1 minute' - n * interval '2 days' / " + std::to_string(runs) +
            " AS t) a, LATERAL lpad(to_hex((extract(epoch FROM t) * 1000)::bigint), 12, '0') h; RESET "
            "session_replication_role");
    }
    std::string found(const std::string& id) {
        return database.value("SELECT count(*) FROM dormouse.result('" + id + "')");
    }
    /// What a statement costs when it comes again: locks on tables and indexes, and pages.
    std::pair<int, int> cost(const std::string& sql) {
        database.exec("BEGIN; " + sql + "; ROLLBACK; BEGIN; " + sql);
        const int locks = std::stoi(
            database.value("SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'relation'"));
        database.exec("ROLLBACK; BEGIN");
        const std::string plan = database.value("EXPLAIN (ANALYZE, BUFFERS, FORMAT json) " + sql);
        database.exec("ROLLBACK");
        const int pages = std::stoi(database.value(
            "SELECT ($1::json -> 0 -> 'Plan' ->> 'Shared Hit Blocks')::int + ($1::json -> 0 -> 'Plan' ->> 'Shared Read "
            "Blocks')::int",
            {plan}));
        return {locks, pages};
    }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(history, *boost::unit_test::precondition(has_postgres))

BOOST_AUTO_TEST_CASE(a_run_is_found_and_changed_by_its_id_at_the_cost_of_a_few_days) {
    History one(1);
    History many(110);
    const std::string live = many.database.value("SELECT dormouse.enqueue('t')");
    const auto at = [](const std::string& sql, const std::string& id) {
        return sql.substr(0, sql.find("ID")) + "'" + id + "'" + sql.substr(sql.find("ID") + 2);
    };
    for (const std::string sql : {"SELECT * FROM dormouse.result(ID)", "SELECT * FROM dormouse.run(ID)",
                                  "SELECT count(*) FROM dormouse.attempts_of(ID)", "SELECT dormouse.retry(ID)",
                                  "SELECT dormouse.archive(ID)", "SELECT dormouse.cancel(ID)"}) {
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

BOOST_AUTO_TEST_CASE(the_runs_of_the_last_hour_are_found_without_looking_into_the_days_before) {
    History many(110);
    auto session = many.database.connect();
    const std::string text = sql::cli::runs;
    const auto plan = session.ask(
        "runs", "EXPLAIN (COSTS off) " + text.substr(text.find("SELECT")),
        {std::nullopt, "t", std::nullopt, many.database.value("SELECT extract(epoch FROM now() - interval '1 hour')"),
         "20", "f", std::nullopt});
    BOOST_TEST_REQUIRE(plan.has_value(), (plan ? "" : plan.error().message));
    int days = 0;
    for (int row = 0; row < plan->rows(); ++row)
        days += std::string(plan->text(row, 0)).find(" on runs_finished_2") != std::string::npos ? 1 : 0;
    BOOST_TEST(days >= 1);
    BOOST_TEST(days <= 11);  // until 8 days from now, and the default partition
}

// What a filter leaves out is walked over once, and not in each batch; what is done in a day costs that day alone.
BOOST_AUTO_TEST_CASE(a_batch_costs_what_it_touches_however_long_history_is) {
    History few(3);
    History many(110);
    for (History* const history : {&few, &many}) {
        history->fill("failed", 1'000);
        history->database.exec("INSERT INTO dormouse.runs (task) SELECT 't' FROM generate_series(1, 1000)");
    }
    for (const std::string call :
         {"archive_runs('failed', max_runs => 100AFTER)", "retry_runs('failed', max_runs => 100AFTER)",
          "retry_runs(task => 't', max_runs => 100AFTER)", "cancel_runs('queued', max_runs => 100AFTER)",
          "archive_runs('completed', older_than => '1 hour', max_runs => 1AFTER)"}) {
        BOOST_TEST_CONTEXT(call) {
            const auto batch = [&](History& history) {
                const std::string from = "SELECT * FROM dormouse.";
                std::string first = call;
                first.replace(first.find("AFTER"), 5, "");
                const std::string next = history.database.value("SELECT next FROM dormouse." + first);
                BOOST_TEST_REQUIRE(next != "");
                std::string second = call;
                second.replace(second.find("AFTER"), 5, ", after => '" + next + "'");
                return history.cost(from + second);
            };
            const auto [locks, pages] = batch(few);
            const auto [more_locks, more_pages] = batch(many);
            BOOST_TEST_MESSAGE(call << ": " << locks << " locks, " << pages << " pages; of 110 days " << more_locks
                                    << ", " << more_pages);
            BOOST_TEST(more_locks <= locks + 20);
            BOOST_TEST(more_pages <= pages + pages / 2 + 500);  // the catalogue says which days there are
        }
    }
}

BOOST_AUTO_TEST_CASE(a_filter_that_finds_little_goes_on_from_where_it_was_until_it_has_seen_all) {
    History history(110);
    history.fill("failed", 15'000);
    history.database.exec("UPDATE dormouse.runs SET task = 'rare' WHERE id = '" + history.old +
                          "' OR finished_at = "
                          "(SELECT max(finished_at) FROM dormouse.runs WHERE status = 'failed')");
    std::string next;
    int calls = 0;
    do {
        const std::string call =
            "dormouse.archive_runs(task => 'rare'" + (next.empty() ? std::string() : ", after => '" + next + "'") + ")";
        const auto [locks, pages] = history.cost("SELECT * FROM " + call);
        BOOST_TEST(pages < 25'000);
        history.database.exec("ROLLBACK");
        next = history.database.value("SELECT next FROM " + call);
    } while (!next.empty() && ++calls < 100);
    BOOST_TEST(calls > 1);
    BOOST_TEST(calls < 20);
    BOOST_TEST(history.database.value("SELECT count(*) FROM dormouse.runs WHERE archived_at IS NOT NULL") == "2");
}

BOOST_AUTO_TEST_CASE(runs_with_a_filter_looks_at_a_part_of_history_and_says_so) {
    History history(110);
    history.fill("completed", 15'000);
    history.fill("failed", 100);
    auto session = history.database.connect();
    BOOST_TEST_REQUIRE(
        session.script("", "SET plan_cache_mode = force_custom_plan; ANALYZE dormouse.runs").has_value());
    const std::string text = sql::cli::runs;
    const auto pages = [&](const std::optional<std::string>& status, const std::optional<std::string>& task) {
        const auto plan =
            session.ask("runs", "EXPLAIN (ANALYZE, BUFFERS, FORMAT json) " + text.substr(text.find("SELECT")),
                        {status, task, std::nullopt, std::nullopt, "20", "f", "10000"});
        BOOST_TEST_REQUIRE(plan.has_value(), (plan ? "" : plan.error().message));
        return std::stoi(
            history.database.value("SELECT ($1::json -> 0 -> 'Plan' ->> 'Shared Hit Blocks')::int + ($1::json -> 0 "
                                   "-> 'Plan' ->> 'Shared Read Blocks')::int",
                                   {std::string(plan->text(0, 0))}));
    };
    BOOST_TEST(pages(std::nullopt, std::nullopt) < 600);
    BOOST_TEST(pages("canceled", std::nullopt) < 600);
    BOOST_TEST(pages("failed", std::nullopt) < 600);
    BOOST_TEST(pages("failed", "nosuch") < 800);
    BOOST_TEST(pages(std::nullopt, "nosuch") < 4'000);
    const std::map<std::string, std::string> environment{{"DATABASE_URL", history.database.url()}};
    const auto cli = [&](std::vector<std::string> arguments) {
        return run(cli_program(std::move(arguments), environment));
    };
    const Ended nothing = cli({"runs", "--task", "nosuch"});
    BOOST_TEST(nothing.exit_code == 0);
    BOOST_TEST(nothing.out == "no runs\n");
    BOOST_TEST(nothing.err.find("only the newest 10000 finished runs") != std::string::npos, nothing.err);
    BOOST_TEST(cli({"runs", "--task", "nosuch", "--since", "200d"}).err == "");
    BOOST_TEST(cli({"runs", "--status", "canceled"}).err == "");
    BOOST_TEST(cli({"runs"}).err == "");
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
