// A private Postgres for a test binary: made in a temporary directory when the first test asks for it,
// reached through a unix socket (and a free port of the loopback, if wanted), without fsync, gone with the
// process however that ends. One template database is migrated by the real migrator; each TestDatabase is a
// clone of it. Used by tests only.
#pragma once

#include <boost/test/tools/assertion_result.hpp>
#include <boost/test/tree/test_unit.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "postgres/blocking.h"

namespace dormouse::testing {

/// Why there is no Postgres for tests, with the package that brings it; empty when there is one.
std::string why_no_postgres();

/// For suites: BOOST_AUTO_TEST_SUITE(name, *boost::unit_test::precondition(has_postgres)). Without Postgres
/// the suite is skipped and says so.
inline boost::test_tools::assertion_result has_postgres(boost::unit_test::test_unit_id) {
    const std::string why = why_no_postgres();
    boost::test_tools::assertion_result result(why.empty());
    if (!why.empty()) result.message() << why;
    return result;
}

struct ClusterOptions {
    bool tcp = false;                   ///< listen on 127.0.0.1 and ::1 too, with scram passwords for everybody
    bool fsync = false;                 ///< true: as in production, for tests that kill the server
    std::vector<std::string> settings;  ///< more of them: "log_statement=all"
};

/// For statements of the worker that are tried by themselves: tasks that it knows, and a slot for each of many runs.
inline constexpr const char* known_tasks =
    "{t,a,b,c,d,u,first,late,next,now,ok,other,other_task,parked,quick,slow,story,talks,echo,hold,count,mail}";
inline constexpr const char* known_slots =
    "{9999,9999,9999,9999,9999,9999,9999,9999,9999,9999,9999,9999,9999,9999,9999,9999,9999,9999,9999,9999,9999,9999}";

/// The user that must say its password, locally too.
inline constexpr const char* password_user = "with_password";
inline constexpr const char* password = "open-sesame-7319";

class Cluster {
  public:
    /// Makes and starts one. Throws std::runtime_error, with the server's log, when it cannot.
    explicit Cluster(const ClusterOptions& options = {});
    ~Cluster();
    Cluster(const Cluster&) = delete;
    Cluster& operator=(const Cluster&) = delete;

    /// The one that all tests of this process share.
    static Cluster& shared();

    /// postgresql://USER@/DATABASE?host=DIRECTORY&port=PORT, without a password. The superuser is "postgres";
    /// every user but password_user is trusted.
    [[nodiscard]] std::string url(const std::string& database, const std::string& user = "postgres") const;
    /// postgresql://with_password:PASSWORD@127.0.0.1:PORT/DATABASE; only with ClusterOptions::tcp.
    [[nodiscard]] std::string tcp_url(const std::string& database) const;
    [[nodiscard]] const std::string& socket_directory() const { return socket_directory_; }
    [[nodiscard]] int port() const { return port_; }
    [[nodiscard]] std::string log() const;

    void stop();   ///< fast shutdown; the data stay
    void kill();   ///< like a power cut: SIGKILL to all of its processes
    void start();  ///< again, after stop() or kill()
    /// The next start() takes the server of this directory.
    void use(const std::string& programs) { programs_ = programs; }
    /// The name of a new database: a clone of the migrated template, or an empty one.
    std::string make_database(bool migrated = true);
    void drop_database(const std::string& name);

  private:
    void initialize(const ClusterOptions& options);
    [[nodiscard]] bool answers() const;

    std::string directory_;
    std::string socket_directory_;
    std::string programs_;
    int port_ = 5432;
    bool tcp_ = false;
    bool template_ready_ = false;
    int count_ = 0;
    pid_t keeper_ = -1;
    UniqueFd keeper_input_;  ///< the keeper stops the server when this end is closed, by us or by our death
};

/// A database of one test case, dropped with it.
class TestDatabase {
  public:
    enum class Schema { migrated, none };
    explicit TestDatabase(Schema schema = Schema::migrated, Cluster& cluster = Cluster::shared());
    ~TestDatabase();
    TestDatabase(const TestDatabase&) = delete;
    TestDatabase& operator=(const TestDatabase&) = delete;

    [[nodiscard]] const std::string& name() const { return name_; }
    [[nodiscard]] std::string url(const std::string& user = "postgres") const { return cluster_.url(name_, user); }
    /// A session of its own. Throws std::runtime_error.
    [[nodiscard]] postgres::BlockingConnection connect(const std::string& user = "postgres") const;
    /// Statements, as the superuser, on one session that stays. Throws std::runtime_error with the server's
    /// words.
    void exec(const std::string& sql);
    /// The first column of the first row; "" for a null or no row.
    std::string value(const std::string& sql, const postgres::BlockingConnection::Texts& parameters = {});

  private:
    Cluster& cluster_;
    std::string name_;
    std::optional<postgres::BlockingConnection> connection_;
};

/// Makes the roles of sql/roles.sql and their grants in this database.
void apply_roles(TestDatabase& database);

/// A directory that is removed with everything in it.
class TemporaryDirectory {
  public:
    TemporaryDirectory();
    ~TemporaryDirectory();
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
    [[nodiscard]] const std::string& path() const { return path_; }

  private:
    std::string path_;
};

}  // namespace dormouse::testing
