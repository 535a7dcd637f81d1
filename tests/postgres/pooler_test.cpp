// A pooler in between, a real pgbouncer: where it hands sessions around, LISTEN cannot work and the worker says so;
// where it does not, the worker works.
#include <pwd.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "support/paths.h"
#include "support/pool_bench.h"
#include "support/process.h"

using namespace dormouse;
using namespace dormouse::testing;

namespace {

constexpr const char* binary = "/usr/sbin/pgbouncer";

boost::test_tools::assertion_result has_pgbouncer(boost::unit_test::test_unit_id id) {
    boost::test_tools::assertion_result result(std::filesystem::exists(binary));
    if (!result) result.message() << "there is no pgbouncer on this machine: apt-get install pgbouncer";
    return result ? has_postgres(id) : result;
}

class Pgbouncer {
  public:
    Pgbouncer(const std::string& mode, int pool_size) {
        const Cluster& cluster = Cluster::shared();
        const std::string here = directory_.path();
        std::ofstream(here + "/users") << "\"postgres\" \"\"\n";
        std::ofstream(here + "/ini") << "[databases]\n* = host=" << cluster.socket_directory()
                                     << " port=" << cluster.port()
                                     << "\n[pgbouncer]\nlisten_addr =\nunix_socket_dir = " << here
                                     << "\nlisten_port = 6432\nauth_type = trust\nauth_file = " << here
                                     << "/users\npool_mode = " << mode << "\ndefault_pool_size = " << pool_size
                                     << "\nquery_wait_timeout = 60\n";
        std::vector<std::string> argv{binary, here + "/ini"};
        if (::geteuid() == 0) {
            const passwd* user = ::getpwnam("postgres");
            BOOST_TEST_REQUIRE((user != nullptr && ::chown(here.c_str(), user->pw_uid, user->pw_gid) == 0));
            const std::vector<std::string> become{"setpriv", "--reuid=" + std::to_string(user->pw_uid),
                                                  "--regid=" + std::to_string(user->pw_gid), "--clear-groups", "--"};
            argv.insert(argv.begin(), become.begin(), become.end());
        }
        process_.emplace(Program{argv, {}, {}, "/", Millis{120'000}});
        BOOST_TEST_REQUIRE(process_->saw_error("process up"));
    }
    [[nodiscard]] std::string url(const std::string& database) const {
        return "postgresql://postgres@/" + database + "?host=" + directory_.path() + "&port=6432";
    }

  private:
    TemporaryDirectory directory_;
    std::optional<Process> process_;
};

std::string refusal_of(const std::string& url) {
    const TemporaryDirectory directory;
    const PoolTasks tasks;
    std::ofstream(directory.path() + "/p.toml") << pool_toml(url, {.database = "connect_timeout = \"2s\""}, tasks);
    const Ended ended =
        run({{dormouse_binary, "worker", "--check", "--config", directory.path() + "/p.toml"}, {}, {}, {}});
    return ended.exit_code == 0 ? "" : ended.err;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(pooler, *boost::unit_test::precondition(has_pgbouncer))

BOOST_AUTO_TEST_CASE(transaction_mode_is_refused_with_the_remedy) {
    const TestDatabase database;
    for (const int pool_size : {1, 5}) {
        const Pgbouncer bouncer("transaction", pool_size);
        const std::string error = refusal_of(bouncer.url(database.name()));
        BOOST_TEST(error.find("transaction mode") != std::string::npos, error);
        BOOST_TEST(error.find("database.url") != std::string::npos, error);
    }
}

BOOST_AUTO_TEST_CASE(statement_mode_is_refused_too) {
    const TestDatabase database;
    const Pgbouncer bouncer("statement", 3);
    BOOST_TEST(!refusal_of(bouncer.url(database.name())).empty());
}

BOOST_AUTO_TEST_CASE(a_relay_refuses_transaction_mode_too_and_works_in_session_mode) {
    const TestDatabase database;
    for (const std::string mode : {"transaction", "session"}) {
        const Pgbouncer bouncer(mode, 5);
        Process relay({{dormouse_binary, "relay", "--database-url", bouncer.url(database.name()), "--set",
                        "paths.runtime_directory=/nonexistent"},
                       {},
                       {},
                       {}});
        BOOST_TEST(relay.saw_error(mode == "transaction" ? "(transaction mode)" : "listening: "), mode);
        relay.signal(SIGTERM);
        BOOST_TEST(relay.wait().exit_code == 0);
    }
}

BOOST_AUTO_TEST_CASE(session_mode_works_and_hears) {
    TestDatabase database;
    const Pgbouncer bouncer("session", 5);
    PoolBench bench(bouncer.url(database.name()));
    BOOST_TEST_REQUIRE(bench.until_idle());
    database.exec("SELECT dormouse.enqueue('echo')");
    BOOST_TEST(bench.until([&] { return database.value("SELECT status FROM dormouse.runs") == "completed"; }));
}

BOOST_AUTO_TEST_CASE(session_mode_without_a_second_session_says_what_is_missing) {
    const TestDatabase database;
    const Pgbouncer bouncer("session", 1);
    const std::string error = refusal_of(bouncer.url(database.name()));
    BOOST_TEST(error.find("does not answer") != std::string::npos, error);
}

BOOST_AUTO_TEST_SUITE_END()
