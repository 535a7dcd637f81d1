// pg_upgrade with real servers: to the same version, and to the one whose programs are in DORMOUSE_NEXT_BINDIR.
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <filesystem>

#include "server_programs.h"
#include "support/foreground_worker.h"
#include "support/logged_worker.h"

namespace upgraded {

using namespace dormouse;
using namespace dormouse::testing;

namespace {

boost::test_tools::assertion_result can_upgrade(boost::unit_test::test_unit_id id) {
    return has_server_programs(id, {"pg_upgrade", "initdb"});
}

boost::test_tools::assertion_result has_next(boost::unit_test::test_unit_id) {
    boost::test_tools::assertion_result result(std::getenv("DORMOUSE_NEXT_BINDIR") != nullptr);
    if (!result) result.message() << "DORMOUSE_NEXT_BINDIR does not name the programs of a later server";
    return result;
}

/// What the upgrade must not change. Rights that are the default ones are written down or not.
constexpr const char* everything =
    "SELECT string_agg(line, chr(10) ORDER BY line) FROM ("
    " SELECT 'run ' || r::text FROM dormouse.runs r UNION ALL SELECT 'key ' || k::text FROM dormouse.keys k UNION ALL"
    " SELECT 'attempt ' || a::text FROM dormouse.attempt_log a UNION ALL SELECT 'channel ' || c::text FROM "
    "dormouse.channel_key c"
    " UNION ALL SELECT 'part ' || p.part || p.since || p.until FROM dormouse.partitions_of('dormouse.runs_finished') p"
    " UNION ALL SELECT 'right ' || c.oid::regclass || a.grantee::regrole || a.privilege_type FROM pg_class c, "
    "aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) a"
    "  WHERE c.relnamespace = 'dormouse'::regnamespace AND a.grantee <> c.relowner"
    " UNION ALL SELECT 'function ' || p.oid::regprocedure || coalesce(p.proconfig::text, '') FROM pg_proc p"
    "  WHERE p.pronamespace = 'dormouse'::regnamespace"
    " UNION ALL SELECT 'right ' || p.oid::regprocedure || a.grantee::regrole FROM pg_proc p, "
    "aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a"
    "  WHERE p.pronamespace = 'dormouse'::regnamespace AND a.grantee <> p.proowner) all_of_it (line)";

struct Fixture {
    Cluster server;
    TestDatabase database{TestDatabase::Schema::migrated, server};

    Fixture() {
        apply_roles(database);
        database.exec("CREATE ROLE works LOGIN IN ROLE dormouse_worker");
    }
    std::string now(const std::string& sql, const postgres::BlockingConnection::Texts& parameters = {}) const {
        return asked(server.url(database.name()), sql, parameters);
    }
    std::string completed() const { return now("SELECT count(*) FROM dormouse.runs WHERE status = 'completed'"); }
    void fill() {
        for (int i = 0; i < 12; ++i) now("SELECT dormouse.retain('p', 604800000, now())");
        now("INSERT INTO dormouse.runs (id, task, status, started_at, finished_at, worker, last_fence) SELECT "
            "gen_random_uuid(), 'echo', 'completed', now() - n * interval '1 day', now() - n * interval '1 day', "
            "gen_random_uuid(), 1 FROM generate_series(1, 3) n");
        now("SELECT dormouse.enqueue('echo', key => 'waits', run_at => 'infinity')");
        now("INSERT INTO dormouse.runs (task, status, run_at) VALUES ('echo', 'retry', now() + interval '1 hour')");
        now("WITH one AS (SELECT dormouse.enqueue('echo', key => 'held') AS id) SELECT id FROM one");
        now("UPDATE dormouse.runs SET status = 'running', started_at = now(), worker = gen_random_uuid(), fence = "
            "nextval('dormouse.fence'), lease_until = now() WHERE key = 'held'");
    }
    void upgrade(const std::string& next) {
        const std::string directory = server.socket_directory();
        const std::string data = directory + "/data";
        const std::string old = directory + "/old";
        server.stop();
        std::filesystem::rename(data, old);
        const auto as_owner = [&](std::vector<std::string> command) {
            if (::geteuid() == 0) {
                std::vector<std::string> whole{"setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups",
                                               "--"};
                command.insert(command.begin(), whole.begin(), whole.end());
            }
            const Ended ended = run({std::move(command), {}, {}, directory, Millis{180'000}});
            BOOST_TEST_REQUIRE(ended.exit_code == 0, ended.out << ended.err);
        };
        std::vector<std::string> init{next + "/initdb", "--pgdata=" + data, "--username=postgres",
                                      "--auth=trust",   "--encoding=UTF8",  "--locale=C",
                                      "--no-sync"};
        const Ended help = run({{next + "/initdb", "--help"}, {}, {}, {}});
        if (help.out.find("--no-data-checksums") != std::string::npos) init.emplace_back("--no-data-checksums");
        as_owner(init);
        as_owner({next + "/pg_upgrade", "--old-bindir=" + server_program("."), "--new-bindir=" + next,
                  "--old-datadir=" + old, "--new-datadir=" + data, "--username=postgres", "--socketdir=" + directory});
        for (const char* const file : {"/postgresql.conf", "/pg_hba.conf"})
            std::filesystem::copy_file(old + file, data + file, std::filesystem::copy_options::overwrite_existing);
        server.use(next);
        server.start();
    }
    void goes_on_with(const std::string& next) {
        fill();
        LoggedWorker worker(database.url("works"), {.database = "retry_max = \"1s\""});  // lives on
        BOOST_TEST(eventually([&] { return completed() == "4"; }), worker.log());        // the lost one, too
        const std::string before = now(everything);
        const std::string version = now("SHOW server_version");
        const std::string fence = now("SELECT last_value FROM dormouse.fence");
        upgrade(next);
        BOOST_TEST_MESSAGE("upgraded from " << version << " to " << now("SHOW server_version"));
        BOOST_TEST(now(everything) == before, now(everything) << "\nbefore:\n" << before);
        BOOST_TEST(now("SELECT last_value >= $1::bigint FROM dormouse.fence", {fence}) == "t");
        nothing_is_wrong_with(server.url(database.name()));
        BOOST_TEST_REQUIRE(worker.until_said("database_back"), worker.log());
        BOOST_TEST(now("SELECT dormouse.enqueue('echo', key => 'held') = id FROM dormouse.runs WHERE key = 'held'") ==
                   "t");
        now("UPDATE dormouse.runs SET run_at = now() WHERE status IN ('queued', 'retry')");
        BOOST_TEST(eventually([&] { return completed() == "6"; }), worker.log());
        now("SELECT dormouse.enqueue('echo')");
        BOOST_TEST(eventually([&] { return completed() == "7"; }), worker.log());
        for (int i = 0; i < 40 && now("SELECT did FROM dormouse.retain('p', 604800000, now())") != ""; ++i) {
        }
        BOOST_TEST(now("SELECT coalesce(string_agg(trouble, ', '), '') FROM dormouse.retention") == "");
        BOOST_TEST(worker.said("round_refused").empty(), worker.log());
    }
};

}  // namespace

}  // namespace upgraded

BOOST_FIXTURE_TEST_SUITE(upgraded, Fixture, *boost::unit_test::precondition(can_upgrade))

BOOST_AUTO_TEST_CASE(a_cluster_that_was_upgraded_goes_on_where_it_was) {
    std::string here = server_program("");
    here.pop_back();
    goes_on_with(here);
}

BOOST_AUTO_TEST_CASE(a_cluster_that_was_upgraded_to_the_next_version_goes_on_where_it_was,
                     *boost::unit_test::precondition(upgraded::has_next)) {
    goes_on_with(std::getenv("DORMOUSE_NEXT_BINDIR"));
}

BOOST_AUTO_TEST_SUITE_END()
