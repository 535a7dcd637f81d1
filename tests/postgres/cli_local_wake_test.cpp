// dormouse migrate --local-wake and --no-local-wake as a person types them: which pools they mean, and what they say.
#include <sys/stat.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "support/cluster.h"
#include "support/process.h"

namespace cli_local_wake {

using namespace dormouse::testing;
using nlohmann::json;

namespace {

struct Fixture {
    TestDatabase database;
    TemporaryDirectory configs;
    TemporaryDirectory wakes;
    std::map<std::string, std::string> environment{{"DORMOUSE_CONFIG_DIR", configs.path()}};

    Fixture() { ::chmod(wakes.path().c_str(), 0777); }
    ~Fixture() { cli({"migrate", "--no-local-wake", "--database-url", database.url()}); }

    Ended cli(std::vector<std::string> arguments) { return run(cli_program(std::move(arguments), environment)); }
    Ended local_wake(std::vector<std::string> more = {}) {
        more.insert(more.begin(), {"migrate", "--local-wake", "--database-url", database.url()});
        return cli(more);
    }
    json answer(const Ended& ended) {
        BOOST_REQUIRE_MESSAGE(ended.exit_code == 0, ended.err);
        return json::parse(ended.out);
    }
    void pool(const std::string& name, const std::string& url, const std::string& queues = R"(["default"])") const {
        std::ofstream file(configs.path() + "/" + name + ".toml");
        if (!url.empty()) file << "[database]\nurl = \"" << url << "\"\n";
        file << "[worker]\nqueues = " << queues << "\n[paths]\nwake_directory = \"" << wakes.path() << "\"\n";
    }
    bool wakes_pool(const std::string& name, const std::string& queue) {
        database.value("SELECT dormouse.enqueue('t', queue => $1)", {queue});
        return std::filesystem::remove(wakes.path() + "/" + name);
    }
};

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

}  // namespace cli_local_wake

BOOST_FIXTURE_TEST_SUITE(cli_local_wake, Fixture, *boost::unit_test::precondition(has_postgres))

BOOST_AUTO_TEST_CASE(every_pool_of_this_machine_that_names_the_database_is_woken) {
    const std::string port = std::to_string(Cluster::shared().port());
    pool("main", database.url("dormouse_worker"), R"(["urgent", "it's"])");  // another user than who migrates
    pool("loopback", "postgresql://dormouse_worker@localhost:" + port + "/" + database.name());
    pool("variable", "");
    pool("elsewhere", "postgresql://dormouse_worker@db.example/" + database.name());
    pool("otherwise", database.url() + "_other");
    std::ofstream(configs.path() + "/broken.toml") << "[workers]\n";
    const Ended ended = local_wake();
    BOOST_TEST(ended.exit_code == 0, ended.err);
    for (const std::string& part : {"local wake: pool main, through " + wakes.path() + "/main, for urgent, it's\n",
                                    std::string("local wake: pool loopback"), std::string("local wake: pool variable"),
                                    std::string("left out: pool elsewhere: names another server"),
                                    std::string("left out: pool otherwise: "), std::string("left out: pool broken: ")})
        BOOST_TEST(has(ended.out, part), part << " is not in:\n" << ended.out);
    BOOST_TEST(!has(ended.out, "missing"), ended.out);
    BOOST_TEST(wakes_pool("main", "it's"));
    BOOST_TEST(wakes_pool("loopback", "default"));
    BOOST_TEST(!wakes_pool("main", "default"));
    const json document = answer(local_wake({"--json"}));
    BOOST_TEST(document.at("pools").size() == 3U);
    BOOST_TEST(document.at("left_out").size() == 3U);
    BOOST_TEST(document.at("installed") == json({"loopback", "main", "variable"}));
}

BOOST_AUTO_TEST_CASE(queues_that_changed_are_taken_over_and_pools_that_went_are_named) {
    pool("main", database.url(), R"(["a"])");
    pool("old", database.url());
    local_wake();
    pool("main", database.url(), R"(["b"])");
    std::filesystem::remove(configs.path() + "/old.toml");
    const json document = answer(local_wake({"--json"}));
    BOOST_TEST(document.at("gone") == json({"old"}));
    BOOST_TEST(!wakes_pool("main", "a"));
    BOOST_TEST(wakes_pool("main", "b"));
    BOOST_TEST(wakes_pool("old", "default"));  // named, not removed
    BOOST_TEST(has(local_wake().out, "dormouse migrate --no-local-wake --pool old"));
    const Ended one = cli({"migrate", "--no-local-wake", "--pool", "old", "--database-url", database.url()});
    BOOST_TEST(one.out == "local wake is removed: old\nstill there: main\n", one.err);
    BOOST_TEST(!wakes_pool("old", "default"));
    const json rest = answer(cli({"migrate", "--no-local-wake", "--json", "--database-url", database.url()}));
    BOOST_TEST(rest.at("removed") == json({"main"}));
    BOOST_TEST(rest.at("installed").empty());
    BOOST_TEST(cli({"migrate", "--no-local-wake", "--database-url", database.url()}).out ==
               "nothing to do: there is no local wake\n");
}

BOOST_AUTO_TEST_CASE(a_named_pool_is_taken_whatever_its_file_says) {
    pool("main", database.url());
    pool("named", "postgresql://dormouse_worker@this-host.example/app");
    const json document = answer(local_wake({"--pool", "named", "--json"}));
    BOOST_TEST(document.at("installed") == json({"named"}));
    BOOST_TEST(wakes_pool("named", "default"));
    BOOST_TEST(!wakes_pool("main", "default"));
    const Ended none = local_wake({"--pool", "none"});
    BOOST_TEST(none.exit_code == 9);
    BOOST_TEST(has(none.err, "none.toml"), none.err);
}

BOOST_AUTO_TEST_CASE(no_pool_no_directory_no_right_and_no_sense_are_told_with_the_remedy) {
    const Ended nobody = local_wake();
    BOOST_TEST(nobody.exit_code == 9);
    BOOST_TEST(has(nobody.err, "uses this database"), nobody.err);
    BOOST_TEST(has(nobody.err, "--pool POOL"), nobody.err);
    pool("main", database.url());
    environment["DORMOUSE_PATHS_WAKE_DIRECTORY"] = wakes.path() + "/none";
    const Ended missing = local_wake();
    BOOST_TEST(has(missing.out, "systemctl enable --now run-dormouse.wake.mount"), missing.out);
    database.exec("DROP ROLE IF EXISTS nosy_two; CREATE ROLE nosy_two LOGIN");
    const Ended denied = cli({"migrate", "--local-wake", "--database-url", database.url("nosy_two")});
    BOOST_TEST(denied.exit_code == 7);
    BOOST_TEST(has(denied.err, "superuser"), denied.err);
    database.exec("DROP ROLE nosy_two");
    TestDatabase empty(TestDatabase::Schema::none);
    pool("empty", empty.url());
    const Ended schema = cli({"migrate", "--local-wake", "--database-url", empty.url()});
    BOOST_TEST(schema.exit_code == 8, schema.err);
    BOOST_TEST(has(schema.err, "run `dormouse migrate` first"), schema.err);
    for (const char* const other : {"--no-local-wake", "--roles", "--check"}) {
        const Ended both = local_wake({other});
        BOOST_TEST(both.exit_code == 2, other);
    }
}

BOOST_AUTO_TEST_SUITE_END()
