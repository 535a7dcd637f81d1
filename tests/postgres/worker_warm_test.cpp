// Warm processes in a worker: runs come out of the database, go through processes that stay, and end in it.
#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>

#include "support/events.h"
#include "support/logged_worker.h"
#include "support/pool_bench.h"

BOOST_AUTO_TEST_SUITE(worker_warm, *boost::unit_test::precondition(dormouse::testing::has_postgres))

using namespace dormouse;
using namespace dormouse::testing;

namespace {

/// Serves echo and moody: echo's result is [pid, payload]; moody fails, asks for later, or kills its process, and
/// completes when it is tried again.
const char* const script = R"(
import json, os, socket
door = socket.socket(fileno=int(os.environ["DORMOUSE_CONTROL_FD"]))
def say(**message): door.sendall((json.dumps(message) + "\n").encode())
open("DIR/up", "a").write(f"{os.getpid()}\n")
say(type="hello", protocol=1, tasks=["warm_echo", "moody"])
for line in door.makefile("r"):
    run = json.loads(line)
    mood = run["payload"]
    if run["task"] == "warm_echo" or run["attempt"] > 1 or os.path.exists("DIR/later"):
        say(type="completed", id=run["id"], result=[os.getpid(), mood])
    elif mood == "fail": say(type="failed", id=run["id"], **{"class": "Sad"}, message="no")
    elif mood == "never": say(type="failed", id=run["id"], message="never", permanent=True)
    elif mood == "later":
        open("DIR/later", "w").close()
        say(type="retry", id=run["id"], message="busy", **{"in": 0})
    else: os._exit(3)
)";

/// The tables of both tasks; their script is in `directory`, with the pids of those that have started it in "up".
std::string tasks_in(const std::string& directory) {
    std::string text = script;
    for (std::size_t at = 0; (at = text.find("DIR", at)) != std::string::npos;) text.replace(at, 3, directory);
    std::ofstream(directory + "/script.py") << text;
    std::string toml;
    for (const char* name : {"warm_echo", "moody"})
        toml += std::string("[task.") + name +
                "]\nhandler = \"warm\"\nprocesses = 1\ncommand = [\"/usr/bin/python3\", \"" + directory +
                "/script.py\"]\nbackoff = { base = \"1ms\", max = \"1ms\" }\n";
    return toml;
}

struct Scene {
    TestDatabase database;
    TemporaryDirectory directory;
    PoolBench bench;

    Scene() : bench(database.url(), {.worker = "concurrency = 4", .rest = tasks_in(directory.path())}) {}
    std::string run(const std::string& arguments) {
        return database.value("SELECT dormouse.enqueue(" + arguments + ")");
    }
    std::string column(const std::string& name, const std::string& id) {
        return database.value("SELECT " + name + " FROM dormouse.runs WHERE id = $1", {id});
    }
    bool until_status(const std::string& id, const std::string& status) {
        return bench.until([&] { return column("status", id) == status; });
    }
    std::string outcomes(const std::string& id) {
        return database.value(
            "SELECT string_agg(outcome, ' ' ORDER BY attempt) FROM dormouse.attempts WHERE run_id = $1", {id});
    }
};

}  // namespace

BOOST_AUTO_TEST_CASE(runs_of_a_pool_go_through_one_warm_process) {
    Scene scene;
    BOOST_TEST_REQUIRE(scene.bench.until_idle());
    BOOST_TEST(!std::filesystem::exists(scene.directory.path() + "/up"));  // no process before the first run
    scene.database.exec("SELECT dormouse.enqueue_many('warm_echo', array_fill('{\"a\": 1}'::jsonb, ARRAY[500]))");
    BOOST_TEST(scene.bench.until([&] {
        return scene.database.value("SELECT count(*) FROM dormouse.runs WHERE status = 'completed'") == "500";
    }));
    BOOST_TEST(scene.database.value("SELECT count(DISTINCT result -> 0) FROM dormouse.runs") == "1");
    BOOST_TEST(scene.database.value("SELECT count(*) FROM dormouse.runs WHERE result -> 1 = '{\"a\": 1}'") == "500");
}

// It has a minute for the next run by its own clock, which does not keep the worker awake.
BOOST_AUTO_TEST_CASE(a_process_that_waits_for_runs_ends_when_its_worker_leaves_for_idleness) {
    TestDatabase database;
    const TemporaryDirectory directory;
    LoggedWorker worker(database.url(),
                        {.worker = "idle_exit = \"50ms\"\nlook_exit = \"20s\"", .rest = tasks_in(directory.path())});
    BOOST_TEST_REQUIRE(worker.until_said("listening"));
    const std::string id = database.value("SELECT dormouse.enqueue('warm_echo')");
    const auto begin = BootClock::now();
    BOOST_TEST(worker.process().wait().exit_code == 0, worker.log());
    BOOST_TEST((since(begin) < Millis{30'000}));
    BOOST_TEST(worker.said("idle_exit").size() == 1U, worker.log());
    BOOST_TEST(database.value("SELECT status FROM dormouse.runs WHERE id = $1", {id}) == "completed");
    int pid = 0;
    std::ifstream(directory.path() + "/up") >> pid;
    BOOST_TEST_REQUIRE(pid > 0);
    BOOST_TEST(until_ended(pid));
}

BOOST_AUTO_TEST_CASE(failing_asking_for_later_and_dying_end_as_the_contract_says) {
    Scene scene;
    const std::string sad = scene.run(R"('moody', '"fail"')");
    BOOST_TEST(scene.until_status(sad, "completed"));
    BOOST_TEST(scene.outcomes(sad) == "retry completed");
    const std::string never = scene.run(R"('moody', '"never"')");
    BOOST_TEST(scene.until_status(never, "failed"));
    BOOST_TEST(scene.column("error ->> 'message'", never) == "never");
    const std::string dies = scene.run(R"('moody', '"die"')");
    BOOST_TEST(scene.until_status(dies, "completed"));
    BOOST_TEST(scene.outcomes(dies) == "retry completed");
    BOOST_TEST(
        scene.database.value(
            "SELECT (error ->> 'class') || ' ' || (error ->> 'message') FROM dormouse.attempts WHERE run_id = $1 "
            "AND outcome = 'retry'",
            {dies}) == "process_died the process died: exit 3");
    const std::string later = scene.run(R"('moody', '"later"')");
    BOOST_TEST(scene.until_status(later, "completed"));
    BOOST_TEST(scene.outcomes(later) == "put_off completed");
    BOOST_TEST(scene.column("attempts", later) == "1");
}

BOOST_AUTO_TEST_SUITE_END()
