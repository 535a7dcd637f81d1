// What a handler sees of its worker, whose account it has: not the password, not the memory.
#include <libpq-fe.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>

#include "support/cluster.h"
#include "support/logged_worker.h"
#include "support/paths.h"
#include "support/process.h"

using namespace dormouse::testing;

namespace {

boost::test_tools::assertion_result is_root(boost::unit_test::test_unit_id) {
    boost::test_tools::assertion_result result(::geteuid() == 0);
    if (!result) result.message() << "only root can start a worker as somebody else";
    return result;
}

/// Any libpq that the tests were started with: LD_LIBRARY_PATH says which.
boost::test_tools::assertion_result has_require_auth(boost::unit_test::test_unit_id) {
    boost::test_tools::assertion_result result(PQlibVersion() >= 160000);
    if (!result) result.message() << "libpq " << PQlibVersion() / 10000 << " has no require_auth (16 has)";
    return result;
}

constexpr const char* account = "60001";

}  // namespace

BOOST_AUTO_TEST_SUITE(secrets, *boost::unit_test::precondition(has_postgres) * boost::unit_test::precondition(is_root))

BOOST_AUTO_TEST_CASE(a_handler_reads_neither_environment_nor_memory_nor_descriptors_of_its_worker) {
    TestDatabase database;
    TemporaryDirectory directory;
    const std::string file = directory.path() + "/peeks.toml";
    std::ofstream(file)
        << "[worker]\nidle_exit = \"1s\"\n[paths]\nruntime_directory = \"" << directory.path()
        << "\"\nspool_directory = \"" << directory.path() << "\"\n[task.peek]\ncommand = [\"/bin/sh\", \"-c\", "
        << R"("for f in environ mem maps fd/0; do cat /proc/$PPID/$f >/dev/null 2>&1 && echo \"$f \"; done; )"
        << R"(cat /proc/$PPID/stat >/dev/null && cat /proc/self/environ >/dev/null && echo end; exit 0"])" << "\n";
    namespace fs = std::filesystem;
    fs::permissions(directory.path(), fs::perms(0777));
    const fs::path sockets(Cluster::shared().socket_directory());
    for (const fs::path& one : {sockets, sockets.parent_path()})
        fs::permissions(one, fs::perms::others_exec, fs::perm_options::add);
    database.exec("SELECT dormouse.enqueue('peek')");
    const Ended ended = run({{"setpriv", std::string("--reuid=") + account, std::string("--regid=") + account,
                              "--clear-groups", dormouse_binary, "worker", "peeks", "--config", file, "--drain"},
                             "",
                             {{"DATABASE_URL", database.url()}, {"PGPASSWORD", "hunter2"}},
                             ""});
    BOOST_TEST(ended.exit_code == 0, ended.err);
    BOOST_TEST(database.value("SELECT result #>> '{}' FROM dormouse.runs") == "end");
    BOOST_TEST(database.value("SELECT status FROM dormouse.runs") == "completed");
}

// As somebody would who answers in place of the server.
BOOST_AUTO_TEST_CASE(no_password_is_sent_in_clear_to_a_server_that_has_proven_nothing,
                     *boost::unit_test::precondition(has_require_auth)) {
    Cluster cluster(ClusterOptions{.tcp = true, .settings = {}});
    TestDatabase database(TestDatabase::Schema::migrated, cluster);
    const auto asks_for = [&](const std::string& method) {
        std::ofstream(cluster.socket_directory() + "/data/pg_hba.conf")
            << "local all all trust\nhost all all 127.0.0.1/32 " << method << "\n";
        database.exec("SELECT pg_reload_conf()");
        for (int i = 0; i < 100 && database.value("SELECT count(*) FROM pg_hba_file_rules WHERE auth_method = $1",
                                                  {method}) != "1";
             ++i) {
        }
    };
    std::map<std::string, std::string> environment;  // the same libpq
    if (const char* const path = std::getenv("LD_LIBRARY_PATH"); path != nullptr) environment["LD_LIBRARY_PATH"] = path;
    const auto status = [&](const std::string& url) {
        auto with_url = environment;
        with_url["DATABASE_URL"] = url;
        return run(cli_program({"status"}, with_url));
    };
    const auto worker_says = [&](const std::string& url) {
        LoggedWorker worker(url, {}, environment);
        BOOST_TEST(worker.until_said(url.find("require_auth") == std::string::npos ? "database_lost" : "listening"),
                   worker.log());
        return worker.log();
    };
    const std::string url = cluster.tcp_url(database.name());
    asks_for("password");
    const std::string said = "dormouse sends no password in clear to a server that has not proven who it is";
    BOOST_TEST(status(url).err.find(said) != std::string::npos, status(url).err);
    BOOST_TEST(worker_says(url).find(said) != std::string::npos);
    const std::string meant = url + "?require_auth=password";
    BOOST_TEST(status(meant).err == "");
    worker_says(meant);
    asks_for("scram-sha-256");
    BOOST_TEST(status(url).err == "");
}

BOOST_AUTO_TEST_SUITE_END()
