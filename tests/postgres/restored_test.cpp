// Databases that come from elsewhere: dumped and restored, whole and in parts, by another owner; and a standby that
// becomes the primary.
#include <sys/socket.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>

#include "server_programs.h"
#include "support/foreground_worker.h"
#include "support/logged_worker.h"
#include "support/paths.h"

namespace restored {

using namespace dormouse;
using namespace dormouse::testing;

namespace {

boost::test_tools::assertion_result has_client_programs(boost::unit_test::test_unit_id id) {
    return has_server_programs(id, {"pg_dump", "psql", "pg_basebackup"});
}

struct Restored {
    TemporaryDirectory directory;
    TestDatabase from;
    TestDatabase to{TestDatabase::Schema::none};

    Restored() {
        from.exec(
            "SELECT dormouse.enqueue('echo', key => 'live'), dormouse.enqueue('echo', key => 'done');"
            " UPDATE dormouse.runs SET status = 'completed' WHERE key = 'done'");
        for (int i = 0; i < 3; ++i) from.exec("SELECT dormouse.retain('p', 259200000, now())");
        from.exec(
            "SELECT dormouse.enqueue('echo', key => 'of_today');"
            " UPDATE dormouse.runs SET status = 'completed' WHERE key = 'of_today'");
        to.exec("DROP ROLE IF EXISTS other_owner; CREATE ROLE other_owner LOGIN; GRANT CREATE ON DATABASE " +
                to.name() + " TO other_owner");
    }
    ~Restored() { to.exec("DROP OWNED BY other_owner CASCADE; DROP ROLE other_owner"); }

    void copy(std::vector<std::string> what) {
        const std::string file = directory.path() + "/dump.sql";
        std::vector<std::string> dump{server_program("pg_dump"), "--no-owner", "--no-privileges", "--schema=dormouse",
                                      "--file=" + file};
        dump.insert(dump.end(), what.begin(), what.end());
        dump.push_back(from.url());
        succeed(dump);
        succeed({server_program("psql"), "-q", "-v", "ON_ERROR_STOP=1", "-f", file, to.url("other_owner")});
    }
    std::string id(const std::string& key) { return from.value("SELECT id FROM dormouse.runs WHERE key = $1", {key}); }
    void works() {
        for (const char* const key : {"live", "done", "of_today"})
            BOOST_TEST(to.value("SELECT dormouse.enqueue('echo', key => $1)", {key}) == id(key), key);
        BOOST_TEST(to.value("SELECT status FROM dormouse.result($1)", {id("done")}) == "completed");
        LoggedWorker worker(to.url("other_owner"));
        BOOST_TEST(worker.until_said("run_completed"), worker.log());
        const Ended ended =
            run(cli_program({"runs", "--status", "completed", "--json"}, {{"DATABASE_URL", to.url("other_owner")}}));
        BOOST_TEST(std::count(ended.out.begin(), ended.out.end(), '\n') == 3, ended.out << ended.err);
        for (int i = 0; i < 40 && to.value("SELECT did FROM dormouse.retain('p', 259200000, now())") != ""; ++i) {
        }
        BOOST_TEST(to.value("SELECT coalesce(string_agg(trouble, ', '), '') FROM dormouse.retention") == "");
    }
};

/// A primary and its standby, with a database.
struct Pair {
    Cluster primary{ClusterOptions{.settings = {"wal_level = replica"}}};
    Cluster standby;
    TestDatabase database{TestDatabase::Schema::migrated, primary};

    Pair() {
        std::ofstream(primary.socket_directory() + "/data/pg_hba.conf", std::ios::app)
            << "local replication all trust\n";
        database.exec("SELECT pg_reload_conf()");
        standby.stop();
        const std::string data = standby.socket_directory() + "/data";
        const std::string settings = data + ".conf";
        std::filesystem::copy_file(data + "/postgresql.conf", settings);
        std::filesystem::remove_all(data);
        succeed({server_program("pg_basebackup"), "--pgdata=" + data, "--write-recovery-conf", "--checkpoint=fast",
                 "--no-sync", "--dbname=" + primary.url("postgres")});
        std::filesystem::copy_file(settings, data + "/postgresql.conf",
                                   std::filesystem::copy_options::overwrite_existing);
        give_to_owner_of(primary.socket_directory() + "/data", data);
        standby.start();
    }
    ~Pair() { primary.start(); }  // for the end of the test database
    /// Of both, whichever takes writes.
    [[nodiscard]] std::string url() const {
        return "postgresql://postgres@/" + database.name() + "?host=" + standby.socket_directory() + "," +
               primary.socket_directory() + "&port=" + std::to_string(standby.port()) + "," +
               std::to_string(primary.port()) + "&target_session_attrs=read-write";
    }
    /// The standby has all of it before the primary is gone, and takes its place. A session there.
    postgres::BlockingConnection fail_over() {
        const std::string seen = database.value("SELECT pg_current_wal_insert_lsn()");
        auto replica = postgres::BlockingConnection::open(standby.url(database.name()), {});
        BOOST_TEST_REQUIRE(replica.has_value());
        BOOST_TEST_REQUIRE(eventually([&] {
            return replica->ask("", "SELECT pg_last_wal_replay_lsn() >= $1::pg_lsn", {seen})->text(0, 0) == "t";
        }));
        primary.kill();
        BOOST_TEST_REQUIRE(replica->ask("", "SELECT pg_promote()").has_value());
        return std::move(*replica);
    }
};

}  // namespace

}  // namespace restored

BOOST_AUTO_TEST_SUITE(restored, *boost::unit_test::precondition(has_client_programs))

BOOST_AUTO_TEST_CASE(a_dump_is_restored_by_another_owner_and_everything_goes_on) {
    Restored restored;
    restored.copy({});
    restored.works();
}

BOOST_AUTO_TEST_CASE(schema_and_data_are_restored_one_after_the_other) {
    Restored restored;
    restored.copy({"--schema-only"});
    restored.copy({"--data-only"});
    restored.works();
}

BOOST_AUTO_TEST_CASE(keys_that_were_not_restored_are_given_back_by_one_statement) {
    Restored restored;
    restored.copy({"--schema-only"});
    restored.copy({"--data-only", "--exclude-table-data=dormouse.keys"});
    TestDatabase& to = restored.to;
    // their triggers have seen to that
    BOOST_TEST(to.value("SELECT string_agg(key, ' ' ORDER BY key) FROM dormouse.keys") == "done live of_today");
    to.exec(sql_of_page("docs/replication.md").back());
    restored.works();
}

BOOST_AUTO_TEST_CASE(a_worker_follows_to_the_standby_that_is_promoted) {
    Pair pair;
    LoggedWorker worker(pair.url());
    BOOST_TEST_REQUIRE(worker.until_said("listening"), worker.log());
    pair.database.exec("SELECT dormouse.enqueue('echo')");
    BOOST_TEST(worker.until_said("run_completed"), worker.log());
    auto promoted = pair.fail_over();
    BOOST_TEST(worker.until_said("database_back"), worker.log());
    for (int i = 2; i < 4; ++i) {  // the first is found by its look, or heard of; the second is heard of
        BOOST_TEST_REQUIRE(promoted.script("", "SELECT dormouse.enqueue('echo')").has_value());
        BOOST_TEST(worker.until_said("run_completed", static_cast<std::size_t>(i)), worker.log());
    }
    BOOST_TEST(promoted.ask("", "SELECT count(*) FROM dormouse.runs WHERE status = 'completed'")->text(0, 0) == "3");
}

// What a producer leaves out relies on locks of the server, and they have gone with it: the relay registers anew before
// producers may be silent.
BOOST_AUTO_TEST_CASE(a_relay_follows_to_the_standby_that_is_promoted_and_rings_go_through) {
    Pair pair;
    TemporaryDirectory directory;
    std::ofstream(directory.path() + "/follows.toml")
        << "[database]\nurl = \"" << pair.url() << "\"\nretry_max = \"1s\"\n[paths]\nruntime_directory = \""
        << directory.path() << "\"\n";
    const UniqueFd bell = listen_at(directory.path() + "/follows.sock");
    Process relay(cli_program({"relay", "follows", "--config", directory.path() + "/follows.toml", "--verbose"}, {}));
    const auto answers_ring = [&] {
        return eventually([&] { return UniqueFd(::accept4(bell.get(), nullptr, nullptr, SOCK_CLOEXEC)).valid(); });
    };
    BOOST_TEST_REQUIRE(relay.saw_error("listening"));
    BOOST_TEST(answers_ring());  // for what was there before
    pair.database.exec("SELECT dormouse.enqueue('echo')");
    BOOST_TEST(answers_ring());
    auto promoted = pair.fail_over();
    // before the relay is there, or just after: whichever it was, a ring comes of it
    BOOST_TEST_REQUIRE(promoted.script("", "SELECT dormouse.enqueue('echo')").has_value());
    BOOST_TEST(answers_ring());
    BOOST_TEST_REQUIRE(relay.saw_error("database_back"));
    while (UniqueFd(::accept4(bell.get(), nullptr, nullptr, SOCK_CLOEXEC)).valid()) {
    }
    BOOST_TEST(promoted
                   .ask("",
                        "SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid IN (SELECT "
                        "pid FROM pg_stat_activity WHERE application_name LIKE 'dormouse relay%')")
                   ->text(0, 0) == "t");
    BOOST_TEST_REQUIRE(promoted.script("", "SELECT dormouse.enqueue('echo')").has_value());
    BOOST_TEST(answers_ring());
}

BOOST_AUTO_TEST_SUITE_END()
