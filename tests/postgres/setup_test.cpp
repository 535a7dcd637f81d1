// dormouse setup on real servers, each with nothing of ours in it: as a superuser, as somebody who may only make roles,
// by the commands that it shows, a second time; and what it refuses, with nothing done.
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/unique_fd.h"
#include "support/cluster.h"
#include "support/paths.h"
#include "support/process.h"

namespace setup {

using namespace dormouse;
using namespace dormouse::testing;

namespace {

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

std::string contents(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

/// Roles belong to the whole server, so each case has one of its own.
struct Fixture {
    Cluster cluster{ClusterOptions{true, false, {}}};
    TemporaryDirectory directory;
    std::string bin = std::filesystem::path(dormouse_binary).parent_path();
    std::map<std::string, std::string> environment{
        {"DORMOUSE_CONFIG_DIR", directory.path()},
        {"DORMOUSE_PATHS_RUNTIME_DIRECTORY", directory.path()},
        {"DORMOUSE_PATHS_SPOOL_DIRECTORY", directory.path()},
        {"PATH", directory.path() + ":" + bin + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}};

    [[nodiscard]] std::string file() const { return directory.path() + "/default.toml"; }
    [[nodiscard]] std::string passfile() const { return directory.path() + "/pgpass"; }
    [[nodiscard]] std::string value(const std::string& database, const std::string& sql) const {
        auto connection = postgres::BlockingConnection::open(cluster.url(database), {});
        if (!connection) return connection.error().message;
        const auto reply = connection->ask("test", sql);
        return reply ? std::string(reply->text(0, 0)) : reply.error().message;
    }
    /// Each statement is a transaction.
    void exec(const std::string& database, const std::string& sql) const {
        auto connection = postgres::BlockingConnection::open(cluster.url(database), {});
        BOOST_REQUIRE(connection.has_value());
        std::istringstream statements(sql);
        for (std::string one; std::getline(statements, one, ';');) {
            const Status done = connection->script("test", one);
            BOOST_REQUIRE_MESSAGE(done.has_value(), (done ? std::string() : done.error().message));
        }
    }
    Ended cli(const std::vector<std::string>& arguments) const { return run(cli_program(arguments, environment)); }
    Ended setup(std::vector<std::string> arguments) const {
        arguments.insert(arguments.begin(), "setup");
        arguments.emplace_back("--no-systemd");
        return cli(arguments);
    }
    /// Everything but the check, which is always made, is there.
    void nothing_to_do(const std::vector<std::string>& arguments) const {
        const std::string before = contents(file()) + contents(passfile());
        const Ended again = setup(arguments);
        BOOST_TEST(again.exit_code == 0, again.err);
        std::istringstream lines(again.out);
        for (std::string line; std::getline(lines, line);)
            if (line.starts_with("# ") && !line.starts_with("# next") &&
                !line.starts_with("# note: everybody may connect"))
                BOOST_TEST((line.starts_with("# there already: ") || has(line, "a try of configuration")), line);
        BOOST_TEST(contents(file()) + contents(passfile()) == before);
    }
    /// The first run, from the command line to its result.
    void a_run_completes() const {
        const Ended enqueued = cli({"enqueue", "count", R"({"hello": "world"})", "--pool", "default"});
        BOOST_TEST(enqueued.exit_code == 0, enqueued.err);
        const Ended worked = cli({"worker", "default", "--drain"});
        BOOST_TEST(worked.exit_code == 0, worked.err);
        BOOST_TEST(value("app", "SELECT status || ' ' || result FROM dormouse.runs") == "completed 18");
    }
    /// What a superuser's later commands insist on.
    void the_owner_is_nobody() const {
        BOOST_TEST(
            value("app",
                  "SELECT string_agg(DISTINCT c.relowner::regrole::text, ',') FROM pg_class c WHERE c.relnamespace "
                  "= 'dormouse'::regnamespace") == "dormouse_owner");
        BOOST_TEST(
            value("app",
                  "SELECT string_agg(DISTINCT p.proowner::regrole::text, ',') FROM pg_proc p WHERE p.pronamespace "
                  "= 'dormouse'::regnamespace") == "dormouse_owner");
        BOOST_TEST(value("app", "SELECT rolcanlogin FROM pg_roles WHERE rolname = 'dormouse_owner'") == "f");
    }
    [[nodiscard]] std::string everything() const {
        return value("postgres", "SELECT string_agg(rolname, ' ' ORDER BY 1) FROM pg_roles") + " / " +
               value("postgres", "SELECT string_agg(datname, ' ' ORDER BY 1) FROM pg_database");
    }
    void refuses(const std::vector<std::string>& arguments, int exit_code,
                 const std::vector<std::string>& words) const {
        const std::string before = everything();
        const std::string text = contents(file());
        const Ended ended = setup(arguments);
        BOOST_TEST(ended.exit_code == exit_code, ended.err << ended.out);
        for (const std::string& word : words) BOOST_TEST(has(ended.err, word), word << " is not in " << ended.err);
        BOOST_TEST(std::count(ended.err.begin(), ended.err.end(), '\n') == 1, ended.err);
        BOOST_TEST(everything() == before);
        BOOST_TEST(contents(file()) == text);
    }
};

unsigned mode_of(const std::string& path) {
    struct stat about{};
    return ::stat(path.c_str(), &about) == 0 ? about.st_mode & 07777U : 0;
}

}  // namespace

}  // namespace setup

BOOST_FIXTURE_TEST_SUITE(setup, Fixture, *boost::unit_test::precondition(has_postgres))

BOOST_AUTO_TEST_CASE(one_command_leads_from_an_empty_server_to_a_run_and_a_second_one_finds_all_of_it) {
    environment["PGHOST"] = cluster.socket_directory();
    environment["PGPORT"] = std::to_string(cluster.port());
    environment["PGUSER"] = "postgres";
    const Ended done = setup({"--create-database", "app"});
    BOOST_TEST(done.exit_code == 0, done.err);
    BOOST_TEST(mode_of(file()) == 0640U);
    the_owner_is_nobody();
    BOOST_TEST(value("app", "SELECT has_database_privilege('public', 'app', 'CONNECT')") == "f");
    nothing_to_do({"--create-database", "app"});
    nothing_to_do({cluster.url("app")});
    for (const char* const name : {"PGHOST", "PGPORT", "PGUSER"}) environment.erase(name);
    a_run_completes();
    const Ended migrated = cli({"migrate", "--database-url", cluster.url("app")});
    BOOST_TEST(has(migrated.out, "nothing to do"), migrated.err);
}

// In a database of its own only those connect who were let in; and the next thing to do is said.
BOOST_AUTO_TEST_CASE(the_application_is_let_in_by_name) {
    const Ended without = setup({cluster.url("postgres"), "--create-database", "app"});
    BOOST_TEST(without.exit_code == 0, without.err);
    BOOST_TEST(has(without.out, " --application LOGIN "), without.out);
    exec("app", "CREATE ROLE there LOGIN");
    for (const std::string login : {"there", "fresh"}) {
        const Ended shown = setup({cluster.url("app"), "--application", login, "--dry-run"});
        BOOST_TEST(has(shown.out, "GRANT CONNECT ON DATABASE app TO " + login), shown.out);
        BOOST_TEST(has(shown.out, "CREATE ROLE fresh LOGIN") == (login == "fresh"), shown.out);
        const Ended done = setup({cluster.url("app"), "--application", login});
        BOOST_TEST(done.exit_code == 0, done.err);
        BOOST_TEST(!has(done.out, "--application LOGIN"), done.out);
        auto connection = postgres::BlockingConnection::open(cluster.url("app", login), {});
        BOOST_REQUIRE_MESSAGE(connection.has_value(), login);
        BOOST_TEST(connection->ask("test", "SELECT dormouse.enqueue('count')").has_value());
        BOOST_TEST(!connection->ask("test", "SELECT FROM dormouse.runs").has_value());
        nothing_to_do({cluster.url("app"), "--application", login});
    }
    exec("app", "CREATE ROLE nologin");
    refuses({cluster.url("app"), "--application", "nologin"}, 7, {"role nologin cannot log in"});
    refuses({cluster.url("app"), "--application", "dormouse"}, 2, {"is the pool's login"});
}

BOOST_AUTO_TEST_CASE(what_it_shows_is_a_script_that_does_the_same) {
    const std::vector<std::string> arguments{cluster.url("app"), "--create-database", "app"};
    const std::string before = everything();
    std::vector<std::string> dry = arguments;
    dry.emplace_back("--dry-run");
    const Ended shown = setup(dry);
    BOOST_TEST(shown.exit_code == 0, shown.err);
    BOOST_TEST(everything() == before);
    BOOST_TEST(!std::filesystem::exists(file()));
    // the server trusts everybody, so it does not matter as whom
    const std::string sudo = directory.path() + "/sudo";
    std::ofstream(sudo) << "#!/bin/sh\nshift 2\nexec \"$@\"\n";
    std::filesystem::permissions(sudo, std::filesystem::perms::owner_all);
    const Ended typed = run({{"/bin/bash", "-eu"}, shown.out, environment, "/"});
    BOOST_TEST(typed.exit_code == 0, typed.err << typed.out << shown.out);
    the_owner_is_nobody();
    nothing_to_do(arguments);
    a_run_completes();
}

BOOST_AUTO_TEST_CASE(who_may_make_roles_needs_no_superuser_and_the_pool_gets_a_password) {
    exec("postgres", "CREATE ROLE admin LOGIN CREATEROLE PASSWORD 'admins-word'; CREATE DATABASE app OWNER admin");
    const std::string url = "postgresql://admin@127.0.0.1:" + std::to_string(cluster.port()) + "/app?sslmode=disable";
    refuses({url}, 7, {"password"});
    environment["PGPASSWORD"] = "admins-word";
    const Ended done = setup({url});
    BOOST_TEST(done.exit_code == 0, done.err);
    BOOST_TEST(!has(done.out + done.err, "admins-word"));
    the_owner_is_nobody();
    BOOST_TEST(mode_of(passfile()) == 0600U);
    const std::string line = contents(passfile());
    BOOST_TEST(line.starts_with("127.0.0.1:" + std::to_string(cluster.port()) + ":*:dormouse:"), line);
    const std::string secret = line.substr(line.rfind(':') + 1, 48);
    BOOST_TEST(secret.size() == 48U);
    BOOST_TEST(!has(done.out + done.err + contents(file()) + cluster.log(), secret));
    BOOST_TEST(value("app", "SELECT rolsuper FROM pg_roles WHERE rolname = 'dormouse'") == "f");
    nothing_to_do({url});
    environment.erase("PGPASSWORD");
    a_run_completes();

    // whoever has the password in a variable is understood, too, and it is not shown
    environment["DATABASE_URL"] =
        "postgresql://admin:admins-word@127.0.0.1:" + std::to_string(cluster.port()) + "/app?sslmode=disable";
    nothing_to_do({});
    const Ended shown = setup({"--dry-run"});
    BOOST_TEST(!has(shown.out + shown.err, "admins-word"));
    environment.erase("DATABASE_URL");

    // a login whose password nobody knows
    std::filesystem::remove(passfile());
    environment["PGPASSWORD"] = "admins-word";
    refuses({url}, 9, {"login dormouse is there already", "has no password for it: add the line 127.0.0.1:"});
}

BOOST_AUTO_TEST_CASE(the_commands_for_a_password_do_the_same) {
    exec("postgres", "CREATE ROLE admin LOGIN CREATEROLE PASSWORD 'admins-word'; CREATE DATABASE app OWNER admin");
    const std::string url = "postgresql://admin@127.0.0.1:" + std::to_string(cluster.port()) + "/app?sslmode=disable";
    environment["PGPASSWORD"] = "admins-word";
    const Ended shown = setup({url, "--dry-run"});
    BOOST_TEST(shown.exit_code == 0, shown.err);
    BOOST_TEST(!std::filesystem::exists(passfile()));
    const Ended typed = run({{"/bin/bash", "-eu"}, shown.out, environment, "/"});
    BOOST_TEST(typed.exit_code == 0, typed.err << typed.out << shown.out);
    nothing_to_do({url});
    environment.erase("PGPASSWORD");
    a_run_completes();
}

BOOST_AUTO_TEST_CASE(what_is_missing_is_named_with_who_can_do_it_and_nothing_is_done) {
    exec("postgres", "CREATE ROLE plain LOGIN; CREATE DATABASE app OWNER plain; CREATE ROLE maker LOGIN CREATEROLE");
    const auto url = [&](const std::string& user, const std::string& database) { return cluster.url(database, user); };
    refuses({url("plain", "app")}, 7, {"login plain may not create and grant roles (no CREATEROLE)", "a superuser"});
    refuses({url("maker", "app")}, 7, {"login maker may not make a schema in database app (no CREATE on it)"});
    refuses({url("postgres", "none")}, 9, {"there is no database none", "--create-database none"});
    refuses({url("plain", "none"), "--create-database", "none"}, 7, {"may not create databases (no CREATEDB)"});
    refuses({"postgresql://postgres@/?host=" + cluster.socket_directory() + "&port=" + std::to_string(cluster.port())},
            2, {"which database?", "there are: app"});
    refuses({"postgresql:///app?host=" + directory.path()}, 6, {"is the server up"});
    refuses({"postgresql://postgres:word@/app"}, 2, {"a password on the command line"});
    refuses({"postgresql://postgres@/app?service=x"}, 2, {"service"});
    refuses({"postgresql://o@ep-calm-1-pooler.eu.aws.neon.tech/app"}, 2, {"is a pooler", "ep-calm-1.eu.aws.neon.tech"});
    refuses({url("postgres", "app"), "--login", "postgres"}, 7, {"login postgres is a superuser"});
    refuses({url("postgres", "app"), "--pool", "a b"}, 2, {"pool"});
}

/// For cases that give a file to somebody else.
boost::test_tools::assertion_result is_root(boost::unit_test::test_unit_id /*test*/) {
    boost::test_tools::assertion_result root(::geteuid() == 0);
    if (!root) root.message() << "only root can make a socket that is somebody else's";
    return root;
}

BOOST_AUTO_TEST_CASE(a_socket_that_anybody_may_have_put_into_tmp_is_no_server,
                     *boost::unit_test::precondition(is_root)) {
    const std::string port = std::to_string(60'000 + ::getpid() % 5'000);
    const std::string path = "/tmp/.s.PGSQL." + port;
    const UniqueFd bait(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    BOOST_TEST_REQUIRE(::bind(bait.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    BOOST_TEST_REQUIRE(::chown(path.c_str(), 65534, 65534) == 0);
    environment["PGPORT"] = port;
    const Ended refused = setup({"--create-database", "app"});
    BOOST_TEST(::unlink(path.c_str()) == 0);
    BOOST_TEST(refused.exit_code != 0);
    BOOST_TEST(has(refused.err, "no Postgres server runs on this machine"), refused.err);
}

BOOST_AUTO_TEST_CASE(a_pool_of_ones_own_directory_cannot_be_switched_on) {
    exec("postgres", "CREATE DATABASE app");
    const Ended ended = cli({"setup", cluster.url("app")});
    BOOST_TEST(ended.exit_code == 9, ended.err);
    BOOST_TEST(has(ended.err, "DORMOUSE_CONFIG_DIR"), ended.err);
    BOOST_TEST(!std::filesystem::exists(file()));
}

BOOST_AUTO_TEST_CASE(what_belongs_to_somebody_else_is_left_to_him) {
    exec("postgres", "CREATE ROLE plain LOGIN; CREATE DATABASE app OWNER plain");
    const std::string url = cluster.url("app");
    exec("app", "CREATE SCHEMA dormouse AUTHORIZATION plain");
    refuses({url}, 7, {"schema dormouse belongs to plain and not to dormouse_owner"});
    exec("app", "DROP SCHEMA dormouse; CREATE ROLE dormouse_owner LOGIN");
    refuses({url}, 7, {"role dormouse_owner can log in"});
    exec("app", "ALTER ROLE dormouse_owner NOLOGIN; GRANT dormouse_owner TO plain");
    refuses({url}, 7, {"role dormouse_owner has members", "plain"});
    exec("app",
         "REVOKE dormouse_owner FROM plain; CREATE SCHEMA dormouse AUTHORIZATION dormouse_owner;"
         " CREATE FUNCTION dormouse.levels() RETURNS int LANGUAGE sql AS 'SELECT 1'");
    refuses({url}, 7, {"schema dormouse"});
    exec("app", "DROP SCHEMA dormouse CASCADE");
    std::ofstream(file()) << "[database]\nurl = \"postgresql://dormouse@elsewhere/app\"\n";
    refuses({url}, 9, {"default.toml is there and names another database", "--pool"});
    std::ofstream(file()) << "[database\n";
    refuses({url}, 9, {"default.toml:1"});
    // another pool does not mind, and does not touch it
    const Ended done = setup({url, "--pool", "second"});
    BOOST_TEST(done.exit_code == 0, done.err);
    BOOST_TEST(contents(file()) == "[database\n");
    BOOST_TEST(
        contents(directory.path() + "/second.toml").starts_with("[database]\nurl = \"postgresql://dormouse@/app?"));
}

BOOST_AUTO_TEST_CASE(what_was_half_done_is_gone_on_with) {
    exec("postgres", "CREATE DATABASE app; CREATE ROLE dormouse_owner; CREATE ROLE dormouse LOGIN");
    exec("app", "CREATE SCHEMA dormouse AUTHORIZATION dormouse_owner");
    const Ended done = setup({cluster.url("app")});
    BOOST_TEST(done.exit_code == 0, done.err);
    BOOST_TEST(has(done.out, "there already: schema dormouse"), done.out);
    BOOST_TEST(has(done.out, "GRANT dormouse_worker TO dormouse"), done.out);
    BOOST_TEST(has(done.out, "REVOKE CONNECT ON DATABASE app FROM PUBLIC"), done.out);
    nothing_to_do({cluster.url("app")});
    a_run_completes();
    // a table without its grants, as after `dormouse migrate` alone
    exec("app", "REVOKE SELECT ON dormouse.imports FROM dormouse_worker");
    const Ended again = setup({cluster.url("app")});
    BOOST_TEST(has(again.out, "dormouse migrate --roles"), again.out);
    nothing_to_do({cluster.url("app")});
}

BOOST_AUTO_TEST_SUITE_END()
