// Pools of one machine that lead to one database in different words, or to several: what the commands of a bad night say.
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "support/paths.h"
#include "support/pool_bench.h"
#include "support/process.h"
#include "support/proxy_tcp.h"

BOOST_AUTO_TEST_SUITE(cli_several_databases, *boost::unit_test::precondition(dormouse::testing::has_postgres))

using namespace dormouse;
using namespace dormouse::testing;
using nlohmann::json;

namespace {

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

struct Machine {
    TestDatabase database;
    TestDatabase other;
    TemporaryDirectory directory;
    std::map<std::string, std::string> environment{{"DORMOUSE_CONFIG_DIR", directory.path()},
                                                   {"DORMOUSE_PATHS_RUNTIME_DIRECTORY", directory.path()}};

    Ended cli(std::vector<std::string> arguments) { return run(cli_program(std::move(arguments), environment)); }
    void pool(const std::string& name, const std::string& url) const {
        std::ofstream(directory.path() + "/" + name + ".toml")
            << "[database]\nurl = \"" << url << "\"\n[worker]\nqueues = [\"" << name << "\"]\n"
            << "[task.t]\ncommand = [\"/bin/true\"]\n";
    }
};

std::string pools_of(const json& status) {
    std::string names;
    for (const json& pool : status.at("pools")) names += pool.at("pool").get<std::string>() + " ";
    return names;
}

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_socket_and_a_port_of_this_machine_are_one_database_if_one_server_answers, Machine) {
    ProxyTcp proxy{Cluster::shared().socket_directory(), Cluster::shared().port()};
    pool("main", database.url());
    pool("night", proxy.url(database.name()));
    const Ended runs = cli({"runs"});
    BOOST_TEST(runs.exit_code == 0, runs.err);
    const json seen = json::parse(cli({"status", "--json"}).out);
    BOOST_TEST(pools_of(seen) == "main night ");
    BOOST_TEST(!seen.at("pools").at(0).contains("database_of"));
    pool("night", proxy.url(other.name()));
    BOOST_TEST(cli({"runs"}).exit_code == 9);
}

BOOST_FIXTURE_TEST_CASE(status_shows_the_pools_of_each_database_with_that_database, Machine) {
    pool("main", database.url());
    pool("mail", database.url() + "&connect_timeout=5");
    pool("night", other.url());
    other.exec("SELECT dormouse.enqueue('unheard_of', queue => 'night')");
    const Ended screen = cli({"status"});
    BOOST_TEST(screen.exit_code == cli({"status", "--pool", "night"}).exit_code, screen.out);
    BOOST_TEST(has(screen.out, "Database of pools mail, main\n"), screen.out);
    BOOST_TEST(has(screen.out, "Database of pool night\n"), screen.out);
    BOOST_TEST(has(screen.out, "task unheard_of"), screen.out);
    const json seen = json::parse(cli({"status", "--json"}).out);  // one document, of the same members as always
    BOOST_TEST(pools_of(seen) == "mail main night ");
    const json alone = json::parse(cli({"status", "--json", "--pool", "night"}).out);
    BOOST_TEST(seen.size() == alone.size());
    BOOST_TEST(seen.at("unknown_tasks").at(0).at("database_of") == "night");
    BOOST_TEST(seen.at("attention").size() == alone.at("attention").size(), seen.at("attention").dump());
    pool("gone", "postgresql://nobody@/none?host=" + directory.path());
    const Ended without = cli({"status", "--json"});
    BOOST_TEST(without.exit_code == 6);
    BOOST_TEST(pools_of(json::parse(without.out)) == "mail main night ");
    std::filesystem::remove(directory.path() + "/gone.toml");
    BOOST_TEST(!has(cli({"status", "--pool", "main"}).out, "night"));
}

BOOST_FIXTURE_TEST_CASE(a_monitor_is_told_the_worst_first, Machine) {
    pool("main", database.url());
    pool("night", other.url());
    other.exec("SELECT dormouse.enqueue('unheard_of', queue => 'night')");
    const Ended checked = cli({"status", "--check"});
    BOOST_TEST(checked.exit_code == 2, checked.out);
    BOOST_TEST(checked.out.starts_with("DORMOUSE CRITICAL - "), checked.out);
    BOOST_TEST(std::count(checked.out.begin(), checked.out.end(), '\n') == 2, checked.out);
    pool("night", "postgresql://nobody@/none?host=" + directory.path());
    const Ended away = cli({"status", "--check"});
    BOOST_TEST(away.exit_code == 3, away.out);
    BOOST_TEST(away.out.starts_with("DORMOUSE UNKNOWN - "), away.out);
    const Ended screen = cli({"status"});
    BOOST_TEST(screen.exit_code == 6, screen.out + screen.err);
    BOOST_TEST(has(screen.out, "main"), screen.out);
    BOOST_TEST(has(screen.err, "pool night"), screen.err);
}

BOOST_FIXTURE_TEST_CASE(doctor_looks_at_each_database_and_says_which_one_it_means, Machine) {
    pool("mail", database.url());
    pool("main", database.url() + "&connect_timeout=5");
    pool("night", other.url());
    other.exec("SELECT dormouse.enqueue('unheard_of', queue => 'night')");
    const Ended end = cli({"doctor", "--json"});
    std::map<std::string, int> fits;
    bool told = false;
    const json all = json::parse(end.out).at("findings");
    for (const json& one : all) {
        const std::string about = one.at("about");
        if (about.ends_with("schema") && one.at("grade") == "ok") ++fits[about];
        if (about == "database") BOOST_ERROR(one.dump());
        told = told || about == "database of night: task unheard_of";
    }
    BOOST_TEST(told, end.out);
    BOOST_TEST((fits == std::map<std::string, int>{{"database of mail: schema", 1}, {"database of night: schema", 1}}),
               end.out);
}

BOOST_AUTO_TEST_SUITE_END()
