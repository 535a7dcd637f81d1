// Which database a command means, what it says when it cannot have it, and that no secret is in any of it.
#include <sys/socket.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "support/paths.h"
#include "support/pool_bench.h"
#include "support/process.h"
#include "systemd/local_rings.h"

namespace cli_database {

using namespace dormouse::testing;
using nlohmann::json;

namespace {

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

struct Fixture {
    TestDatabase database;
    TemporaryDirectory directory;
    std::map<std::string, std::string> environment{{"DORMOUSE_CONFIG_DIR", directory.path()},
                                                   {"DORMOUSE_PATHS_RUNTIME_DIRECTORY", directory.path()}};

    Ended cli(std::vector<std::string> arguments) { return run(cli_program(std::move(arguments), environment)); }
    void fails(std::vector<std::string> arguments, int exit_code, const std::string& because) {
        const Ended ended = cli(std::move(arguments));
        BOOST_TEST(ended.exit_code == exit_code, ended.err);
        BOOST_TEST(has(ended.err, because), ended.err);
        BOOST_TEST(!has(ended.err + ended.out, password));
        BOOST_TEST(ended.err.starts_with("dormouse: "), ended.err);
        BOOST_TEST(std::count(ended.err.begin(), ended.err.end(), '\n') == 1, ended.err);
    }
    void pool(const std::string& name, const std::string& url, const std::string& more = {}) const {
        std::ofstream(directory.path() + "/" + name + ".toml") << "[database]\nurl = \"" << url << "\"\n" << more;
    }
    /// A connection string for a user who has a password.
    [[nodiscard]] std::string with_password(const std::string& word) const {
        return "postgresql://with_password:" + word + "@/" + database.name() +
               "?host=" + Cluster::shared().socket_directory() + "&port=" + std::to_string(Cluster::shared().port());
    }
};

}  // namespace

}  // namespace cli_database

BOOST_FIXTURE_TEST_SUITE(cli_database, Fixture, *boost::unit_test::precondition(has_postgres))

BOOST_AUTO_TEST_CASE(who_has_no_login_is_told_how_to_get_one) {
    fails({"runs", "--database-url", database.url("nobody_of_that_name")}, 7,
          "the URL names that login, and the server has none: name a login");
}

BOOST_AUTO_TEST_CASE(a_flag_counts_more_than_a_variable_and_a_variable_more_than_a_file) {
    TestDatabase other;
    other.exec("SELECT dormouse.enqueue('other')");
    database.exec("SELECT dormouse.enqueue('ours')");
    const auto task = [&](std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), {"runs", "--json"});
        const Ended ended = cli(arguments);
        BOOST_REQUIRE_MESSAGE(ended.exit_code == 0, ended.err);
        return json::parse(ended.out).at("task").get<std::string>();
    };
    pool("main", database.url());
    BOOST_TEST(task({}) == "ours");
    environment["DATABASE_URL"] = other.url();
    BOOST_TEST(task({}) == "other");
    environment["DORMOUSE_DATABASE_URL"] = database.url();
    BOOST_TEST(task({}) == "ours");
    BOOST_TEST(task({"--database-url", other.url()}) == "other");
    environment["DORMOUSE_DATABASE_URL"] = other.url();
    BOOST_TEST(task({"--pool", "main"}) == "ours");
    environment.erase("DORMOUSE_DATABASE_URL");
    environment.erase("DATABASE_URL");
    pool("second", database.url());
    BOOST_TEST(task({}) == "ours");
    pool("third", other.url());
    fails({"runs"}, 9, "name several (main, second, third); name one with --pool");
}

// Other options of the connection make no other database, and neither do other names of this machine's own places.
BOOST_AUTO_TEST_CASE(pools_of_one_database_are_compared_by_where_they_lead) {
    pool("main", database.url());
    pool("night", database.url() + "&connect_timeout=5");
    const std::string link = directory.path() + "/link";
    std::filesystem::create_symlink(Cluster::shared().socket_directory(), link);
    pool("third", "postgresql://nobody@/" + database.name() + "?port=" + std::to_string(Cluster::shared().port()) +
                      "&host=" + link);
    for (const std::string command : {"runs", "workers", "reap"}) {
        const Ended ended = cli({command});
        BOOST_TEST(ended.exit_code == 0, command + ": " + ended.err);
        BOOST_TEST(ended.err.empty(), command + ": " + ended.err);
    }
    BOOST_TEST(cli({"enqueue", "t"}).exit_code == 0);
}

BOOST_AUTO_TEST_CASE(a_queue_chooses_among_the_pools_that_serve_it) {
    TestDatabase other;
    pool("main", database.url());
    pool("night", other.url(), "[worker]\nqueues = [\"night\"]\n");
    BOOST_TEST(cli({"enqueue", "ours"}).exit_code == 0);
    BOOST_TEST(cli({"enqueue", "theirs", "--queue", "night"}).exit_code == 0);
    BOOST_TEST(database.value("SELECT string_agg(task, ' ') FROM dormouse.runs") == "ours");
    BOOST_TEST(other.value("SELECT string_agg(task, ' ') FROM dormouse.runs") == "theirs");
    BOOST_TEST(json::parse(cli({"runs", "--queue", "night", "--json"}).out).at("task") == "theirs");
    BOOST_TEST(has(cli({"cancel", "--queue", "night", "--dry-run"}).out, "theirs"));
    fails({"enqueue", "nobodys", "--queue", "elsewhere"}, 9, "name several (main, night)");
}

BOOST_AUTO_TEST_CASE(no_database_is_told_with_the_ways_to_name_one) {
    fails({"runs"}, 9, "DATABASE_URL");
    fails({"runs", "--pool", "none"}, 9, "none.toml");
    fails({"runs", "--pool", "../x"}, 9, "pool");
}

BOOST_AUTO_TEST_CASE(a_broken_file_is_told_with_its_line) {
    std::ofstream(directory.path() + "/main.toml")
        << "[database]\nurl = \"postgresql://x@/y\"\n[worker]\nidle_exits = \"1s\"\n";
    fails({"runs"}, 9, "main.toml:4");
}

BOOST_AUTO_TEST_CASE(a_broken_file_of_another_pool_is_told_and_stops_no_command) {
    const std::string id = database.value("SELECT dormouse.enqueue('t')");
    pool("day", database.url());
    std::ofstream(directory.path() + "/night.toml") << "x=1\n";
    const std::string warning = "dormouse: warning: pool night is left out: " + directory.path() + "/night.toml:1";
    for (const std::vector<std::string>& command : {std::vector<std::string>{"enqueue", "t", "--queue", "day"},
                                                    {"show", id},
                                                    {"logs", id},
                                                    {"history"},
                                                    {"runs"},
                                                    {"workers"},
                                                    {"reap"},
                                                    {"migrate", "--check"},
                                                    {"cancel", id},
                                                    {"archive", id}}) {
        const Ended ended = cli(command);
        BOOST_TEST(ended.exit_code == 0, command.front() + ": " + ended.err);
        BOOST_TEST(has(ended.err, warning), command.front() + ": " + ended.err);
    }
    fails({"runs", "--pool", "night"}, 9, "night.toml:1");
    const Ended seen = cli({"status", "--json"});
    BOOST_TEST(seen.exit_code == 13, seen.err);
    BOOST_TEST(has(json::parse(seen.out).at("attention").dump(), "night.toml:1"), seen.out);
}

BOOST_AUTO_TEST_CASE(a_password_on_the_command_line_is_refused) {
    fails({"runs", "--database-url", with_password(password)}, 2, "ps");
    fails({"runs", "--database-url", "host=/tmp user=x password=" + std::string(password)}, 2, "ps");
}

BOOST_AUTO_TEST_CASE(a_right_password_from_the_environment_works_and_a_wrong_one_is_denied) {
    environment["DATABASE_URL"] = with_password(password);
    BOOST_TEST(cli({"runs"}).exit_code == 0);
    environment["DATABASE_URL"] = with_password("wrong-secret");
    fails({"runs"}, 7, "password authentication failed");
    BOOST_TEST(!has(cli({"runs"}).err, "wrong-secret"));
    environment["DATABASE_URL"] = database.url("with_password");
    fails({"runs"}, 7, "?passfile=FILE");
}

BOOST_AUTO_TEST_CASE(connection_strings_that_cannot_be_read_do_not_give_their_secret_away) {
    for (const std::string& url :
         {"postgresql://u:" + std::string(password) + "/x@h:port/d",
          "postgresql://u@h/d?password" + std::string(password), "host=x " + std::string(password),
          "postgresql://u:" + std::string(password) + "@[::1/d", std::string(password),
          "postgresql://u:a@" + std::string(password) + "@h/d", "postgresql://u:1/" + std::string(password) + "@h/d"}) {
        environment["DATABASE_URL"] = url;
        const Ended ended = cli({"runs"});
        BOOST_TEST(ended.exit_code != 0);
        BOOST_TEST(!has(ended.err + ended.out, password), ended.err);
    }
    // a password of digits and a slash would be taken for a port
    environment["DATABASE_URL"] = "postgresql://localhost:7319/sesame@db/d";
    BOOST_TEST(!has(cli({"runs"}).err, "7319"));
}

BOOST_AUTO_TEST_CASE(every_reason_has_its_exit_code) {
    environment["DATABASE_URL"] = "postgresql://u@/d?host=" + directory.path();
    fails({"runs"}, 6, "DATABASE_URL: database: ");
    environment["DATABASE_URL"] = database.url() + "&port=1";
    fails({"status"}, 6, "is the server up");
    const std::string full = "full_" + database.name();  // a server that refuses is there
    database.exec("CREATE ROLE " + full + " LOGIN CONNECTION LIMIT 0");
    environment["DATABASE_URL"] = database.url(full);
    fails({"status"}, 6, "too many connections for role");
    BOOST_TEST(!has(cli({"status"}).err, "is the server up"));
    database.exec("DROP ROLE " + full);
    environment["DATABASE_URL"] = Cluster::shared().url("no_such_database");
    fails({"runs"}, 8, "no_such_database");
    TestDatabase empty(TestDatabase::Schema::none);
    environment["DATABASE_URL"] = empty.url();
    for (const std::string command : {"runs", "status", "show"}) {
        if (command == "show") {
            fails({command, "019ad1f2"}, 8, "dormouse migrate");
        } else {
            fails({command}, 8, "dormouse migrate");
        }
    }
    fails({"enqueue", "t"}, 8, "dormouse migrate");
    fails({"migrate", "--roles"}, 8, "run `dormouse migrate` first");
    environment["DATABASE_URL"] = database.url();
    database.exec(
        "UPDATE dormouse.migrations SET version = 0 WHERE version = 1");  // as one that came before all of ours
    fails({"runs"}, 8, "is older than dormouse 0.1.0 needs");
    fails({"status"}, 8, "run `dormouse migrate`");
    fails({"show", "019ad1f2"}, 8, "run `dormouse migrate`");
    fails({"migrate", "--check"}, 8, "run `dormouse migrate`");
    database.exec("UPDATE dormouse.migrations SET version = 1 WHERE version = 0");
    BOOST_TEST(cli({"runs"}).exit_code == 0);
    database.exec(
        "INSERT INTO dormouse.migrations (version, name, checksum, oldest_release) VALUES (99, '0099_later', "
        "'', '99.0.0')");
    fails({"runs"}, 8, "install a later release");
    fails({"migrate"}, 8, "install a later release");
    database.exec("UPDATE dormouse.migrations SET oldest_release = '0.0.0' WHERE version = 99");
    BOOST_TEST(cli({"runs"}).exit_code == 0);
}

BOOST_AUTO_TEST_CASE(who_may_not_look_is_told_what_to_grant) {
    database.exec("DROP ROLE IF EXISTS nosy; CREATE ROLE nosy LOGIN");
    environment["DATABASE_URL"] = database.url("nosy");
    fails({"runs"}, 7, "GRANT dormouse_worker");
    fails({"migrate", "--roles"}, 7, "CREATEROLE");
    database.exec("DROP ROLE nosy");
}

BOOST_AUTO_TEST_CASE(config_shows_where_each_value_comes_from_and_no_password) {
    pool("main", with_password(password));
    environment["DORMOUSE_WORKER_LEASE"] = "2min";
    const Ended ended = cli({"config", "main", "--set", "worker.concurrency=9"});
    BOOST_TEST(ended.exit_code == 0, ended.err);
    BOOST_TEST(!has(ended.out + ended.err, password), ended.out);
    for (const char* const part : {"***", "main.toml:2", "DORMOUSE_WORKER_LEASE", "flag", "default"})
        BOOST_TEST(has(ended.out, part), part << " is not in:\n" << ended.out);
    const json document = json::parse(cli({"config", "--json"}).out);
    BOOST_TEST(document.at("pool") == "main");
    BOOST_TEST(!has(document.dump(), password));
    BOOST_TEST(cli({"config", "--reference"}).exit_code == 0);
}

BOOST_AUTO_TEST_CASE(wake_needs_no_database_and_says_when_nobody_answers) {
    fails({"wake", "main"}, 10, "; " + dormouse::systemd::doorbell_remedy("main"));
    fails({"wake", directory.path() + "/none.sock"}, 10, "none.sock");
    fails({"wake", "--all"}, 9, "no pool");
    fails({"wake", "a b"}, 2, "pool");
    fails({"wake"}, 2, "--all");
}

BOOST_AUTO_TEST_CASE(wake_rings_one_pool_or_all_and_tells_programs_which) {
    const std::string here = directory.path();
    pool("day", database.url());
    pool("night", database.url());
    const dormouse::UniqueFd day = listen_at(here + "/day.sock");
    const auto rings = [&] {
        int count = 0;
        while (dormouse::UniqueFd(::accept(day.get(), nullptr, nullptr)).valid()) ++count;
        return count;
    };
    const json one = json::parse(cli({"wake", "day", "--json"}).out);
    BOOST_TEST(one == json({{"rung", {here + "/day.sock"}}, {"failed", json::array()}}));
    BOOST_TEST(rings() == 1);
    const Ended some = cli({"wake", "--all", "--json"});
    BOOST_TEST(some.exit_code == 10);
    BOOST_TEST(has(some.err, dormouse::systemd::doorbell_remedy("night")), some.err);
    BOOST_TEST(json::parse(some.out).at("rung") == json({here + "/day.sock"}));
    BOOST_TEST(json::parse(some.out).at("failed").at(0).at("doorbell") == here + "/night.sock");
    BOOST_TEST(rings() == 1);
    const dormouse::UniqueFd night = listen_at(here + "/night.sock");
    const Ended all = cli({"wake", "--all"});
    BOOST_TEST(all.exit_code == 0, all.err);
    BOOST_TEST(all.out == "rung: pool day\nrung: pool night\n");
    BOOST_TEST(rings() == 1);
}

BOOST_AUTO_TEST_CASE(version_tells_programs_the_schema_that_it_brings) {
    const json document = json::parse(cli({"version", "--json"}).out);
    BOOST_TEST(document.at("version") == "0.1.0");
    BOOST_TEST(std::to_string(document.at("schema").get<int>()) ==
               database.value("SELECT max(version) FROM dormouse.migrations"));
    BOOST_TEST(has(cli({"version"}).out, "schema version " + document.at("schema").dump()));
}

// The log is what a relay says to programs, and `dev` is for people alone.
BOOST_AUTO_TEST_CASE(every_command_but_those_that_stay_speaks_json) {
    const std::string help = cli({"--help"}).out;
    std::istringstream lines(help.substr(help.find("Subcommands:")));
    std::string line;
    std::getline(lines, line);
    std::set<std::string> without;
    int commands = 0;
    for (; std::getline(lines, line) && line.starts_with("  "); ++commands) {
        const std::string command = line.substr(2, line.find(' ', 2) - 2);
        if (command.empty()) continue;  // the rest of a long line
        if (!has(cli({command, "--help"}).out, "--json")) without.insert(command);
    }
    BOOST_TEST(commands > 15);
    BOOST_TEST(without == (std::set<std::string>{"dev", "relay"}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(usage_errors_name_the_help) {
    fails({}, 2, "--help");
    fails({"enqeue"}, 2, "did you mean enqueue?");
    fails({"runs", "--nonsense"}, 2, "`dormouse runs` has no --nonsense (see `dormouse runs --help`)");
    fails({"runs", "--statsu=failed"}, 2, "`dormouse runs` has no --statsu: did you mean --status?");
    fails({"runs", "--config", "night.toml"}, 2, "has no --config: a pool is named by --pool POOL");
    fails({"worker", "-f", "night.toml"}, 2, "`dormouse worker` has no -f: did you mean --config?");
    fails({"migrate", "postgresql://app@db/app"}, 2,
          "`dormouse migrate` does not expect the argument \"postgresql://app@db/app\": a database is named by "
          "--database-url URL");
    fails({"--verbose", "status"}, 2, "`dormouse status` has no --verbose");
    for (const char* const command : {"migrate", "worker", "enqueue", "wake", "runs", "show", "status", "config"}) {
        const Ended help = cli({command, "--help"});
        BOOST_TEST(help.exit_code == 0);
        BOOST_TEST(has(help.out, "Example"), help.out);
    }
    BOOST_TEST(has(cli({"--help"}).out, "  10  nobody answered the ring"));
    BOOST_TEST(cli({"--version"}).out == "dormouse 0.1.0\n");
}

BOOST_AUTO_TEST_CASE(output_that_cannot_be_written_is_an_error) {
    environment["DATABASE_URL"] = database.url();
    const Ended ended =
        run({{"/bin/sh", "-c", std::string(dormouse_binary) + " version >/dev/full"}, "", environment, ""});
    BOOST_TEST(ended.exit_code == 12);
    BOOST_TEST(ended.err ==
               "dormouse: stdout cannot be written: No space left on device: not all of the output is there\n");
}

BOOST_AUTO_TEST_SUITE_END()
