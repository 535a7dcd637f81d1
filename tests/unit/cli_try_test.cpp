// dormouse try, as a program: a handler is executed once without any database.
#include <boost/test/unit_test.hpp>
#include <csignal>
#include <fstream>
#include <nlohmann/json.hpp>

#include "support/cluster.h"
#include "support/process.h"

using namespace dormouse::testing;

namespace {

struct Fixture {
    TemporaryDirectory directory;

    /// A pool with one task, t, which is this shell script.
    void task(const std::string& script, const std::string& more = {}) const {
        std::ofstream(directory.path() + "/p.toml")
            << "[task.t]\ncommand = [\"/bin/sh\", \"-c\", '''" + script + "''']\n" + more;
    }
    [[nodiscard]] Program program(std::vector<std::string> arguments, std::string input = {}) const {
        arguments.insert(arguments.begin(), "try");
        return cli_program(std::move(arguments), {{"DORMOUSE_CONFIG_DIR", directory.path()}}, std::move(input));
    }
    [[nodiscard]] Ended cli(std::vector<std::string> arguments, std::string input = {}) const {
        return run(program(std::move(arguments), std::move(input)));
    }
};

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(cli_try, Fixture)

BOOST_AUTO_TEST_CASE(the_result_is_on_stdout_and_everything_else_on_stderr) {
    task("echo working >&2; cat");
    const Ended ended = cli({"t", R"({"a": 1})"});
    BOOST_TEST(ended.exit_code == 0);
    BOOST_TEST(ended.out == "{\"a\": 1}\n");
    BOOST_TEST(has(ended.err, "working\n"));
    BOOST_TEST(has(ended.err, "completed after "));
    BOOST_TEST(cli({"t", "--payload", "-"}, "[1]").out == "[1]\n");
}

BOOST_AUTO_TEST_CASE(it_ends_as_the_handler_did) {
    task("exit 7");
    BOOST_TEST(cli({"t"}).exit_code == 7);
    task("echo no such file >&2; exit 75");
    const Ended later = cli({"t"});
    BOOST_TEST(later.exit_code == 75);
    BOOST_TEST(has(later.err, "not now after "));
    task("kill -TERM $$");
    BOOST_TEST(cli({"t"}).exit_code == 128 + SIGTERM);
    task("sleep 60");
    BOOST_TEST(cli({"t", "--timeout", "100ms"}).exit_code == 5);
    std::ofstream(directory.path() + "/p.toml") << "[task.t]\ncommand = [\"/nowhere\"]\n";
    const Ended missing = cli({"t"});
    BOOST_TEST(missing.exit_code == 9);
    BOOST_TEST(has(missing.err, "/nowhere does not exist"));
}

BOOST_AUTO_TEST_CASE(a_task_that_is_nowhere_is_said_with_the_places_that_were_looked_at) {
    task("true");
    const Ended ended = cli({"other"});
    BOOST_TEST(ended.exit_code == 9);
    BOOST_TEST(has(ended.err, "no pool in " + directory.path() + " has the task \"other\""));
    const Ended here = cli({"other", "--pool", "p"});
    BOOST_TEST(has(here.err, "p.toml: there is no [task.other]"));
}

BOOST_AUTO_TEST_CASE(interrupting_it_ends_the_handler) {
    task("trap 'exit 4' TERM; echo ready >&2; while :; do sleep 0.1; done");
    Process process(program({"t"}));
    BOOST_TEST_REQUIRE(process.saw_error("ready"));
    process.signal(SIGINT);
    const Ended ended = process.wait();
    BOOST_TEST(ended.exit_code == 4);
    BOOST_TEST(has(ended.err, "stopped after "));
}

BOOST_AUTO_TEST_CASE(for_programs_there_is_one_document) {
    task("echo no >&2; exit 3");
    const auto document = nlohmann::json::parse(cli({"t", "--json"}).out);
    BOOST_TEST(document["verdict"] == "failed");
    BOOST_TEST(document["exit_code"] == 3);
    BOOST_TEST(document["error"]["class"] == "exit");
}

BOOST_AUTO_TEST_SUITE_END()
