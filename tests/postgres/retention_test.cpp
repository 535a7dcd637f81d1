// dormouse.retain(): partitions are made ahead and dropped when they are old, rows of the default partition go by
// batches, and nobody waits for it. Time is moved by what the rows say.
#include <array>
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <thread>

#include "postgres/retention_fixture.h"
#include "support/foreground_worker.h"

namespace retention {

using namespace dormouse;
using namespace dormouse::testing;

namespace {

constexpr const char* in_default = "dormouse.runs_finished_default";

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

}  // namespace retention

BOOST_FIXTURE_TEST_SUITE(retention, RetentionFixture, *boost::unit_test::precondition(has_postgres))

BOOST_AUTO_TEST_CASE(partitions_are_made_ahead_and_the_default_one_stays_empty) {
    BOOST_TEST(steps().size() == 9U + 3U + 3U);
    BOOST_TEST(step().did == "");
    database.exec(
        "SELECT dormouse.enqueue('t'); UPDATE dormouse.runs SET status = 'running', started_at = now(), fence = 1, "
        "worker = "
        "gen_random_uuid(), lease_until = now()");
    database.exec("UPDATE dormouse.runs SET status = 'queued'");  // logs an attempt
    database.exec("UPDATE dormouse.runs SET status = 'completed'");
    database.exec("INSERT INTO dormouse.run_logs VALUES (gen_random_uuid(), gen_random_uuid(), 1, 1, now(), '[]')");
    BOOST_TEST(count("dormouse.runs WHERE status = 'completed'") == "1");
    BOOST_TEST(count("dormouse.attempt_log") == "1");
    for (const char* const table : {"runs_finished", "attempt_log", "run_logs"})
        BOOST_TEST(count("dormouse." + std::string(table) + "_default") == "0", table);
    BOOST_TEST(database.value("SELECT max(until) - now() > interval '8 days' FROM dormouse.partitions_of("
                              "'dormouse.runs_finished') WHERE NOT is_default") == "t");
    // each as it would be without
    BOOST_TEST(
        database.value("SELECT count(DISTINCT n) FROM (SELECT count(*) n FROM pg_index JOIN dormouse.partitions_of("
                       "'dormouse.runs_finished') ON indrelid = part WHERE NOT is_default GROUP BY part) i") == "1");
    BOOST_TEST(
        database.value("SELECT bool_and(d LIKE '%(id)') FROM (SELECT pg_get_indexdef(indexrelid) d FROM pg_index JOIN "
                       "dormouse.partitions_of('dormouse.runs_finished') ON indrelid = part WHERE NOT is_default AND "
                       "indpred IS NULL) i") == "t");
}

BOOST_AUTO_TEST_CASE(what_is_older_than_wanted_goes_and_what_is_younger_stays) {
    for (const int days : {45, 32, 29, 1}) {
        day_ago(days);
        finished("t" + std::to_string(days), days, 10);
    }
    const auto done = steps();
    BOOST_TEST(database.value("SELECT string_agg(DISTINCT task, ' ') FROM dormouse.runs") == "t1 t29");
    BOOST_TEST(count("pg_class WHERE relname IN ('runs_finished_ago_45', 'runs_finished_ago_32')") == "0");
    BOOST_TEST(std::count(done.begin(), done.end(), "dropped dormouse.runs_finished_ago_45") == 1);
    BOOST_TEST(std::count(done.begin(), done.end(), "dropped dormouse.runs_finished_ago_32") == 1);
}

BOOST_AUTO_TEST_CASE(what_lies_in_the_default_partition_goes_by_batches) {
    finished("old", 40, 2'500);
    finished("young", 3, 10);
    const auto done = steps();
    BOOST_TEST(std::count(done.begin(), done.end(), "deleted 1000 rows from dormouse.runs_finished_default") == 2);
    BOOST_TEST(database.value("SELECT string_agg(DISTINCT task, ' ') FROM dormouse.runs") == "young");
}

BOOST_AUTO_TEST_CASE(an_archived_run_goes_like_any_other) {
    day_ago(40);
    finished("t", 40);
    database.exec("UPDATE dormouse.runs SET archived_at = now()");
    steps();
    BOOST_TEST(count("dormouse.runs") == "0");
}

BOOST_AUTO_TEST_CASE(a_key_is_free_again_when_its_run_has_gone_and_not_before) {
    day_ago(40);
    database.exec(
        "SELECT dormouse.enqueue('mail', key => 'k' || n) FROM generate_series(1, 1500) n; UPDATE dormouse.runs SET "
        "status = 'completed', finished_at = date_trunc('day', now()) - interval '40 days' + interval '1 hour'");
    const std::string recent = database.value("SELECT dormouse.enqueue('mail', key => 'recent')");
    database.exec("UPDATE dormouse.runs SET status = 'completed' WHERE key = 'recent'");
    // a key that was given to a younger run meanwhile stays with that
    database.exec("UPDATE dormouse.keys SET run_id = gen_random_uuid() WHERE key = 'k7'");
    const auto done = steps();
    BOOST_TEST(std::count(done.begin(), done.end(), "deleted 1000 runs with keys from dormouse.runs_finished_ago_40") ==
               1);
    BOOST_TEST(database.value("SELECT string_agg(key, ' ' ORDER BY key) FROM dormouse.keys") == "k7 recent");
    BOOST_TEST(database.value("SELECT dormouse.enqueue('mail', key => 'recent')") == recent);
    BOOST_TEST(database.value("SELECT count(DISTINCT dormouse.enqueue('mail', key => 'k1'))") == "1");
    BOOST_TEST(count("dormouse.runs WHERE status = 'queued'") == "1");
}

BOOST_AUTO_TEST_CASE(attempts_and_lines_go_by_their_own_age) {
    const std::string write =
        "INSERT INTO dormouse.attempt_log (run_id, worker, fence, started_at, ended_at, outcome) SELECT "
        "gen_random_uuid(), "
        "gen_random_uuid(), 1, t, t, 'retry' FROM unnest(ARRAY[now() - interval '40 days', now() - interval '20 "
        "days']) t;"
        "INSERT INTO dormouse.run_logs SELECT gen_random_uuid(), gen_random_uuid(), 1, 1, t, '[]' FROM "
        "unnest(ARRAY[now() - "
        "interval '40 days', now() - interval '20 days']) t;";
    database.exec(write);  // into the default partitions
    steps();
    for (const char* const table : {"attempt_log", "run_logs"})
        BOOST_TEST(count("dormouse." + std::string(table)) == "1");
    for (const char* const table : {"attempt_log", "run_logs"})
        database.exec(
            "DO $$ BEGIN EXECUTE format('CREATE TABLE dormouse." + std::string(table) + "_ago PARTITION OF dormouse." +
            table + " FOR VALUES FROM (%L) TO (%L)', now() - interval '50 days', now() - interval '35 days'); END $$");
    database.exec(write);
    steps();
    for (const char* const table : {"attempt_log", "run_logs"})
        BOOST_TEST(count("dormouse." + std::string(table)) == "2");
    BOOST_TEST(count("pg_class WHERE relname IN ('attempt_log_ago', 'run_logs_ago')") == "0");
}

BOOST_AUTO_TEST_CASE(of_several_pools_the_longest_wish_counts) {
    day_ago(40);
    finished("t", 40);
    step(90 * day_ms, "careful");
    steps(30 * day_ms, "hasty");
    BOOST_TEST(count("dormouse.runs") == "1");
    step(std::nullopt, "careful");  // for ever
    steps(30 * day_ms, "hasty");
    BOOST_TEST(count("dormouse.runs") == "1");
    database.exec("DELETE FROM dormouse.retention WHERE pool = 'careful'");
    steps(30 * day_ms, "hasty");
    BOOST_TEST(count("dormouse.runs") == "0");
}

BOOST_AUTO_TEST_CASE(what_is_kept_longer_is_in_wider_partitions) {
    steps(365 * day_ms);
    BOOST_TEST(count("dormouse.partitions_of('dormouse.runs_finished')") == "4");  // three weeks, and the default one
    steps(std::nullopt);
    BOOST_TEST(database.value("SELECT max(until) > now() + interval '2 months' FROM dormouse.partitions_of("
                              "'dormouse.runs_finished') WHERE NOT is_default") == "t");
    BOOST_TEST(steps(std::nullopt).empty());
}

BOOST_AUTO_TEST_CASE(a_database_whose_clock_runs_ahead_forgets_nothing) {
    day_ago(40);
    finished("t", 40);
    while (!step(30 * day_ms, "default", -20 * day_ms).did.empty()) {
    }
    BOOST_TEST(count("dormouse.runs") == "1");
    steps();
    BOOST_TEST(count("dormouse.runs") == "0");
}

BOOST_AUTO_TEST_CASE(after_a_long_sleep_the_partition_of_today_begins_behind_what_came_meanwhile) {
    database.exec(
        "INSERT INTO dormouse.runs (task, status, finished_at) SELECT 'meanwhile', 'completed', now() - n * interval "
        "'1 hour' FROM generate_series(0, 100) n");
    steps();
    BOOST_TEST(count(in_default) == "101");
    database.exec("INSERT INTO dormouse.runs (task, status, finished_at) SELECT 'now', 'completed', clock_timestamp()");
    BOOST_TEST(count(in_default) == "101");
    BOOST_TEST(count("dormouse.runs WHERE task = 'now'") == "1");
    // one from the future is in nobody's way either
    database.exec(
        "INSERT INTO dormouse.runs (task, status, finished_at) VALUES ('later', 'completed', now() + interval '20 "
        "days')");
    BOOST_TEST(steps().empty());
}

BOOST_AUTO_TEST_CASE(a_gap_between_partitions_is_closed) {
    database.exec(
        "DO $$ BEGIN EXECUTE format('CREATE TABLE dormouse.runs_finished_beyond PARTITION OF dormouse.runs_finished "
        "FOR "
        "VALUES FROM (%L) TO (%L)', date_trunc('day', now()) + interval '4 days 3 hours', now() + interval '400 "
        "days'); END $$");
    steps();
    BOOST_TEST(
        database.value("SELECT count(*) = 5 AND max(until) = date_trunc('day', now()) + interval '4 days 3 hours' FROM "
                       "dormouse.partitions_of('dormouse.runs_finished') p WHERE NOT is_default AND "
                       "part <> 'dormouse.runs_finished_beyond'::regclass") == "t");
}

BOOST_AUTO_TEST_CASE(a_default_partition_that_has_become_large_is_not_read_while_others_wait) {
    database.exec(
        "ALTER TABLE dormouse.runs_finished_default SET (autovacuum_enabled = off); INSERT INTO dormouse.runs (task, "
        "status, "
        "finished_at, error) SELECT 't', 'failed', now(), to_jsonb(repeat(md5(n::text), 50)) FROM generate_series(1, "
        "40000) n");
    const Step refused = step();
    BOOST_TEST(has(refused.trouble, "dormouse.runs_finished_default has "), refused.trouble);
    database.exec("SELECT dormouse.make_partition('dormouse.runs_finished', 'finished_at', 'day', '8 days', NULL)");
    BOOST_TEST(count("dormouse.partitions_of('dormouse.runs_finished')") == "2");
}

BOOST_AUTO_TEST_CASE(somebody_who_reads_everything_holds_it_up_and_is_not_waited_for) {
    steps();
    day_ago(40);
    finished("t", 40);
    auto reader = database.connect();
    BOOST_REQUIRE(reader.script("", "BEGIN; SELECT count(*) FROM dormouse.runs").has_value());
    BOOST_TEST(has(step().trouble, "locked by postgres (pid "));
    const std::string gid = "'" + database.name() + "'";
    BOOST_REQUIRE(reader.script("", "PREPARE TRANSACTION " + gid).has_value());
    BOOST_TEST(has(step().trouble, "locked by the prepared transaction " + gid));
    BOOST_TEST(count("dormouse.runs") == "1");
    BOOST_REQUIRE(reader.script("", "COMMIT PREPARED " + gid).has_value());
    steps();
    BOOST_TEST(count("dormouse.runs") == "0");
}

// The reader holds the old partition, which no completion wants: so it is only our own step that waits for it.
BOOST_AUTO_TEST_CASE(completions_do_not_wait_while_a_step_waits_for_a_reader) {
    steps();
    day_ago(40);
    finished("t", 40);
    auto reader = database.connect();
    BOOST_REQUIRE(reader.script("", "BEGIN; SELECT count(*) FROM dormouse.runs").has_value());
    std::atomic<bool> over = false;
    auto other = database.connect();
    std::thread stepping([&] {
        for (int i = 0; i < 20; ++i) BOOST_TEST(has(step_on(other).trouble, "locked by "));
        over = true;
    });
    // While it waits for the partition it holds nothing that somebody else may want.
    const std::string held =
        "SELECT coalesce((SELECT coalesce(string_agg(relation::regclass || ' ' || mode, ', ') FILTER (WHERE granted "
        "AND "
        "locktype = 'relation' AND relation <> 'dormouse.retention'::regclass AND mode LIKE ANY "
        "('{Acc%Exclusive%,Share%Exclusive%,ExclusiveLock}')), 'nothing') FROM "
        "pg_locks WHERE pid = " +
        std::to_string(PQbackendPID(other.get())) + " HAVING bool_or(NOT granted)), '')";
    int waits = 0;
    Millis longest{0};
    int completions = 0;
    while (!over) {
        const auto start = BootClock::now();
        finished("now", 0);
        longest = std::max(longest, since(start));
        ++completions;
        if (const std::string what = database.value(held); !what.empty()) {
            BOOST_TEST(what == "nothing");
            ++waits;
        }
    }
    stepping.join();
    BOOST_TEST_MESSAGE("longest of " << completions << " completions beside 20 steps that waited: " << longest.count()
                                     << " ms (a step waits 50)");
    BOOST_TEST(waits > 0);
    BOOST_TEST(completions > 20);
}

BOOST_AUTO_TEST_CASE(runs_that_somebody_has_locked_keep_their_partition) {
    steps();
    day_ago(40);
    database.exec(
        "SELECT dormouse.enqueue('mail', key => 'k' || n) FROM generate_series(1, 3) n; UPDATE dormouse.runs SET "
        "status = 'completed', finished_at = date_trunc('day', now()) - interval '40 days' + interval '1 hour'");
    auto person = database.connect();
    BOOST_REQUIRE(
        person.script("", "BEGIN; SELECT FROM dormouse.runs_finished WHERE key = 'k2' FOR UPDATE").has_value());
    Step one = step();
    while (has(one.did, "deleted")) one = step();
    BOOST_TEST(has(one.trouble, "locked by "));
    BOOST_TEST(database.value("SELECT string_agg(key, ' ') FROM dormouse.runs") == "k2");
    BOOST_REQUIRE(person.script("", "COMMIT").has_value());
    steps();
    BOOST_TEST(count("dormouse.runs") == "0");
}

BOOST_AUTO_TEST_CASE(several_at_once_do_each_thing_once) {
    for (int days = 40; days < 50; ++days) {
        day_ago(days);
        finished("t", days, 5);
    }
    std::array<std::vector<std::string>, 4> did;
    std::atomic<bool> over = false;
    std::vector<std::thread> all;
    for (std::size_t i = 0; i < did.size(); ++i) {
        all.emplace_back([&, i] {
            auto own = database.connect();
            while (!over) {  // an empty answer may mean that somebody else is at it
                const Step one = step_on(own, 30 * day_ms, "pool" + std::to_string(i));
                BOOST_TEST((one.trouble == "" || one.trouble.starts_with("locked")));  // by who counts below
                if (!one.did.empty()) did[i].push_back(one.did);
            }
        });
    }
    BOOST_TEST(eventually([&] {
        return count("dormouse.runs") == "0" && count("dormouse.partitions_of('dormouse.runs_finished')") == "10" &&
               count("dormouse.partitions_of('dormouse.run_logs')") == "4";
    }));
    over = true;
    for (std::thread& one : all) one.join();
    std::vector<std::string> together;
    for (const auto& one : did) together.insert(together.end(), one.begin(), one.end());
    std::sort(together.begin(), together.end());
    BOOST_TEST((std::adjacent_find(together.begin(), together.end()) == together.end()));
    BOOST_TEST(together.size() == 10U + 15U);
    BOOST_TEST(count("dormouse.runs") == "0");
}

// CST is read as a time of America, also where it was written for one of China.
BOOST_AUTO_TEST_CASE(the_formats_of_its_session_are_nothing_to_it) {
    for (const char* const setting : {"standard_conforming_strings = off", "DateStyle = 'SQL, DMY'",
                                      "DateStyle = 'German'", "TimeZone = 'Asia/Shanghai'"})
        BOOST_REQUIRE(session.script("", std::string("SET ") + setting).has_value());
    day_ago(40);
    finished("old", 40);
    database.exec(
        "INSERT INTO dormouse.runs (task, status, finished_at) VALUES ('young', 'completed', now() - interval '30 "
        "days' + "
        "interval '1 hour'), ('old', 'completed', now() - interval '30 days' - interval '1 hour')");
    const auto did = steps();
    BOOST_TEST(database.value("SELECT string_agg(task, ' ') FROM dormouse.runs") == "young");
    BOOST_TEST(database.value("SELECT count(*) >= 9 FROM dormouse.partitions_of('dormouse.runs_finished')") == "t");
    BOOST_TEST(database.value("SELECT to_regclass('dormouse.runs_finished_ago_40') IS NULL") == "t");
}

// A name that is quoted takes no ending: what follows would be read as an alias, and the rows of all partitions meant.
BOOST_AUTO_TEST_CASE(old_attempts_and_lines_take_no_young_ones_with_them_however_names_are_quoted) {
    BOOST_REQUIRE(session.script("", "SET quote_all_identifiers = on").has_value());
    steps();
    for (const char* const age : {"40 days", "1 second"})
        database.exec(
            "INSERT INTO dormouse.attempt_log (run_id, worker, fence, started_at, ended_at, outcome) SELECT "
            "gen_random_uuid(), gen_random_uuid(), 1, now(), now() - interval '" +
            std::string(age) +
            "', 'retry'; INSERT INTO dormouse.run_logs (run_id, worker, fence, first_line, written_at, lines) SELECT "
            "gen_random_uuid(), gen_random_uuid(), 1, 1, now() - interval '" +
            age + "', '[]'");
    steps();
    for (const auto& [table, time] : {std::pair{"attempt_log", "ended_at"}, {"run_logs", "written_at"}})
        BOOST_TEST(database.value("SELECT string_agg((now() - " + std::string(time) +
                                  " < interval '1 day')::text, ' ') FROM dormouse." + table) == "true",
                   table);
}

BOOST_AUTO_TEST_CASE(somebody_elses_view_of_a_partition_is_told_and_not_dropped) {
    day_ago(40);
    database.exec("CREATE VIEW theirs AS SELECT * FROM dormouse.runs_finished_ago_40");
    Step one = step();
    while (has(one.did, "made")) one = step();
    BOOST_TEST(has(one.trouble, "cannot drop table dormouse.runs_finished_ago_40"), one.trouble);
}

BOOST_AUTO_TEST_CASE(a_workers_login_may_do_this_and_nothing_else_of_the_kind) {
    apply_roles(database);
    database.exec("DROP ROLE IF EXISTS keeper; CREATE ROLE keeper LOGIN IN ROLE dormouse_worker");
    day_ago(40);
    finished("t", 40);
    {
        auto keeper = database.connect("keeper");
        Step one = step_on(keeper);
        for (; !one.did.empty(); one = step_on(keeper)) {
        }
        BOOST_TEST(one.trouble == "");
        BOOST_TEST(count("dormouse.runs") == "0");
        for (const char* const sql :
             {"DROP TABLE dormouse.runs_finished_default",
              "SELECT dormouse.drop_partition('dormouse.runs_finished_default', true)",
              "SELECT dormouse.make_partition('dormouse.runs_finished', 'finished_at', 'day', '9 days')",
              "SELECT dormouse.delete_old('dormouse.runs_finished_default', 'finished_at', now(), 0)",
              "DELETE FROM dormouse.retention"}) {
            const Status refused = keeper.script("", sql);
            BOOST_TEST(!refused.has_value(), sql);
            if (!refused) BOOST_TEST((refused.error().kind == ErrorKind::denied), refused.error().message);
        }
        // his own functions and tables are not taken for the system's
        BOOST_REQUIRE(
            keeper.script("", "CREATE TEMPORARY TABLE pg_inherits (inhparent oid, inhrelid oid)").has_value());
        BOOST_TEST(step_on(keeper).trouble == "");
    }
    database.exec("DROP OWNED BY keeper; DROP ROLE keeper");
}

BOOST_AUTO_TEST_CASE(a_default_partition_that_is_gone_is_made_again) {
    for (const char* const table : {"runs_finished", "attempt_log", "run_logs"})
        database.exec(std::string("DROP TABLE dormouse.") + table + "_default");
    const std::vector<std::string> did = steps();
    BOOST_TEST_REQUIRE(!did.empty());
    BOOST_TEST(did.front() == "made runs_finished_default, attempt_log_default, run_logs_default");
}

BOOST_AUTO_TEST_CASE(what_was_done_is_known_for_90_days) {
    database.exec(
        "INSERT INTO dormouse.operations (operation, runs, done_at) SELECT 'retry', d, now() - d * interval '1 day' "
        "FROM unnest('{1, 89, 91, 400}'::int[]) d");
    steps();
    BOOST_TEST(database.value("SELECT string_agg(runs::text, ' ' ORDER BY runs) FROM dormouse.operations") == "1 89");
}

BOOST_AUTO_TEST_SUITE_END()
