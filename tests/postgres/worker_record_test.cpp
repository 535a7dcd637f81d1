// What the record of an attempt says about the processes that made it: how they ended, what CPU and memory they took.
// A worker as a process of its own, since what a handler takes is told from what its parent has.
#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "cli/when.h"
#include "config/size.h"
#include "support/foreground_worker.h"
#include "support/logged_worker.h"

BOOST_AUTO_TEST_SUITE(worker_record, *boost::unit_test::precondition(dormouse::testing::has_postgres))

using namespace dormouse;
using namespace dormouse::testing;
using nlohmann::json;

namespace {

constexpr std::int64_t mebibyte = 1 << 20;

std::string table(const std::string& name, const std::string& kind, const std::string& script) {
    return "[task." + name + "]\nhandler = \"" + kind + R"("
max_attempts = 1
command = ["/usr/bin/python3", "-S", "-E", "-c", ''')" +
           script + "''']\n";
}

const std::string warm_script = R"(
import json, os, signal, socket, time
door = socket.socket(fileno=int(os.environ["DORMOUSE_CONTROL_FD"]))
def say(**message): door.sendall((json.dumps(message) + "\n").encode())
say(type="hello", protocol=1, tasks=["warm"])
for line in door.makefile("r"):
    run = json.loads(line)
    if run["payload"] == "dies": os.kill(os.getpid(), signal.SIGKILL)
    if run["payload"] == "burns":
        end = time.process_time() + 0.4
        while time.process_time() < end: pass
    say(type="completed", id=run["id"])
)";

struct Scene {
    TestDatabase database;
    LoggedWorker worker;

    Scene()
        : worker(database.url(),
                 {.rest = table("dies", "exec", "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)") +
                          table("burns", "exec", "import time\nwhile time.process_time() < 0.4: pass") +
                          table("fills", "exec", "x = b'x' * (200 << 20)\nraise SystemExit(5)") +
                          table("warm", "warm", warm_script) + "processes = 1\n"}) {}
    std::string enqueue(const std::string& arguments) {
        return database.value("SELECT dormouse.enqueue(" + arguments + ")");
    }
    /// The record of its only attempt, once there is one.
    json record(const std::string& run) {
        const auto row = [&] {
            return database.value(
                "SELECT to_jsonb(a) FROM dormouse.attempts a WHERE ended_at IS NOT NULL AND run_id = $1", {run});
        };
        BOOST_TEST_REQUIRE(eventually([&] { return !row().empty(); }), worker.log());
        return json::parse(row());
    }
    Ended show(const std::string& run, const std::vector<std::string>& more = {}) {
        std::vector<std::string> arguments{"show", run};
        arguments.insert(arguments.end(), more.begin(), more.end());
        return testing::run(cli_program(std::move(arguments), {{"DATABASE_URL", database.url()}}));
    }
};

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_CASE(an_attempt_records_how_its_processes_ended_and_what_they_took) {
    Scene scene;
    const std::string dies = scene.enqueue("'dies'");
    const std::string burns = scene.enqueue("'burns'");
    const std::string fills = scene.enqueue("'fills'");
    const json died = scene.record(dies);
    BOOST_TEST(died["outcome"] == "failed");
    BOOST_TEST(died["signal"] == SIGKILL);
    BOOST_TEST(died["exit_code"].is_null());
    const json burnt = scene.record(burns);
    BOOST_TEST(burnt["outcome"] == "completed");
    BOOST_TEST(burnt["exit_code"] == 0);
    BOOST_TEST(burnt["signal"].is_null());
    BOOST_TEST(burnt["cpu_ms"] >= 400);
    BOOST_TEST(burnt["cpu_ms"] < 2'000);
    BOOST_TEST(died["cpu_ms"] < burnt["cpu_ms"]);
    const json filled = scene.record(fills);
    BOOST_TEST(filled["outcome"] == "failed");
    BOOST_TEST(filled["exit_code"] == 5);
    BOOST_TEST(filled["signal"].is_null());
    BOOST_TEST_REQUIRE(filled["peak_memory_bytes"].is_number());
    const auto peak = filled["peak_memory_bytes"].get<std::int64_t>();
    BOOST_TEST(peak >= 200 * mebibyte);
    BOOST_TEST(peak < 280 * mebibyte);
    BOOST_TEST(burnt.value("peak_memory_bytes", json()) < 100 * mebibyte);  // or null: below the worker's own

    BOOST_TEST(has(scene.show(dies).out, " signal 9 "), scene.show(dies).out);
    BOOST_TEST(has(scene.show(burns).out, " " + cli::length(burnt["cpu_ms"].get<double>() / 1'000) + " "),
               scene.show(burns).out);
    const std::string shown = scene.show(fills).out;
    BOOST_TEST(has(shown, " exit 5 "), shown);
    BOOST_TEST(has(shown, " " + config::size_text(peak) + " "), shown);
    const json told = json::parse(scene.show(fills, {"--json"}).out)["attempt_log"][0];
    for (const char* name : {"exit_code", "signal", "cpu_ms", "peak_memory_bytes"})
        BOOST_TEST(told[name] == filled[name], name);
}

BOOST_AUTO_TEST_CASE(a_run_of_a_warm_process_has_its_own_cpu_and_no_memory) {
    Scene scene;
    const std::string before = scene.enqueue(R"('warm', '"rests"')");
    const std::string burns = scene.enqueue(R"('warm', '"burns"')");
    const std::string after = scene.enqueue(R"('warm', '"rests"')");
    const json burnt = scene.record(burns);
    BOOST_TEST(burnt["cpu_ms"] >= 400);
    BOOST_TEST(burnt["cpu_ms"] < 2'000);
    for (const std::string& run : {before, after}) {
        const json rested = scene.record(run);
        BOOST_TEST(rested["outcome"] == "completed");
        BOOST_TEST_REQUIRE(rested["cpu_ms"].is_number());
        BOOST_TEST(rested["cpu_ms"] < 400);
    }
    for (const char* name : {"exit_code", "signal", "peak_memory_bytes"}) BOOST_TEST(burnt[name].is_null(), name);
    const json died = scene.record(scene.enqueue(R"('warm', '"dies"')"));
    BOOST_TEST(died["outcome"] == "failed");
    BOOST_TEST(died["signal"] == SIGKILL);
    BOOST_TEST(died["exit_code"].is_null());
}

BOOST_AUTO_TEST_SUITE_END()
