// dormouse try, as a program: a handler is executed once without any database.
#include <sys/socket.h>

#include <boost/test/unit_test.hpp>
#include <csignal>
#include <fstream>
#include <nlohmann/json.hpp>

#include "support/cluster.h"
#include "support/paths.h"
#include "support/pool_bench.h"
#include "support/process.h"

namespace cli_try {

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

}  // namespace cli_try

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
    BOOST_TEST(has(later.err, "retry later after "));
    task("kill -TERM $$");
    BOOST_TEST(cli({"t"}).exit_code == 128 + SIGTERM);
    task("sleep 60");
    BOOST_TEST(cli({"t", "--timeout", "100ms"}).exit_code == 5);
    std::ofstream(directory.path() + "/p.toml") << "[task.t]\ncommand = [\"/nowhere\"]\n";
    const Ended missing = cli({"t"});
    BOOST_TEST(missing.exit_code == 9);
    BOOST_TEST(has(missing.err, "/nowhere does not exist"));
}

BOOST_AUTO_TEST_CASE(what_an_exec_handler_says_is_shown_and_nothing_is_enqueued) {
    task(R"(say() { echo "$1" >&"$DORMOUSE_CONTROL_FD"; }
say '{"type":"progress","fraction":0.5,"text":"half"}'
say '{"type":"log","level":"warning","text":"careful"}'
say '{"type":"completed","result":{"a":1},"enqueue":[{"task":"next"}]}')");
    const Ended ended = cli({"t"});
    BOOST_TEST(ended.exit_code == 0);
    BOOST_TEST(ended.out == "{\"a\":1}\n");
    BOOST_TEST(has(ended.err, "progress: 50 % half\n"), ended.err);
    BOOST_TEST(has(ended.err, "warning: careful\n"), ended.err);
    BOOST_TEST(has(ended.err, R"(would enqueue: [{"task":"next"}])"), ended.err);
}

BOOST_AUTO_TEST_CASE(a_warm_handler_is_tried_like_any_other) {
    const std::string source = source_directory;
    for (const char* name : {"says", "later", "fails_for_good"})
        std::ofstream(directory.path() + "/p.toml", std::ios::app)
            << "[task." << name << "]\nhandler = \"warm\"\ncommand = [\"/usr/bin/env\", \"PYTHONDONTWRITEBYTECODE=1\", "
            << "\"PYTHONPATH=" << source << "/clients/python\", \"/usr/bin/python3\", \"" << source
            << "/tests/conformance/warm_tasks.py\"]\n";
    const Ended said = cli({"says"});
    BOOST_TEST(said.exit_code == 0);
    BOOST_TEST(said.out == "1\n");
    BOOST_TEST(has(said.err, "progress: 50 % half\n"), said.err);
    BOOST_TEST(has(said.err, "warning: careful\n"), said.err);
    BOOST_TEST(has(said.err, "would enqueue: "), said.err);
    const Ended later = cli({"later"});
    BOOST_TEST(later.exit_code == 75);
    BOOST_TEST(has(later.err, "again in 30s"), later.err);
    const Ended failed = cli({"fails_for_good"});
    BOOST_TEST(failed.exit_code == 3);
    BOOST_TEST(has(failed.err, "for good\n"), failed.err);
    BOOST_TEST(has(failed.err, "Fail: never"), failed.err);
}

BOOST_AUTO_TEST_CASE(the_database_of_the_pool_is_left_alone) {
    task("echo fine", "[database]\nurl = \"postgresql:///app?host=" + directory.path() + "\"\n");
    const auto database = listen_at(directory.path() + "/.s.PGSQL.5432");
    BOOST_TEST(cli({"t"}).out == "\"fine\"\n");
    BOOST_TEST(!dormouse::UniqueFd(::accept(database.get(), nullptr, nullptr)).valid());
}

BOOST_AUTO_TEST_CASE(a_task_that_is_nowhere_is_said_with_the_places_that_were_looked_at) {
    task("true");
    const Ended ended = cli({"other"});
    BOOST_TEST(ended.exit_code == 9);
    BOOST_TEST(has(ended.err, "no pool in " + directory.path() + " has the task \"other\""));
    const Ended here = cli({"other", "--pool", "p"});
    BOOST_TEST(has(here.err, "p.toml: there is no [task.other]"));
}

BOOST_AUTO_TEST_CASE(of_a_function_of_another_program_it_says_what_to_do_instead) {
    std::ofstream(directory.path() + "/p.toml") << "[task.total]\nhandler = \"in_process\"\n";
    const Ended ended = cli({"total", "{}"});
    BOOST_TEST(ended.exit_code == 9);
    BOOST_TEST(ended.out == "");
    BOOST_TEST(has(ended.err, "task total: handler = \"in_process\" is a function of a program that links libdormouse"),
               ended.err);
    BOOST_TEST(has(ended.err, "start it as this pool's worker and `dormouse enqueue total PAYLOAD --wait`"), ended.err);
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
    BOOST_TEST(document["outcome"] == "failed");
    BOOST_TEST(document["exit_code"] == 3);
    BOOST_TEST(document["error"]["class"] == "exit");
}

BOOST_AUTO_TEST_SUITE_END()
