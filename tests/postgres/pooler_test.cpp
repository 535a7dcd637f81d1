// A pooler in between, a real pgbouncer: where it hands sessions around, LISTEN cannot work and the worker says so;
// where it does not, the worker works.
#include <poll.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <boost/test/unit_test.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include "support/paths.h"
#include "support/pool_bench.h"
#include "support/process.h"

namespace pooler {

using namespace dormouse;
using namespace dormouse::testing;
using namespace std::chrono_literals;

namespace {

constexpr const char* binary = "/usr/sbin/pgbouncer";

boost::test_tools::assertion_result has_pgbouncer(boost::unit_test::test_unit_id id) {
    boost::test_tools::assertion_result result(std::filesystem::exists(binary));
    if (!result) result.message() << "there is no pgbouncer on this machine: apt-get install pgbouncer";
    return result ? has_postgres(id) : result;
}

class Pgbouncer {
  public:
    Pgbouncer(const std::string& mode, int pool_size, const std::string& more = {}) {
        const Cluster& cluster = Cluster::shared();
        const std::string here = directory_.path();
        std::ofstream(here + "/users") << "\"postgres\" \"\"\n";
        std::ofstream(here + "/ini") << "[databases]\n* = host=" << cluster.socket_directory()
                                     << " port=" << cluster.port()
                                     << "\n[pgbouncer]\nlisten_addr =\nunix_socket_dir = " << here
                                     << "\nlisten_port = 6432\nauth_type = trust\nauth_file = " << here
                                     << "/users\npool_mode = " << mode << "\ndefault_pool_size = " << pool_size
                                     << "\nquery_wait_timeout = 60\n"
                                     << more;
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

Ended check_of(const std::string& url) {
    const TemporaryDirectory directory;
    const PoolTasks tasks;
    tasks.make_ghost();
    std::ofstream(directory.path() + "/p.toml") << pool_toml(url, {.database = "connect_timeout = \"2s\""}, tasks);
    return run({{dormouse_binary, "worker", "--check", "--config", directory.path() + "/p.toml"}, {}, {}, {}});
}

/// What systemd would be told: a worker's status text goes there.
class StatusSocket {
  public:
    explicit StatusSocket(const std::string& path) : fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path.copy(address.sun_path, sizeof address.sun_path - 1);
        BOOST_TEST_REQUIRE(::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    }
    /// Waits for a message with that in it. False after 20 s without any.
    bool saw(const std::string& text) {
        pollfd ready{fd_.get(), POLLIN, 0};
        while (::poll(&ready, 1, 20'000) > 0) {
            std::array<char, 4'096> message{};
            const ssize_t size = ::recv(fd_.get(), message.data(), message.size(), 0);
            const std::string_view said(message.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
            if (said.find(text) != std::string_view::npos) return true;
        }
        return false;
    }

  private:
    UniqueFd fd_;
};

}  // namespace

}  // namespace pooler

BOOST_AUTO_TEST_SUITE(pooler, *boost::unit_test::precondition(has_pgbouncer))

BOOST_AUTO_TEST_CASE(transaction_mode_is_refused_with_the_remedy) {
    const TestDatabase database;
    for (const int pool_size : {1, 5}) {
        const Pgbouncer bouncer("transaction", pool_size);
        const Ended check = check_of(bouncer.url(database.name()));
        BOOST_TEST(check.exit_code == 8);
        BOOST_TEST(check.err.find("transaction mode") != std::string::npos, check.err);
        BOOST_TEST(check.err.find("database.url") != std::string::npos, check.err);
    }
}

// It hands the servers out in turn, so the same two sessions see A, B, A. What was tried left nothing to others.
BOOST_AUTO_TEST_CASE(transaction_mode_is_refused_where_it_takes_its_servers_in_turn) {
    const TestDatabase database;
    for (const int servers : {2, 3}) {
        const Pgbouncer bouncer("transaction", servers, "server_round_robin = 1\n");
        const auto open = [&] {
            auto session = postgres::BlockingConnection::open(bouncer.url(database.name()), {"somebody", "", 10s});
            BOOST_TEST_REQUIRE(session.has_value());
            return std::move(*session);
        };
        const auto all_warm = [&] {
            std::vector<postgres::BlockingConnection> sessions;
            for (int i = 0; i < servers; ++i) {
                sessions.push_back(open());
                BOOST_TEST_REQUIRE(sessions.back().script("", "BEGIN; SELECT 1").has_value());
            }
            for (auto& session : sessions) BOOST_TEST_REQUIRE(session.script("", "COMMIT").has_value());
        };
        all_warm();
        for (int i = 0; i < 4; ++i) {
            const Ended check = check_of(bouncer.url(database.name()));
            BOOST_TEST(check.exit_code == 8, check.err);
            BOOST_TEST(check.err.find("transaction mode") != std::string::npos, check.err);
        }
        auto session = open();
        for (int i = 0; i < 2 * servers; ++i) {
            const auto left = session.ask(
                "",
                "SELECT concat_ws(' ', current_setting('enable_seqscan'), current_setting('row_security'),"
                " current_setting('dormouse.session', true), (SELECT count(*) FROM pg_locks WHERE locktype = "
                "'advisory'), (SELECT count(*) FROM pg_listening_channels()))");
            BOOST_TEST_REQUIRE(left.has_value());
            BOOST_TEST(left->text(0, 0) == "on on 0 0");
        }
    }
}

BOOST_AUTO_TEST_CASE(commands_that_wait_end_with_the_run) {
    TestDatabase database;
    for (const char* const mode : {"transaction", "session"}) {
        const Pgbouncer bouncer(mode, 5);
        for (const std::vector<std::string>& words :
             {std::vector<std::string>{"enqueue", "t", "--wait=30s"}, {"watch"}, {"logs", "--follow"}}) {
            database.exec("DELETE FROM dormouse.runs");
            std::vector<std::string> command{dormouse_binary};
            command.insert(command.end(), words.begin(), words.end());
            if (words.front() != "enqueue") command.push_back(database.value("SELECT dormouse.enqueue('t')"));
            std::thread worker([&] {
                auto session = database.connect();
                for (int i = 0; i < 1'000; ++i) {
                    const auto waits = session.ask("", "SELECT count(*) FROM dormouse.runs WHERE watched");
                    if (waits && waits->integer(0, 0) == 1) break;
                    std::this_thread::sleep_for(std::chrono::milliseconds(20));
                }
                static_cast<void>(session.ask("", "UPDATE dormouse.runs SET status = 'completed'"));
            });
            const Ended ended = run({command, {}, {{"DATABASE_URL", bouncer.url(database.name())}}, {}});
            worker.join();
            BOOST_TEST(ended.exit_code == 0, std::string(mode) + " " + words.front() + ": " + ended.err);
        }
    }
}

BOOST_AUTO_TEST_CASE(a_worker_that_is_refused_stays_and_says_so_until_its_file_names_another_host) {
    TestDatabase database;
    database.exec("SELECT dormouse.enqueue('echo')");
    const Pgbouncer bouncer("transaction", 5);
    const TemporaryDirectory directory;
    const PoolTasks tasks;
    const std::string file = directory.path() + "/p.toml";
    const auto write = [&](const std::string& url) {
        std::ofstream(file + ".new") << pool_toml(url, {.database = "retry_max = \"1s\""}, tasks);
        std::filesystem::rename(file + ".new", file);
    };
    write(bouncer.url(database.name()));
    StatusSocket status(directory.path() + "/notify");
    Process worker({{dormouse_binary, "worker", "p", "--config", file},
                    {},
                    {{"NOTIFY_SOCKET", directory.path() + "/notify"}},
                    {}});
    BOOST_TEST(worker.saw_error("(transaction mode; "));
    const std::string waits = "STATUS=no database (tries again by itself): the pooler at ";
    BOOST_TEST(status.saw(waits));
    BOOST_TEST(status.saw(waits));  // so it has tried again
    write(database.url());
    BOOST_TEST(worker.saw_error("run_completed"));
    worker.signal(SIGTERM);
    BOOST_TEST(worker.wait().exit_code == 0);
}

BOOST_AUTO_TEST_CASE(statement_mode_is_refused_too) {
    const TestDatabase database;
    const Pgbouncer bouncer("statement", 3);
    BOOST_TEST(check_of(bouncer.url(database.name())).exit_code != 0);
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
        BOOST_TEST(relay.saw_error(mode == "transaction" ? "(transaction mode; " : "listening: "), mode);
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
    const Ended check = check_of(bouncer.url(database.name()));
    BOOST_TEST(check.exit_code == 6);
    BOOST_TEST(check.err.find("does not answer") != std::string::npos, check.err);
}

BOOST_AUTO_TEST_SUITE_END()
