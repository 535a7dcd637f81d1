// Triggers of somebody's own that refuse one task's runs, at each statement a worker sends about a run and with each
// kind of SQLSTATE. The guilty run ends or goes back by itself, with its reason; everybody else's runs are done
// meanwhile, over the same session; and who leaves leaves.
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "support/pool_bench.h"

BOOST_AUTO_TEST_SUITE(worker_refused, *boost::unit_test::precondition(dormouse::testing::has_postgres))

using namespace dormouse;
using namespace dormouse::testing;

namespace {

/// Where a trigger stands, and what becomes of the run of the task `victim` by it.
struct Refusal {
    const char* name;
    const char* trigger;  ///< BEFORE or AFTER … ON …; %WHEN% limits it to the victim
    const char* task;
    const char* becomes;  ///< status and class of the error; "": whatever
};
std::ostream& operator<<(std::ostream& out, const Refusal& refusal) {
    return out << refusal.name;
}

const std::vector<Refusal> refusals{
    {"claim", "BEFORE UPDATE ON dormouse.runs_live FOR EACH ROW WHEN (NEW.task = 'victim' AND NEW.status = 'running')",
     "victim", "failed"},
    {"finish", "AFTER INSERT ON dormouse.runs_finished FOR EACH ROW WHEN (NEW.task = 'victim')", "victim", "retry"},
    {"finish completed",
     "AFTER INSERT ON dormouse.runs_finished FOR EACH ROW WHEN (NEW.task = 'victim' AND NEW.status = 'completed')",
     "victim", "failed"},
    {"put back",
     "BEFORE UPDATE ON dormouse.runs_live FOR EACH ROW WHEN (NEW.task = 'failing victim' AND NEW.status = 'retry')",
     "failing victim", ""},
    {"delete", "BEFORE DELETE ON dormouse.runs_live FOR EACH ROW WHEN (OLD.task = 'victim')", "victim", "retry"},
    {"log", "BEFORE INSERT ON dormouse.run_logs FOR EACH ROW", "failing victim", ""},
    {"follow-up", "BEFORE INSERT ON dormouse.runs FOR EACH ROW WHEN (NEW.task = 'child')", "parent", "failed"},
};

/// What a trigger does, and what is said of it.
struct Body {
    std::string statement;
    std::string said;
    bool slow = false;  ///< it opens a session each time, which takes as long as the machine pleases
};

Body raises(const std::string& sqlstate) {
    return {"RAISE EXCEPTION 'not in this shop' USING ERRCODE = '" + sqlstate + "'", "not in this shop"};
}

/// One of each class that may come out of a trigger, and some that the worker has rules of its own for.
const std::vector<const char*> sqlstates{"22012", "23505", "42501", "42P01", "0A000", "3F000",
                                         "P0001", "54000", "XX001", "APP01", "55000", "44000"};

/// Errors of the server's own, which speak as if of the session, the server or its files: 55000 twice, 58P01, 08001,
/// and of a session that another session ends.
const std::vector<Body> unraised{
    {"PERFORM currval('public.unused')", "is not yet defined in this session"},
    {"UPDATE public.published SET n = n + 1", "does not have a replica identity"},
    {"PERFORM pg_read_file('/nowhere/at/all')", "could not open file"},
    {"PERFORM public.dblink_connect('host=/nowhere dbname=none')", "could not establish connection"},
    {"PERFORM * FROM public.dblink('host=' || split_part(current_setting('unix_socket_directories'), ',', 1) || ' "
     "port=' "
     "|| current_setting('port') || ' user=postgres dbname=' || current_database(), 'SELECT "
     "pg_terminate_backend(pg_backend_pid())') AS t (done boolean)",
     "terminating connection", true}};

std::vector<Body> all_bodies() {
    std::vector<Body> bodies;
    for (const char* const sqlstate : sqlstates) bodies.push_back(raises(sqlstate));
    bodies.insert(bodies.end(), unraised.begin(), unraised.end());
    return bodies;
}

constexpr const char* others_are_through =
    "SELECT max(finished_at - created_at) < interval '3 seconds' FROM dormouse.runs WHERE task = 'echo'";

std::string victims(const std::string& directory) {
    const auto shell = [&](const std::string& name, const std::string& script) {
        return "[task.\"" + name + "\"]\ncommand = [\"/bin/sh\", \"-c\", '" + script + "']\nmax_attempts = 2\n";
    };
    static_cast<void>(directory);
    return shell("victim", "exit 0") + shell("failing victim", "echo said >&2; exit 3") +
           shell("parent",
                 "printf \"{\\\"type\\\":\\\"completed\\\",\\\"enqueue\\\":[{\\\"task\\\":\\\"child\\\"}]}\\n\" >&3") +
           shell("child", "exit 0");
}

struct Scene {
    TestDatabase database;
    PoolBench bench;

    explicit Scene(const std::string& worker = "concurrency = 4")
        : bench(database.url(), {.worker = worker, .rest = victims("")}) {
        database.exec(
            "CREATE SEQUENCE public.unused; CREATE EXTENSION dblink SCHEMA public; CREATE TABLE public.published (n "
            "integer); CREATE PUBLICATION theirs FOR TABLE public.published");
    }
    void refuse(const Refusal& refusal, const Body& body) {
        database.exec("CREATE OR REPLACE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN " +
                      body.statement +
                      "; RETURN coalesce(NEW, OLD); END $f$;"
                      "CREATE TRIGGER refuse " +
                      std::string(refusal.trigger) + " EXECUTE FUNCTION public.refuse()");
    }
    void permit(const Refusal& refusal) {
        const std::string trigger = refusal.trigger;
        const auto table = trigger.find("dormouse.");
        database.exec("DROP TRIGGER refuse ON " + trigger.substr(table, trigger.find(" FOR") - table));
    }
    std::string sessions() {
        return database.value(
            "SELECT string_agg(pid::text, ' ') FROM pg_stat_activity WHERE application_name LIKE "
            "'dormouse worker%' AND datname = current_database()");
    }
    bool until(const std::string& sql, const std::string& wanted) {
        return bench.until([&] { return database.value(sql) == wanted; });
    }
};

constexpr const char* innocents = "SELECT count(*) FROM dormouse.runs WHERE task = 'echo' AND status = 'completed'";

}  // namespace

BOOST_DATA_TEST_CASE(others_go_on_over_the_same_session, boost::unit_test::data::make(refusals), refusal) {
    Scene scene;
    BOOST_TEST_REQUIRE(scene.bench.until_idle());
    const std::string session = scene.sessions();
    int done = 0;
    for (const Body& body : all_bodies()) {
        BOOST_TEST_CONTEXT(body.statement) {
            scene.refuse(refusal, body);
            const std::string id = scene.database.value("SELECT dormouse.enqueue($1)", {refusal.task});
            scene.database.exec("SELECT dormouse.enqueue('echo') FROM generate_series(1, 5)");
            done += 5;
            BOOST_TEST(scene.until(innocents, std::to_string(done)));
            if (!body.slow) BOOST_TEST(scene.database.value(others_are_through) == "t");
            const std::string wanted = refusal.becomes;
            if (!wanted.empty())
                BOOST_TEST(scene.until("SELECT status FROM dormouse.runs WHERE id = '" + id + "'", wanted));
            if (!wanted.empty())
                BOOST_TEST(
                    scene.database.value("SELECT strpos(error ->> 'message', $2) > 0 FROM dormouse.runs WHERE id = $1",
                                         {id, body.said}) == "t");
            BOOST_TEST(scene.sessions() == session);
            scene.permit(refusal);
        }
    }
    scene.bench.worker().terminate();
    BOOST_TEST(scene.bench.until_gone());
    BOOST_TEST(scene.bench.farewell()->graceful);
}

// At each statement about an ending, so that nothing at all can be written of the victim.
BOOST_AUTO_TEST_CASE(who_leaves_waits_for_none_of_them) {
    for (const Body& body : unraised) {
        BOOST_TEST_CONTEXT(body.statement) {
            Scene scene;
            BOOST_TEST_REQUIRE(scene.bench.until_idle());
            scene.refuse({"",
                          "BEFORE DELETE OR UPDATE ON dormouse.runs_live FOR EACH ROW WHEN (OLD.task = 'hold' AND "
                          "OLD.status = 'running')",
                          "", ""},
                         body);
            const std::string id = scene.database.value("SELECT dormouse.enqueue('hold')");
            BOOST_TEST_REQUIRE(scene.bench.until([&] { return scene.bench.tasks().started().size() == 1U; }));
            scene.bench.tasks().release();
            scene.bench.worker().terminate();
            BOOST_TEST(scene.bench.until([&] { return scene.bench.farewell().has_value(); }, Millis{5'000}));
            BOOST_TEST_REQUIRE(scene.bench.farewell().has_value());
            BOOST_TEST(scene.bench.farewell()->graceful);
            BOOST_TEST(scene.database.value("SELECT status FROM dormouse.runs WHERE id = $1", {id}) == "running");
        }
    }
}

// /bin/true has no result that could be refused.
BOOST_AUTO_TEST_CASE(what_a_trigger_says_is_no_refused_result_whatever_its_code) {
    Scene scene;
    for (const char* const sqlstate : {"23514", "22003", "54000", "XX000"}) {
        scene.refuse(refusals[2], raises(sqlstate));
        const std::string id = scene.database.value("SELECT dormouse.enqueue('victim')");
        BOOST_TEST(
            scene.until("SELECT error ->> 'class' FROM dormouse.runs WHERE id = '" + id + "'", "trigger_refused"),
            sqlstate);
        scene.permit(refusals[2]);
    }
}

BOOST_AUTO_TEST_CASE(a_lease_that_cannot_be_extended_takes_no_other_along) {
    Scene scene("concurrency = 4\nlease = \"3s\"");
    scene.database.exec("UPDATE dormouse.runs SET priority = 0");
    const std::string victim = scene.database.value("SELECT dormouse.enqueue('hold', key => 'v')");
    const std::string other = scene.database.value("SELECT dormouse.enqueue('hold')");
    BOOST_TEST_REQUIRE(scene.bench.until([&] { return scene.bench.tasks().started().size() == 2U; }));
    scene.refuse({"extend",
                  "BEFORE UPDATE ON dormouse.runs_live FOR EACH ROW WHEN (NEW.key = 'v' AND OLD.status = 'running' AND "
                  "NEW.lease_until > OLD.lease_until)",
                  "", ""},
                 raises("APP01"));
    const auto begun = BootClock::now();
    BOOST_TEST(scene.bench.until([&] { return since(begun) > Millis{7'000}; }));
    BOOST_TEST(scene.database.value("SELECT status || ' ' || attempts FROM dormouse.runs WHERE id = $1", {other}) ==
               "running 0");
    BOOST_TEST(scene.database.value("SELECT count(*) FROM dormouse.attempts WHERE run_id = $1 AND outcome IS NOT NULL",
                                    {other}) == "1");
}

BOOST_AUTO_TEST_CASE(a_lost_run_that_cannot_be_taken_back_leaves_the_others_to_be) {
    for (const Body& body : {raises("42501"), unraised.front()}) {
        Scene scene;
        BOOST_TEST_REQUIRE(scene.bench.until_idle());
        scene.refuse({"rescue", "BEFORE UPDATE ON dormouse.runs_live FOR EACH ROW WHEN (NEW.key = 'v')", "", ""}, body);
        for (const char* key : {"'v'", "'w'", "NULL"})
            scene.database.exec(
                std::string("INSERT INTO dormouse.runs (task, status, started_at, worker, fence, lease_until, key) "
                            "VALUES ('echo', 'running', now(), gen_random_uuid(), nextval('dormouse.fence'), "
                            "now() - interval '1 hour', ") +
                key + ")");
        scene.bench.ring();
        const std::string session = scene.sessions();
        scene.database.exec("SELECT dormouse.enqueue('echo')");
        BOOST_TEST(scene.until(innocents, "3"));
        BOOST_TEST(scene.database.value("SELECT status FROM dormouse.runs WHERE key = 'v'") == "running");
        BOOST_TEST(scene.database.value("SELECT count(*) FROM dormouse.attempts WHERE outcome = 'lost'") == "2");
        BOOST_TEST(scene.sessions() == session);
    }
}

BOOST_AUTO_TEST_CASE(a_right_that_is_taken_from_everybody_fails_nobody) {
    Scene scene;
    BOOST_TEST_REQUIRE(scene.bench.until_idle());
    scene.database.exec(
        "CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN RAISE EXCEPTION "
        "'closed' USING ERRCODE = '42501'; END $f$; CREATE TRIGGER refuse BEFORE DELETE ON "
        "dormouse.runs_live FOR EACH STATEMENT EXECUTE FUNCTION public.refuse()");
    scene.database.exec("SELECT dormouse.enqueue('echo') FROM generate_series(1, 3)");
    BOOST_TEST(scene.until("SELECT count(*) FROM dormouse.runs WHERE status = 'running'", "3"));
    const auto begun = BootClock::now();
    BOOST_TEST(scene.bench.until([&] { return since(begun) > Millis{2'000}; }));
    scene.database.exec("DROP TRIGGER refuse ON dormouse.runs_live");
    BOOST_TEST(scene.until(innocents, "3"));
}

BOOST_AUTO_TEST_SUITE_END()
