// A point-in-time restore with real servers: the primary archives its log, is lost, and another server is restored from
// a base backup to a moment in the past and promoted, while a worker of the lost future lives on.
#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>

#include "server_programs.h"
#include "support/foreground_worker.h"
#include "support/logged_worker.h"

namespace rewound {

using namespace dormouse;
using namespace dormouse::testing;

namespace {

boost::test_tools::assertion_result can_restore(boost::unit_test::test_unit_id id) {
    return has_server_programs(id, {"pg_basebackup"});
}

struct Fixture {
    Cluster primary{ClusterOptions{
        .settings = {
            "wal_level = replica", "archive_mode = on",
            "archive_command = 'mkdir -p ../archive && cp %p ../archive/.%f && mv ../archive/.%f ../archive/%f'"}}};
    Cluster server;  ///< that is restored
    TestDatabase database{TestDatabase::Schema::migrated, primary};
    const std::string data = server.socket_directory() + "/data";

    Fixture() {
        apply_roles(database);
        std::ofstream(primary.socket_directory() + "/data/pg_hba.conf", std::ios::app)
            << "local replication all trust\n";
        database.exec("SELECT pg_reload_conf()");
    }
    ~Fixture() { primary.start(); }  // for the end of the test database
    void back_up() {
        server.stop();
        std::filesystem::copy_file(data + "/postgresql.conf", data + ".conf");
        std::filesystem::remove_all(data);
        succeed({server_program("pg_basebackup"), "--pgdata=" + data, "--checkpoint=fast", "--no-sync",
                 "--wal-method=none", "--dbname=" + primary.url("postgres")});
    }
    /// The moment to which the server is restored.
    void mark() { database.exec("SELECT pg_create_restore_point('the_moment')"); }
    /// The primary is gone, with everything after the moment.
    void restore() {
        const std::string last = database.value("SELECT pg_walfile_name(pg_switch_wal())");
        BOOST_TEST_REQUIRE(
            eventually([&] { return std::filesystem::exists(primary.socket_directory() + "/archive/" + last); }));
        primary.kill();
        std::filesystem::copy_file(data + ".conf", data + "/postgresql.conf",
                                   std::filesystem::copy_options::overwrite_existing);
        std::ofstream(data + "/postgresql.conf", std::ios::app)
            << "restore_command = 'cp " << primary.socket_directory() << "/archive/%f %p'\n"
            << "recovery_target_name = 'the_moment'\nrecovery_target_action = 'promote'\n";
        std::ofstream(data + "/recovery.signal").close();
        give_to_owner_of(primary.socket_directory() + "/data", data);
        server.start();
        BOOST_TEST_REQUIRE(eventually([&] { return now("SELECT pg_is_in_recovery()") == "f"; }), server.log());
    }
    std::string now(const std::string& sql, const postgres::BlockingConnection::Texts& parameters = {}) const {
        return asked(server.url(database.name()), sql, parameters);
    }
    std::string status(const std::string& id) const { return now("SELECT status FROM dormouse.result($1)", {id}); }
    std::string outcomes(const std::string& id) const {
        return now("SELECT string_agg(outcome, ' ' ORDER BY attempt) FROM dormouse.attempts WHERE run_id = $1", {id});
    }
    /// Of both, whichever takes writes.
    [[nodiscard]] std::string url() const {
        return "postgresql://postgres@/" + database.name() + "?host=" + server.socket_directory() + "," +
               primary.socket_directory() + "&port=" + std::to_string(server.port()) + "," +
               std::to_string(primary.port()) + "&target_session_attrs=read-write";
    }
    /// A run that nobody executes until it is given a time.
    std::string parked(const std::string& task, const std::string& key) {
        return database.value("SELECT dormouse.enqueue($1, key => $2, run_at => 'infinity')", {task, key});
    }
    std::string completed(const std::string& id) {
        database.exec("UPDATE dormouse.runs SET run_at = now() WHERE id = '" + id + "' AND status = 'queued'");
        BOOST_TEST(
            eventually([&] { return database.value("SELECT status FROM dormouse.result($1)", {id}) == "completed"; }));
        return id;
    }
};

}  // namespace

}  // namespace rewound

BOOST_FIXTURE_TEST_SUITE(rewound, Fixture, *boost::unit_test::precondition(can_restore))

BOOST_AUTO_TEST_CASE(what_had_ended_stays_ended_and_all_else_goes_on_without_what_the_lost_future_knew) {
    back_up();
    // several days of history, some of them in partitions of their own
    for (int i = 0; i < 12; ++i) database.exec("SELECT dormouse.retain('p', 604800000, now())");
    database.exec(
        "INSERT INTO dormouse.runs (id, task, status, started_at, finished_at, worker, last_fence) SELECT "
        "gen_random_uuid(), "
        "'echo', 'completed', now() - n * interval '1 day', now() - n * interval '1 day', gen_random_uuid(), 1 FROM "
        "generate_series(1, 5) n");
    LoggedWorker worker(url(), {.worker = "concurrency = 4\nlease = \"15s\"", .database = "retry_max = \"1s\""});
    BOOST_TEST_REQUIRE(worker.until_said("listening"), worker.log());
    const std::string done = completed(parked("echo", "done"));
    const std::string held = database.value("SELECT dormouse.enqueue('hold', key => 'held')");
    BOOST_TEST_REQUIRE(eventually([&] { return worker.tasks().started().size() == 1; }), worker.log());
    const std::string waits = parked("echo", "waits");
    const std::string later_held = parked("hold", "later_held");
    database.exec(
        "INSERT INTO dormouse.runs (task, key, status, run_at) VALUES ('echo', 'retry', 'retry', now() + interval '1 "
        "hour')");
    // of a worker that died, with a lease that stands: it is taken back when it has been over for one lease
    const std::string lost = parked("echo", "lost");
    database.exec(
        "UPDATE dormouse.runs SET status = 'running', started_at = now(), worker = gen_random_uuid(), fence = "
        "nextval('dormouse.fence'), lease_until = now() + interval '2 s' WHERE id = '" +
        lost + "'");
    mark();

    const std::string unknown = completed(database.value("SELECT dormouse.enqueue('echo', key => 'of_the_future')"));
    completed(waits);
    database.exec("UPDATE dormouse.runs SET run_at = now() WHERE id = '" + later_held + "'");
    BOOST_TEST_REQUIRE(eventually([&] { return worker.tasks().started().size() == 2; }), worker.log());
    database.exec("SELECT setval('dormouse.fence', nextval('dormouse.fence') + 1000)");
    completed(database.value("SELECT dormouse.enqueue('echo')"));
    restore();

    BOOST_TEST(worker.until_said("database_back"), worker.log());
    // Nobody has promised anything here, so a producer's notification is sent, and heard.
    const std::string heard = now("SELECT dormouse.enqueue('echo')");
    BOOST_TEST(eventually([&] { return status(heard) == "completed"; }), worker.log());
    worker.tasks().release();
    worker.tasks().release();
    BOOST_TEST(eventually([&] { return status(held) == "completed"; }), worker.log());
    BOOST_TEST(outcomes(held) == "completed");  // its claim was before the moment, and is the worker's still
    BOOST_TEST(eventually([&] { return status(lost) == "completed"; }), worker.log());
    BOOST_TEST(outcomes(lost) == "lost completed");
    // what the future had begun and ended never was
    BOOST_TEST(status(waits) == "queued");
    BOOST_TEST(status(later_held) == "queued");
    BOOST_TEST(outcomes(waits) + outcomes(later_held) == "");
    BOOST_TEST(now("SELECT count(*) FROM dormouse.runs WHERE id = $1", {unknown}) == "0");
    BOOST_TEST(status(done) == "completed");
    BOOST_TEST(outcomes(done) == "completed");
    BOOST_TEST(now("SELECT count(*) FROM dormouse.runs WHERE status = 'completed' AND finished_at < now() - interval "
                   "'20 h'") == "5");
    BOOST_TEST(now("SELECT string_agg(status, ' ') FROM dormouse.runs WHERE key = 'retry'") == "retry");
    // and can be done now, once
    now("UPDATE dormouse.runs SET run_at = now() WHERE key IN ('waits', 'later_held')");
    worker.tasks().release();
    BOOST_TEST(eventually([&] { return status(waits) == "completed" && status(later_held) == "completed"; }),
               worker.log());
    BOOST_TEST(outcomes(waits) == "completed");
    // keys are those of the moment
    BOOST_TEST(now("SELECT dormouse.enqueue('echo', key => 'done')") == done);
    BOOST_TEST(now("SELECT dormouse.enqueue('echo', key => 'of_the_future')") != unknown);

    LoggedWorker another(server.url(database.name()));
    BOOST_TEST(another.until_said("listening"), another.log());
    for (int i = 0; i < 40 && now("SELECT did FROM dormouse.retain('p', 604800000, now())") != ""; ++i) {
    }
    BOOST_TEST(now("SELECT coalesce(string_agg(trouble, ', '), '') FROM dormouse.retention") == "");
    BOOST_TEST(now("SELECT count(*) FROM (SELECT run_id, worker, fence FROM dormouse.attempts GROUP BY 1, 2, 3 HAVING "
                   "count(*) > 1) twice") == "0");
    nothing_is_wrong_with(server.url(database.name()));
}

BOOST_AUTO_TEST_SUITE_END()
