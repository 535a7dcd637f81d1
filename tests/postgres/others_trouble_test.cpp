// What goes wrong in somebody's triggers and with somebody's locks, in words that could be about the server: it is one
// run's, or one table's, and everybody else's work goes on.
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "support/logged_worker.h"
#include "support/pool_bench.h"

namespace others_trouble {

using namespace dormouse;
using namespace dormouse::testing;

namespace {

const char* const tasks = R"([task.bad]
command = ["/bin/true"]
max_attempts = 1

[task.talks]
command = ["/bin/sh", "-c", "echo hello >&2"]

[task.follows]
command = ["/bin/sh", "-c", 'printf "{\"type\":\"completed\",\"enqueue\":[{\"task\":\"echo\"}]}\n" >&3']
)";

struct Trouble {
    const char* name;
    const char* remote;    ///< what is so in the other database
    const char* settings;  ///< of the trigger's function
    const char* body;
};
std::ostream& operator<<(std::ostream& out, const Trouble& one) {
    return out << one.name;
}

const char* const writes_there = "INSERT INTO public.audit VALUES (NEW.id);";
const char* const refuses_there = R"(CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE 'could not extend file' USING ERRCODE = '53100'; END $$;
    CREATE TRIGGER refuse BEFORE INSERT ON audit FOR EACH ROW EXECUTE FUNCTION refuse())";
const std::vector<Trouble> troubles{
    {"25006: its other server takes no writes", "SET default_transaction_read_only = on", "", writes_there},
    {"53100: the disk of its other server is full", refuses_there, "", writes_there},
    {"53400: it needs more than a limit allows", "", "SET temp_file_limit = 0 SET work_mem = '64kB'",
     "PERFORM count(*) FROM (SELECT DISTINCT g FROM generate_series(1, 200000) g) d;"}};

struct When {
    const char* trigger;
    const char* said;  ///< what becomes of the run
};
std::ostream& operator<<(std::ostream& out, const When& one) {
    return out << one.trigger;
}
// neither completed nor failed is taken for the first one, but another attempt is
const std::vector<When> whens{
    {"AFTER INSERT ON dormouse.runs_finished FOR EACH ROW WHEN (NEW.task = 'bad')", "run_retry"},
    {"BEFORE UPDATE ON dormouse.runs_live FOR EACH ROW WHEN (NEW.task = 'bad' AND NEW.status = 'running')",
     "run_failed"}};

struct Scene {
    TestDatabase database;

    std::string enqueue(const std::string& task) { return database.value("SELECT dormouse.enqueue('" + task + "')"); }
    std::string status(const std::string& id) {
        return database.value(
            "SELECT status || coalesce(' ' || (error ->> 'class'), '') FROM dormouse.runs WHERE id = '" + id + "'");
    }
    std::string completed(const std::string& task) {
        return database.value("SELECT count(*) FROM dormouse.runs WHERE status = 'completed' AND task = '" + task +
                              "'");
    }
};

/// The table audit of another database of this server, and a trigger that is in trouble with it.
void make_trouble(TestDatabase& database, TestDatabase& other, const Trouble& trouble, const std::string& trigger) {
    other.exec("CREATE TABLE audit (id uuid)");
    const std::string remote = trouble.remote;
    if (remote.starts_with("SET"))
        other.exec("ALTER DATABASE \"" + other.name() + "\" " + remote);
    else if (!remote.empty())
        other.exec(remote);
    database.exec("CREATE EXTENSION postgres_fdw; CREATE SERVER r FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '" +
                  Cluster::shared().socket_directory() + "', port '" + std::to_string(Cluster::shared().port()) +
                  "', dbname '" + other.name() +
                  "'); CREATE USER MAPPING FOR PUBLIC SERVER r OPTIONS (user 'postgres', password_required 'false'); "
                  "CREATE FOREIGN TABLE public.audit (id uuid) SERVER r OPTIONS (table_name 'audit')");
    database.exec("CREATE FUNCTION public.note() RETURNS trigger LANGUAGE plpgsql " + std::string(trouble.settings) +
                  " AS $$ BEGIN " + trouble.body + " RETURN NEW; END $$; CREATE TRIGGER note " + trigger +
                  " EXECUTE FUNCTION public.note()");
}

}  // namespace

}  // namespace others_trouble

BOOST_AUTO_TEST_SUITE(others_trouble, *boost::unit_test::precondition(dormouse::testing::has_postgres))

BOOST_DATA_TEST_CASE(a_trigger_that_fails_for_one_run_as_a_server_would_holds_up_nobody, troubles* whens, trouble,
                     when) {
    Scene scene;
    TestDatabase other;
    make_trouble(scene.database, other, trouble, when.trigger);
    const std::string bad = scene.enqueue("bad");
    for (int i = 0; i < 5; ++i) scene.enqueue("echo");
    LoggedWorker worker(scene.database.url(), {.rest = tasks});
    BOOST_TEST(eventually([&] { return scene.completed("echo") == "5"; }), scene.status(bad));
    BOOST_TEST_REQUIRE(worker.until_said(when.said));
    BOOST_TEST(worker.said(when.said).at(0).text.find("trigger_refused") != std::string::npos, worker.log());
    BOOST_TEST(worker.said("database_lost").empty());
    worker.process().signal(SIGTERM);
    BOOST_TEST(worker.process().wait().exit_code == 0);
}

BOOST_DATA_TEST_CASE(a_lock_on_what_some_runs_write_holds_up_these_alone,
                     boost::unit_test::data::make({"run_logs", "attempt_log"}), table) {
    Scene scene;
    LoggedWorker worker(scene.database.url(), {.rest = tasks});
    const std::string first = scene.enqueue("talks");
    BOOST_TEST_REQUIRE(eventually([&] { return scene.status(first) == "completed"; }));
    auto holder = scene.database.connect();
    BOOST_REQUIRE(holder.script("", std::string("BEGIN; LOCK TABLE dormouse.") + table + " IN SHARE MODE").has_value());
    const std::string talks = scene.enqueue("talks");
    const std::string fails = scene.enqueue("fail");
    const bool logs = std::string(table) == "run_logs";
    for (int i = 1; i <= 6; ++i) {
        const std::string plain = scene.enqueue("echo");
        BOOST_TEST_REQUIRE(eventually([&] { return scene.status(plain) == "completed"; }), scene.status(plain));
    }
    BOOST_TEST(scene.status(logs ? talks : fails) == "running");
    BOOST_TEST(worker.said("database_lost").empty());
    BOOST_REQUIRE(holder.script("", "ROLLBACK").has_value());
    BOOST_TEST(eventually([&] { return scene.status(talks) == "completed"; }), scene.status(talks));
    BOOST_TEST(eventually([&] { return scene.status(fails) != "running"; }), scene.status(fails));
    BOOST_TEST(scene.database.value("SELECT string_agg(text, ' ') FROM dormouse.logs_of('" + talks + "')") == "hello");
    worker.process().signal(SIGTERM);
    BOOST_TEST(worker.process().wait().exit_code == 0);
}

BOOST_AUTO_TEST_CASE(who_leaves_during_such_a_lock_writes_how_runs_ended_without_what_they_said) {
    Scene scene;
    LoggedWorker worker(scene.database.url(), {.rest = tasks});
    BOOST_TEST_REQUIRE(worker.until_said("listening"));
    auto holder = scene.database.connect();
    BOOST_REQUIRE(holder.script("", "BEGIN; LOCK TABLE dormouse.run_logs IN SHARE MODE").has_value());
    const std::string talks = scene.enqueue("talks");
    BOOST_TEST_REQUIRE(worker.until_said("round_refused"));
    BOOST_TEST(worker.said("round_refused").at(0).text.find("dormouse.run_logs") != std::string::npos);
    worker.process().signal(SIGTERM);
    BOOST_TEST(worker.process().wait().exit_code == 0);
    BOOST_TEST(scene.status(talks) == "completed");
    BOOST_REQUIRE(holder.script("", "ROLLBACK").has_value());
}

BOOST_AUTO_TEST_CASE(a_right_of_ours_that_is_missing_fails_no_run) {
    Scene scene;
    apply_roles(scene.database);
    const std::string login = "follower_" + scene.database.name();
    scene.database.exec("CREATE ROLE " + login + " LOGIN IN ROLE dormouse_worker");
    const std::string granted = scene.database.value(
        "SELECT p.oid::regprocedure FROM pg_proc p WHERE p.proname = 'enqueue_next' AND "
        "p.pronamespace = 'dormouse'::regnamespace");
    scene.database.exec("REVOKE EXECUTE ON FUNCTION " + granted + " FROM dormouse_worker, PUBLIC");
    const std::string follows = scene.enqueue("follows");
    const std::string plain = scene.enqueue("echo");
    LoggedWorker worker(scene.database.url(login), {.rest = tasks});
    BOOST_TEST(eventually([&] { return scene.status(plain) == "completed"; }), scene.status(plain));
    BOOST_TEST_REQUIRE(worker.until_said("ending_kept"));
    BOOST_TEST(scene.status(follows) == "running");
    scene.database.exec("GRANT EXECUTE ON FUNCTION " + granted + " TO dormouse_worker");
    BOOST_TEST(eventually([&] { return scene.status(follows) == "completed"; }), scene.status(follows));
    BOOST_TEST(eventually([&] { return scene.completed("echo") == "2"; }));
    worker.process().signal(SIGTERM);
    BOOST_TEST(worker.process().wait().exit_code == 0);
    scene.database.exec("DROP OWNED BY " + login + "; DROP ROLE " + login);
}

BOOST_AUTO_TEST_CASE(a_publication_that_chooses_among_runs_is_named) {
    Scene scene;
    if (std::stoi(scene.database.value("SHOW server_version_num")) < 150'000) return;  // there are none
    scene.enqueue("echo");
    scene.database.exec("CREATE PUBLICATION chosen FOR TABLE dormouse.runs_live WHERE (task = 'bad')");
    LoggedWorker worker(scene.database.url());
    BOOST_TEST_REQUIRE(worker.until_said("database_lost"));
    BOOST_TEST(worker.said("database_lost").at(0).text.find("a publication has a row filter") != std::string::npos);
    scene.database.exec("DROP PUBLICATION chosen");
    BOOST_TEST(eventually([&] { return scene.completed("echo") == "1"; }));
    worker.process().signal(SIGTERM);
    BOOST_TEST(worker.process().wait().exit_code == 0);
}

BOOST_AUTO_TEST_CASE(rows_of_a_default_partition_that_somebody_has_divided_are_not_deleted) {
    Scene scene;
    scene.database.exec(
        "DROP TABLE dormouse.runs_finished_default; CREATE TABLE dormouse.runs_finished_default PARTITION OF "
        "dormouse.runs_finished DEFAULT PARTITION BY LIST (status); CREATE TABLE dormouse.part_a PARTITION OF "
        "dormouse.runs_finished_default FOR VALUES IN ('failed'); CREATE TABLE dormouse.part_b PARTITION OF "
        "dormouse.runs_finished_default DEFAULT; INSERT INTO dormouse.runs (task, status, finished_at) SELECT 't', s, "
        "now() - interval '60 days' FROM unnest('{failed,completed}'::text[]) s, generate_series(1, 3); "
        "INSERT INTO dormouse.runs (task, status, finished_at) SELECT 't', s, now() FROM "
        "unnest('{failed,completed}'::text[]) s, generate_series(1, 3)");
    std::string trouble;
    for (int i = 0; i < 40; ++i)
        trouble += scene.database.value("SELECT coalesce(trouble, '') FROM dormouse.retain('p', 2592000000, now())");
    BOOST_TEST(scene.database.value("SELECT count(*) FROM dormouse.runs WHERE finished_at > now() - interval '1 h'") ==
               "6");
    BOOST_TEST(trouble.find("runs_finished_default is a partitioned table itself") != std::string::npos, trouble);
}

BOOST_AUTO_TEST_SUITE_END()
