// What handlers of a killed worker in the foreground have left behind is ended before their runs go back: nobody
// executes a run beside what is left of its last attempt.
#include <signal.h>

#include <boost/test/unit_test.hpp>
#include <fstream>
#include <nlohmann/json.hpp>

#include "support/foreground_worker.h"
#include "support/logged_worker.h"

namespace leftovers {

using namespace dormouse;
using namespace dormouse::testing;

namespace {

/// Warm: says hello, and leaves two children behind for each run; when its worker dies it ends, and they go on.
const char* const warm_script = R"(
import json, os, socket, subprocess
door = socket.socket(fileno=int(os.environ["DORMOUSE_CONTROL_FD"]))
def say(**message): door.sendall((json.dumps(message) + "\n").encode())
say(type="hello", protocol=1, tasks=["spawns_warm"])
for line in door.makefile("r"):
    for session in (False, True):
        child = subprocess.Popen(["/bin/sleep", "1000"], start_new_session=session)
        with open("PIDS", "a") as file: file.write(f"{child.pid}\n")
)";

struct Scene {
    TestDatabase database;
    TemporaryDirectory directory;
    TemporaryDirectory state;
    std::string pid_file = directory.path() + "/pids";
    PoolBenchOptions options;

    Scene() {
        std::string warm = warm_script;
        warm.replace(warm.find("PIDS"), 4, pid_file);
        std::ofstream(directory.path() + "/warm.py") << warm;
        std::ofstream(directory.path() + "/spawns")
            << "sleep 1000 & echo $! >>" << pid_file << "\nsetsid sleep 1000 & echo $! >>" << pid_file << "\nwait\n";
        options.rest = "[task.spawns]\nhandler = \"exec\"\ncommand = [\"/bin/sh\", \"" + directory.path() +
                       "/spawns\"]\n[task.spawns_warm]\nhandler = \"warm\"\ncommand = [\"/usr/bin/python3\", \"" +
                       directory.path() + "/warm.py\"]\n";
    }
    ~Scene() {
        for (const int pid : left_behind()) ::kill(pid, SIGKILL);
    }
    [[nodiscard]] std::vector<int> left_behind() const {
        std::vector<int> all;
        std::ifstream file(pid_file);
        for (int pid = 0; file >> pid;) all.push_back(pid);
        return all;
    }
    [[nodiscard]] std::map<std::string, std::string> environment() const { return {{"STATE_DIRECTORY", state.path()}}; }
    /// A worker dies with a run of that task; those that it leaves behind, who live.
    std::vector<int> die(const std::string& task, const std::map<std::string, std::string>& with) {
        LoggedWorker worker(database.url(), options, with);
        const std::size_t before = left_behind().size();
        database.value("SELECT dormouse.enqueue('" + task + "')");
        BOOST_TEST_REQUIRE(eventually([&] { return left_behind().size() == before + 2; }));
        worker.process().signal(SIGKILL);
        worker.process().wait();
        auto pids = left_behind();
        pids.erase(pids.begin(), pids.begin() + static_cast<std::ptrdiff_t>(before));
        for (const int pid : pids) BOOST_TEST_REQUIRE(process_lives(pid));
        return pids;
    }
    nlohmann::json reap(const std::vector<std::string>& more) {
        std::vector<std::string> arguments{"reap", "--force"};
        arguments.insert(arguments.end(), more.begin(), more.end());
        const Ended ended = run(cli_program(std::move(arguments), {{"DATABASE_URL", database.url()}}));
        BOOST_TEST(ended.exit_code == 0, ended.err);
        if (more.empty()) return ended.out;
        const auto document = nlohmann::json::parse(ended.out);
        for (const auto& worker : document.at("workers"))
            if (worker.at("kind") == "stale") return worker;
        return nullptr;
    }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(leftovers, Scene, *boost::unit_test::precondition(has_postgres))

BOOST_AUTO_TEST_CASE(a_successor_ends_what_the_handlers_of_the_dead_have_left_before_it_takes_their_runs_back) {
    for (const char* task : {"spawns", "spawns_warm"}) {
        const auto pids = die(task, environment());
        LoggedWorker next(database.url(), options, environment());
        BOOST_TEST_REQUIRE(next.until_said("runs_rescued"));
        for (const int pid : pids) BOOST_TEST(!process_lives(pid), task);
        BOOST_TEST(next.said("leftovers").size() == 1U);
        BOOST_TEST_REQUIRE(eventually([&] { return next.said("run_dispatched").size() == 1U; }));
        BOOST_TEST_REQUIRE(eventually(
            [&] { return database.value("SELECT count(*) FROM dormouse.runs WHERE status = 'running'") == "1"; }));
        database.exec("UPDATE dormouse.runs SET status = 'canceled' WHERE status = 'running'");
        next.process().signal(SIGTERM);
        next.process().wait();
    }
}

BOOST_AUTO_TEST_CASE(reap_ends_what_the_handlers_of_the_dead_have_left_and_nothing_of_who_lives) {
    LoggedWorker lives(database.url(), {.worker = "queues = [\"other\"]", .rest = options.rest});
    database.value("SELECT dormouse.enqueue('spawns', queue => 'other')");
    BOOST_TEST_REQUIRE(eventually([&] { return left_behind().size() == 2U; }));
    const auto of_who_lives = left_behind();
    for (const char* task : {"spawns", "spawns_warm"}) {
        const auto pids = die(task, {});
        const auto told = reap({"--json"});
        BOOST_TEST_REQUIRE(!told.is_null());
        BOOST_TEST(told.at("leftovers") == 2, told);
        BOOST_TEST(told.at("released") == 1, told);
        for (const int pid : pids) BOOST_TEST(!process_lives(pid), task);
        database.exec("UPDATE dormouse.runs SET status = 'canceled' WHERE status = 'retry'");
    }
    die("spawns", {});
    const std::string said = reap({}).get<std::string>();
    BOOST_TEST(said.find("killed 2 left behind by its handlers, 1 run released") != std::string::npos, said);
    for (const int pid : of_who_lives) BOOST_TEST(process_lives(pid));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace leftovers
