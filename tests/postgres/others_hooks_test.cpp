// What other people have put around dormouse.runs: policies that hide rows are named by each way in, and their
// triggers, event triggers and settings are no outage.
#include <boost/test/unit_test.hpp>
#include <fstream>

#include "support/foreground_worker.h"
#include "support/logged_worker.h"

namespace others_hooks {

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
        for (const char* const role : {"worker", "producer", "reader", "operator"})
            database.exec(std::string("DO $$ BEGIN CREATE ROLE hooked_") + role + " LOGIN IN ROLE dormouse_" + role +
                          "; EXCEPTION WHEN duplicate_object THEN NULL; END $$");
    }
    Ended cli(const std::string& role, std::vector<std::string> arguments) {
        return run(cli_program(std::move(arguments), {{"DATABASE_URL", database.url("hooked_" + role)}}));
    }
    std::string status(const std::string& id) { return database.value("SELECT status FROM dormouse.result($1)", {id}); }
};

}  // namespace

}  // namespace others_hooks

BOOST_FIXTURE_TEST_SUITE(others_hooks, Fixture, *boost::unit_test::precondition(has_postgres))

BOOST_AUTO_TEST_CASE(a_policy_that_hides_what_only_people_read_is_named_too_and_stops_no_worker) {
    const std::string id = database.value("SELECT dormouse.enqueue('echo')");
    for (const auto& [table, command] :
         std::vector<std::pair<std::string, std::vector<std::string>>>{{"run_logs", {"logs", id}},
                                                                       {"operations", {"history"}},
                                                                       {"attempt_log", {"show", id}},
                                                                       {"endings", {"status"}}}) {
        database.exec("ALTER TABLE dormouse." + table + " ENABLE ROW LEVEL SECURITY");
        const Ended ended = cli("reader", command);
        BOOST_TEST(ended.exit_code == 7, table << ": " << ended.exit_code << ended.err);
        BOOST_TEST(has(ended.err, "row level security hides rows of schema dormouse from this user (" + table + ")"),
                   ended.err);
        database.exec("ALTER TABLE dormouse." + table + " DISABLE ROW LEVEL SECURITY");
    }
    database.exec("ALTER TABLE dormouse.operations ENABLE ROW LEVEL SECURITY");
    const Ended checked = run(cli_program({"worker", "--check"}, {{"DATABASE_URL", database.url("hooked_worker")}}));
    BOOST_TEST(!has(checked.err, "row level security"), checked.err);
    database.exec("ALTER TABLE dormouse.operations DISABLE ROW LEVEL SECURITY");
}

BOOST_AUTO_TEST_CASE(a_policy_that_hides_runs_is_named_by_each_way_in) {
    const std::string id = database.value("SELECT dormouse.enqueue('echo')");
    for (const char* const table : {"runs", "runs_live", "runs_finished"}) {
        database.exec(std::string("ALTER TABLE dormouse.") + table + " ENABLE ROW LEVEL SECURITY");
        const std::string said =
            std::string("row level security hides rows of schema dormouse from this user (") + table + ")";
        for (const char* const role : {"worker", "reader", "operator"})
            for (const std::vector<std::string>& command : std::vector<std::vector<std::string>>{
                     {"status"}, {"runs"}, {"show", id}, {"workers"}, {"logs", id}, {"watch", id}}) {
                const Ended ended = cli(role, command);
                BOOST_TEST(ended.exit_code == 7, role << " " << command[0] << " " << table << ": " << ended.exit_code);
                BOOST_TEST(has(ended.err, said), role << " " << command[0] << ": " << ended.err);
            }
        for (const std::vector<std::string>& command :
             std::vector<std::vector<std::string>>{{"retry", "--task", "echo", "--yes"},
                                                   {"archive", "--task", "echo", "--yes"},
                                                   {"cancel", "--task", "echo", "--yes"},
                                                   {"reap"}}) {
            const Ended ended = cli("operator", command);
            BOOST_TEST(has(ended.err, said), command[0] << ": " << ended.err);
        }
        {
            LoggedWorker worker(database.url("hooked_worker"));
            BOOST_TEST(worker.until_said("database_lost"), worker.log());
            BOOST_TEST(has(worker.log(), said), worker.log());
        }
        // a producer's run is put in by the owner of the schema, whom policies do not concern
        BOOST_TEST(status(database.value("SELECT dormouse.enqueue('later')")) == "queued");
        database.exec(std::string("ALTER TABLE dormouse.") + table + " DISABLE ROW LEVEL SECURITY");
    }
    BOOST_TEST(status(id) == "queued");
}

BOOST_AUTO_TEST_CASE(triggers_and_event_triggers_of_others_find_their_own_tables) {
    database.exec(
        "CREATE SCHEMA theirs; CREATE TABLE theirs.seen (what text); GRANT USAGE ON SCHEMA theirs TO PUBLIC; GRANT ALL "
        "ON theirs.seen TO PUBLIC;"
        "ALTER ROLE hooked_worker SET search_path = theirs;"
        "CREATE FUNCTION theirs.note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO seen SELECT NEW.status "
        "WHERE "
        "current_setting('search_path') LIKE '%theirs%'; RETURN NEW; END $$;"
        "CREATE TRIGGER note AFTER INSERT OR UPDATE ON dormouse.runs FOR EACH ROW EXECUTE FUNCTION theirs.note()");
    LoggedWorker worker(database.url("hooked_worker"));
    BOOST_TEST_REQUIRE(worker.until_said("listening"));
    database.exec("SET search_path = theirs, public");
    database.exec("INSERT INTO dormouse.runs (task) VALUES ('echo')");
    BOOST_TEST(worker.until_said("run_completed"), worker.log());
    BOOST_TEST(database.value("SELECT string_agg(what, ' ' ORDER BY what) FROM theirs.seen") ==
               "completed queued running");
    BOOST_TEST(worker.said("database_lost").empty(), worker.log());
    database.exec("ALTER ROLE hooked_worker RESET search_path");
}

// Our functions look names up in pg_catalog alone, and so do the triggers that fire inside them.
BOOST_AUTO_TEST_CASE(a_trigger_that_misses_its_own_table_is_not_taken_for_a_schema_that_is_missing) {
    database.exec(
        "CREATE TABLE public.audit (task text); GRANT ALL ON public.audit TO PUBLIC;"
        "CREATE FUNCTION public.audit_it() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO audit SELECT "
        "NEW.task; RETURN NEW; END $$;");
    const std::string waits = database.value("SELECT dormouse.enqueue('waits')");
    const std::string ended = database.value("SELECT dormouse.enqueue('ended')");
    database.exec("UPDATE dormouse.runs SET status = 'failed' WHERE id = '" + ended + "'");
    database.exec(
        "CREATE TRIGGER audit_it AFTER INSERT OR UPDATE ON dormouse.runs FOR EACH ROW EXECUTE FUNCTION "
        "public.audit_it()");
    database.exec("INSERT INTO dormouse.runs (task) VALUES ('plain')");
    const TemporaryDirectory directory;
    std::ofstream(directory.path() + "/runs") << "{\"task\": \"t\", \"key\": \"k\"}\n";
    const std::vector<std::pair<std::string, std::vector<std::string>>> commands{
        {"producer", {"enqueue", "t"}},
        {"producer", {"enqueue", "--from", directory.path() + "/runs"}},
        {"producer", {"cancel", waits}},
        {"operator", {"archive", ended}},
        {"operator", {"retry", "--task", "ended", "--yes"}}};
    for (const auto& [role, command] : commands) {
        const Ended refused = cli(role, command);
        BOOST_TEST(refused.exit_code == 2, command[0] << ": " << refused.exit_code << " " << refused.err);
        BOOST_TEST(has(refused.err, "relation \"audit\" does not exist"), command[0] << ": " << refused.err);
        BOOST_TEST(has(refused.err, "search_path of the trigger function"), command[0] << ": " << refused.err);
        BOOST_TEST(!has(refused.err, "dormouse migrate"), command[0] << ": " << refused.err);
    }
    database.exec("ALTER FUNCTION public.audit_it() SET search_path = public");
    for (const auto& [role, command] : commands)
        BOOST_TEST(cli(role, command).exit_code == 0, command[0] << ": " << cli(role, command).err);
    // and where the schema is why, that is said
    database.exec("ALTER TABLE dormouse.migrations RENAME TO m; ALTER FUNCTION dormouse.enqueue RENAME TO other");
    BOOST_TEST(has(cli("producer", {"enqueue", "t"}).err, "dormouse migrate"));
}

BOOST_AUTO_TEST_CASE(an_event_trigger_that_fails_when_a_day_is_made_stops_no_run) {
    database.exec(
        "CREATE SCHEMA theirs; CREATE TABLE theirs.ddl (tag text);"
        "CREATE FUNCTION theirs.note_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO ddl VALUES "
        "(tg_tag); END $$;"
        "CREATE EVENT TRIGGER note_ddl ON ddl_command_end EXECUTE FUNCTION theirs.note_ddl()");
    database.exec("INSERT INTO dormouse.runs (task) SELECT 'echo' FROM generate_series(1, 3)");
    LoggedWorker worker(database.url("hooked_worker"), {.worker = "look_exit = \"100ms\"\nidle_exit = \"100ms\""});
    BOOST_TEST(worker.until_said("worker_pool_stopped"), worker.log());
    BOOST_TEST(worker.said("run_completed").size() == 3U, worker.log());
    BOOST_TEST_REQUIRE(!worker.said("retention").empty(), worker.log());
    BOOST_TEST(has(worker.said("retention").front().text, "relation \"ddl\" does not exist"), worker.log());
    BOOST_TEST(worker.said("database_lost").empty(), worker.log());
    database.exec("DROP EVENT TRIGGER note_ddl");
}

BOOST_AUTO_TEST_CASE(rows_that_a_replica_puts_in_are_executed_once) {
    database.exec(
        "SET session_replication_role = replica; INSERT INTO dormouse.runs (task, key) VALUES ('echo', 'k'); RESET "
        "session_replication_role");
    LoggedWorker worker(database.url("hooked_worker"));
    BOOST_TEST(worker.until_said("run_completed"), worker.log());
    BOOST_TEST(database.value("SELECT count(*) FROM dormouse.attempts") == "1");
}

BOOST_AUTO_TEST_SUITE_END()
