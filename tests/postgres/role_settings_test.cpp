// A login whose role was given other settings, as administrators do it (ALTER ROLE … SET …): the worker's own session
// does not follow them, commands do what they say or say why not.
#include <boost/test/unit_test.hpp>

#include "support/paths.h"
#include "support/pool_bench.h"
#include "support/process.h"

namespace role_settings {

using namespace dormouse;
using namespace dormouse::testing;

namespace {

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

struct Fixture {
    TestDatabase database;

    Fixture() {
        apply_roles(database);
        database.exec("DROP ROLE IF EXISTS odd; CREATE ROLE odd LOGIN IN ROLE dormouse_worker");
    }
    /// The isolation levels of the statements with which workers change runs.
    void watch_levels() {
        database.exec(
            "CREATE TABLE levels (level text); GRANT INSERT ON levels TO odd;"
            "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.levels VALUES "
            "(current_setting('transaction_isolation')); RETURN NULL; END $$;"
            "CREATE TRIGGER note AFTER UPDATE OR DELETE ON dormouse.runs_live EXECUTE FUNCTION note()");
    }
    std::string levels() { return database.value("SELECT string_agg(DISTINCT level, ', ') FROM levels"); }
    /// For this database alone: roles are the cluster's.
    void set(const std::string& setting) {
        database.exec("ALTER ROLE odd IN DATABASE " + database.name() + " SET " + setting);
    }
    std::string count(const std::string& status) {
        return database.value("SELECT count(*) FROM dormouse.runs WHERE status = $1", {status});
    }
    Ended cli(std::vector<std::string> arguments) {
        return run(cli_program(std::move(arguments), {{"DATABASE_URL", database.url("odd")}}));
    }

    /// Everything that a worker does, by two of them at once, beside somebody who updates the same rows.
    void works() {
        PoolBench bench(database.url("odd"), {.worker = "concurrency = 4", .starts = false});
        database.exec("SELECT dormouse.enqueue_many('echo', array_fill('{}'::jsonb, ARRAY[60]))");
        database.exec(
            "SELECT dormouse.enqueue('fail'), dormouse.enqueue('later'), dormouse.enqueue('hold'), "
            "dormouse.enqueue('nobody-knows-it')");
        bench.worker().start();
        const Process other({{dormouse_binary, "worker", "--config", bench.file()}, {}, {}, {}, Millis{120'000}});
        BOOST_TEST_REQUIRE(bench.until([&] { return bench.tasks().started().size() == 1; }));
        database.exec("UPDATE dormouse.runs SET priority = 1 WHERE status IN ('queued', 'retry')");
        bench.tasks().release();
        BOOST_TEST(
            bench.until([&] { return count("completed") == "62" && count("failed") == "1" && count("queued") == "1"; }),
            count("completed") << " completed, " << count("failed") << " failed");
        BOOST_TEST(database.value("SELECT count(*) FROM dormouse.attempts WHERE outcome = 'completed'") == "62");
        // a notification still finds a session that listens
        database.exec("SELECT dormouse.enqueue('echo')");
        BOOST_TEST(bench.until([&] { return count("completed") == "63"; }));
        const auto idle = [&] {
            return database.value("SELECT count(*) FROM dormouse.workers WHERE condition = 'idle'");
        };
        BOOST_TEST(bench.until([&] { return idle() == "2"; }), idle() << " of 2 workers are idle");
    }
    void commands_work() {
        for (const char* const command : {"enqueue", "cancel", "retry", "archive"}) {
            std::vector<std::string> arguments{command};
            if (arguments[0] == "enqueue")
                arguments.insert(arguments.end(), {"t", "{}", "--key", "once"});
            else
                arguments.push_back(database.value("SELECT id FROM dormouse.runs WHERE task = 't'"));
            const Ended ended = cli(arguments);
            BOOST_TEST(ended.exit_code == 0, command << ": " << ended.err);
        }
        BOOST_TEST(
            database.value("SELECT status || ' ' || (archived_at IS NOT NULL) FROM dormouse.runs WHERE task = 't'") ==
            "canceled true");
        const Ended many = cli({"retry", "--task", "t", "--status", "canceled", "--yes"});
        BOOST_TEST(many.exit_code == 0, many.err);
        looking_works();
    }
    void looking_works() {
        for (const char* const command : {"runs", "status", "workers", "reap"}) {
            const Ended ended = cli({command});
            const bool about_pools = command == std::string("status");  // none serves the queue
            BOOST_TEST((ended.exit_code == 0 || (about_pools && ended.exit_code == 13)), command << ": " << ended.err);
        }
    }
};

}  // namespace

}  // namespace role_settings

BOOST_FIXTURE_TEST_SUITE(role_settings, Fixture, *boost::unit_test::precondition(has_postgres))

BOOST_AUTO_TEST_CASE(a_role_that_is_serializable_by_default_works_and_repeats_nothing) {
    set("default_transaction_isolation = 'serializable'");
    watch_levels();
    works();
    BOOST_TEST(levels() == "read committed");
    commands_work();
}

BOOST_AUTO_TEST_CASE(a_role_that_has_repeatable_read_by_default_works_and_repeats_nothing) {
    set("default_transaction_isolation = 'repeatable read'");
    watch_levels();
    works();
    BOOST_TEST(levels() == "read committed");
    commands_work();
}

BOOST_AUTO_TEST_CASE(a_worker_whose_role_is_read_only_waits_until_that_is_over) {
    set("default_transaction_read_only = on");
    database.exec("SELECT dormouse.enqueue('echo')");
    PoolBench bench(database.url("odd"), {.database = "retry_max = \"1s\""});
    BOOST_TEST(bench.until([&] { return bench.worker().is_waiting_for_database(); }));
    BOOST_TEST(count("completed") == "0");
    database.exec("ALTER ROLE odd IN DATABASE " + database.name() + " RESET default_transaction_read_only");
    BOOST_TEST(bench.until([&] { return count("completed") == "1"; }));
}

BOOST_AUTO_TEST_CASE(a_command_whose_role_is_read_only_says_so) {
    works();
    set("default_transaction_read_only = on");
    looking_works();
    const std::string before = database.value("SELECT md5(string_agg(r::text, '' ORDER BY id)) FROM dormouse.runs r");
    const std::string id = database.value("SELECT id FROM dormouse.runs WHERE task = 'fail'");
    for (const std::vector<std::string>& command : {std::vector<std::string>{"enqueue", "t"},
                                                    {"retry", id},
                                                    {"archive", id},
                                                    {"retry", "--task", "fail", "--yes"}}) {
        const Ended ended = cli(command);
        BOOST_TEST(ended.exit_code != 0, command[0]);
        BOOST_TEST(has(ended.err, "read-only"), ended.err);
    }
    BOOST_TEST(database.value("SELECT md5(string_agg(r::text, '' ORDER BY id)) FROM dormouse.runs r") == before);
}

// A claim takes half a second here, and half a second of an open transaction goes by while nobody asks anything.
BOOST_AUTO_TEST_CASE(time_limits_of_the_role_do_not_reach_the_worker) {
    database.exec(
        "CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN PERFORM pg_sleep(0.5); RETURN NULL; END $$;"
        "CREATE TRIGGER slowly AFTER UPDATE ON dormouse.runs_live FOR EACH STATEMENT EXECUTE FUNCTION slowly();"
        "CREATE TRIGGER slowly AFTER UPDATE ON dormouse.runs FOR EACH STATEMENT EXECUTE FUNCTION slowly()");
    for (const char* const limit :
         {"statement_timeout = '300ms'", "lock_timeout = '1ms'", "idle_in_transaction_session_timeout = '300ms'"})
        set(limit);
    if (database.value("SELECT current_setting('server_version_num')::int >= 140000") == "t")
        set("idle_session_timeout = '300ms'");
    PoolBench bench(database.url("odd"));
    database.exec("SELECT dormouse.enqueue('echo')");
    BOOST_TEST(bench.until([&] { return count("completed") == "1"; }));
    BOOST_TEST_REQUIRE(bench.until_idle());
    bench.turns_within(Millis{800});
    BOOST_TEST(database.value("SELECT count(*) FROM pg_stat_activity WHERE usename = 'odd' AND backend_start < "
                              "now() - interval '800 ms'") == "1");
    const Ended slow = cli({"retry", "--task", "echo", "--status", "completed", "--yes"});
    BOOST_TEST(slow.exit_code != 0);
    BOOST_TEST(has(slow.err, "statement timeout"), slow.err);
}

// Functions of the system are not looked up where somebody else may have made their own.
BOOST_AUTO_TEST_CASE(names_that_the_roles_search_path_shadows_do_not_mislead_anybody) {
    database.exec(
        "CREATE SCHEMA shadow; GRANT USAGE ON SCHEMA shadow TO PUBLIC;"
        "CREATE FUNCTION shadow.now() RETURNS timestamptz LANGUAGE sql AS $$ SELECT timestamptz '1970-01-01' $$;"
        "CREATE FUNCTION shadow.pg_notify(text, text) RETURNS void LANGUAGE sql AS $$ SELECT $$");
    set("search_path = shadow, pg_catalog");
    works();
    commands_work();
    BOOST_TEST(database.value("SELECT count(*) FROM dormouse.attempts WHERE started_at < '2000-01-01'") == "0");
}

BOOST_AUTO_TEST_CASE(an_empty_search_path_and_odd_formats_are_no_trouble) {
    for (const char* const setting :
         {"search_path = ''", "DateStyle = 'German'", "IntervalStyle = 'sql_standard'", "TimeZone = 'Asia/Kathmandu'",
          "bytea_output = 'escape'", "array_nulls = off", "standard_conforming_strings = off",
          "extra_float_digits = -15", "client_encoding = 'LATIN1'", "enable_indexscan = off", "row_security = off"})
        set(setting);
    works();
    commands_work();
}

BOOST_AUTO_TEST_SUITE_END()
