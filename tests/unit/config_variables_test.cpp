// The variables that a pool's file gives to its handlers, and those of the worker's own that it passes on.
#include <boost/test/unit_test.hpp>

#include "config/load.h"
#include "config/variables.h"
#include "exec_fixture.h"

BOOST_AUTO_TEST_SUITE(config_variables)

using namespace dormouse;
using namespace dormouse::config;

namespace {

const std::string begin = "[worker]\nconcurrency = 1\n";
const std::string command = "command = [\"/bin/true\"]\n";

Result<Loaded> load_text(const std::string& text) {
    const handlers::test::Directory directory;
    directory.write("mail.toml", text);
    Sources sources;
    sources.pool = "mail";
    sources.environment = {{"DORMOUSE_CONFIG_DIR", directory / ""},
                           {"DATABASE_URL", "postgresql:///x?password=hunter2"},
                           {"API_KEY", "key"},
                           {"AWS_REGION", "there"},
                           {"AWS_KEY", "other"},
                           {"NOTIFY_SOCKET", "/run/x"},
                           {"LISTEN_FDS", "1"}};
    return load(sources);
}

Variables variables(const std::string& text, const std::string& task = "a") {
    const auto loaded = load_text(text);
    BOOST_TEST_REQUIRE(loaded.has_value(), (loaded ? "" : loaded.error().message));
    return loaded->config.tasks.at(task).variables;
}

std::string error(const std::string& text) {
    const auto loaded = load_text(text);
    return loaded ? "" : loaded.error().message.substr(loaded.error().message.find("mail.toml:"));
}

}  // namespace

BOOST_AUTO_TEST_CASE(nothing_is_passed_unless_the_file_says_so) {
    BOOST_TEST(variables("[task.a]\n" + command).empty());
}

BOOST_AUTO_TEST_CASE(what_is_named_is_passed_to_all_tasks_or_to_one) {
    const std::string text = "[worker]\npass_environment = [\"API_KEY\"]\n[task.a]\n" + command + "[task.b]\n" +
                             command + "pass_environment = [\"AWS_*\", \"MISSING\"]\n";
    BOOST_TEST((variables(text) == Variables{{"API_KEY", "key"}}));
    BOOST_TEST((variables(text, "b") == Variables{{"API_KEY", "key"}, {"AWS_KEY", "other"}, {"AWS_REGION", "there"}}));
}

BOOST_AUTO_TEST_CASE(all_of_it_is_all_but_what_is_between_systemd_and_the_worker) {
    const Variables all = variables("[worker]\npass_environment = [\"*\"]\n[task.a]\n" + command);
    BOOST_TEST((all == Variables{{"API_KEY", "key"},
                                 {"AWS_KEY", "other"},
                                 {"AWS_REGION", "there"},
                                 {"DATABASE_URL", "postgresql:///x?password=hunter2"}}));
}

BOOST_AUTO_TEST_CASE(what_the_file_sets_counts_more_and_the_tasks_own_most) {
    const std::string text =
        "[worker]\npass_environment = [\"API_KEY\"]\n[environment]\nAPI_KEY = \"pool\"\nLANG = \"C\"\n[task.a]\n" +
        command + "environment = { LANG = \"xx\" }\n";
    BOOST_TEST((variables(text) == Variables{{"API_KEY", "pool"}, {"LANG", "xx"}}));
}

BOOST_AUTO_TEST_CASE(what_is_wrong_is_named_with_its_line_and_without_its_value) {
    BOOST_TEST(
        error(begin + "[environment]\nA = 7\n").starts_with("mail.toml:4: environment: A: expected a text in quotes"));
    BOOST_TEST(error(begin + "[environment]\n\"A B\" = \"hunter2\"\n")
                   .starts_with("mail.toml:4: environment: found the name \"A B\""));
    BOOST_TEST(error("[task.a]\n" + command + "environment = { DORMOUSE_TASK = \"hunter2\" }\n")
                   .starts_with("mail.toml:3: task.a.environment: found the name \"DORMOUSE_TASK\""));
    BOOST_TEST(error("[task.a]\n" + command + "environment = \"hunter2\"\n")
                   .starts_with("mail.toml:3: task.a.environment: expected a table"));
    for (const char* const text : {"[environment]\n\"A B\" = \"hunter2\"\n", "[environment]\nA = [\"hunter2\"]\n"})
        BOOST_TEST(error(text).find("hunter2") == std::string::npos);
}

namespace {

Loaded with(const std::map<std::string, std::string>& environment, const std::string& text = "") {
    const handlers::test::Directory directory;
    directory.write("mail.toml", text + "[task.a]\n" + command);
    Sources sources;
    sources.pool = "mail";
    sources.environment = environment;
    sources.environment["DORMOUSE_CONFIG_DIR"] = directory / "";
    sources.database_required = false;
    const auto loaded = load(sources);
    BOOST_TEST_REQUIRE(loaded.has_value(), (loaded ? "" : loaded.error().message));
    return *loaded;
}

std::string warned(const std::map<std::string, std::string>& environment, const std::string& text = "") {
    std::string all;
    for (const std::string& one : with(environment, text).warnings) all += one + "\n";
    return all;
}

}  // namespace

BOOST_AUTO_TEST_CASE(variables_of_workers_before_are_read_and_shown_with_their_names) {
    const Loaded old = with({{"POSTGRES_URL", "postgresql:///old"},
                             {"AGENTEXEC_NUM_WORKERS", "7"},
                             {"AGENTEXEC_GRACEFUL_SHUTDOWN_TIMEOUT", "300"}});
    BOOST_TEST(old.warnings.empty());
    BOOST_TEST(old.config.database.url == "postgresql:///old");
    BOOST_TEST(old.config.worker.concurrency == 7);
    BOOST_TEST(old.config.worker.shutdown_grace.count() == 300'000);
    BOOST_TEST(old.origins.at("database.url") == "environment POSTGRES_URL");
    BOOST_TEST(old.origins.at("worker.concurrency") == "environment AGENTEXEC_NUM_WORKERS");
    BOOST_TEST(old.origins.at("worker.shutdown_grace") == "environment AGENTEXEC_GRACEFUL_SHUTDOWN_TIMEOUT");
    const Loaded both = with({{"POSTGRES_URL", "postgresql:///old"},
                              {"DATABASE_URL", "postgresql:///new"},
                              {"AGENTEXEC_NUM_WORKERS", "7"},
                              {"WORKER_CONCURRENCY", "8"},
                              {"AGENTEXEC_GRACEFUL_SHUTDOWN_TIMEOUT", "2min"}});
    BOOST_TEST(both.config.database.url == "postgresql:///new");
    BOOST_TEST(both.config.worker.concurrency == 8);
    BOOST_TEST(both.config.worker.shutdown_grace.count() == 120'000);
}

BOOST_AUTO_TEST_CASE(variables_of_workers_before_that_mean_nothing_are_named_with_what_replaces_them) {
    BOOST_TEST(warned({{"HEARTBEAT_MONITOR_INTERVAL", "5"}})
                   .starts_with("environment HEARTBEAT_MONITOR_INTERVAL is ignored: workers are not polled"));
    BOOST_TEST(warned({{"WORKER_LEASE", "5"}}) ==
               "environment WORKER_LEASE is ignored: use worker.lease, or DORMOUSE_WORKER_LEASE\n");
    BOOST_TEST(warned({{"WORKER_MAX_RETRIES", "5"}}) ==
               "environment WORKER_MAX_RETRIES is ignored: use max_attempts under [task.NAME]\n");
    for (const std::string name : {"WORKER_COLOUR", "AGENTEXEC_REDIS_URL", "HEARTBEAT_MONITOR_X"}) {
        const std::string said = warned({{name, "hunter2"}});
        BOOST_TEST(said.starts_with("environment " + name +
                                    " is ignored: no option has this name; see `dormouse config "
                                    "--reference`"));
        BOOST_TEST(said.find("hunter2") == std::string::npos);
        BOOST_TEST(warned({{name, ""}}) == "");
        BOOST_TEST(warned({{name, "x"}}, "[worker]\npass_environment = [\"" + name + "\"]\n") == "");
    }
    BOOST_TEST(warned({{"WORKER_PORT_80_TCP", "tcp://10.0.0.1:80"}, {"WORKER_SERVICE_HOST", "10.0.0.1"}}) == "");
    BOOST_TEST(warned({{"HEARTBEAT_MONITOR_ALERT_EMAIL", "a@example.org"}}) == "");
}

BOOST_AUTO_TEST_SUITE_END()
