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

BOOST_AUTO_TEST_SUITE_END()
