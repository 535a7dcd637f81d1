// A handler's program or environment file on a disk that does not answer: the worker goes on, and can end that run.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <optional>

#include "idle_pool.h"
#include "pulse.h"
#include "support/foreground_worker.h"
#include "support/paths.h"
#include "support/process.h"
#include "support/slow_disk.h"

using namespace dormouse;
using namespace dormouse::testing;
namespace fs = std::filesystem;

// Not without a name: Boost makes a template of each case, and g++ 12 warns of lambdas in it that hold what is local to
// this file.
namespace dormouse::testing::start_disk_worker {

namespace {

constexpr const char* needs[] = {"program", "environment_file"};  // NOLINT: of Boost's data sets
constexpr Millis long_gap{2'000};
constexpr const char* brief_grace = "shutdown_grace = \"1s\"";

}  // namespace

/// A program, and an environment file, on the disk; and the table of a task "far" that needs one of them.
struct Disk {
    TemporaryDirectory directory;
    std::optional<SlowDisk> held;

    Disk() {
        const std::string program = directory.path() + "/run";
        fs::copy_file("/bin/true", program);
        std::ofstream(directory.path() + "/env") << "A=1\n";
    }
    [[nodiscard]] std::string task(const std::string& need) const {
        const std::string here = directory.path();
        return "[task.far]\nhandler = \"exec\"\n" +
               (need == "program" ? "command = [\"" + here + "/run\"]\n"
                                  : "command = [\"/bin/true\"]\nenvironment_file = \"" + here + "/env\"\n");
    }
    void hang() { held.emplace(directory.path(), for_ever); }
};

struct Scene {
    TestDatabase database;
    Disk disk;
    PoolBench bench;

    explicit Scene(const std::string& need, const std::string& worker = "")
        : bench(database.url(), {.worker = worker, .rest = disk.task(need)}) {
        BOOST_TEST_REQUIRE(bench.until_idle());
        disk.hang();
        database.exec("SELECT dormouse.enqueue('far')");
        BOOST_TEST_REQUIRE(bench.until([&] { return disk.held->asked() > 0; }));
    }
    std::string far(const std::string& column) {
        return database.value("SELECT " + column + " FROM dormouse.runs WHERE task = 'far'");
    }
    bool until_completed(const std::string& count) {
        return bench.until([&] { return database.value(completed_sql) == count; });
    }
};

}  // namespace dormouse::testing::start_disk_worker

using namespace dormouse::testing::start_disk_worker;

BOOST_AUTO_TEST_SUITE(start_disk_worker, *boost::unit_test::precondition(has_slow_disks))

BOOST_DATA_TEST_CASE(other_runs_are_executed_and_leases_are_extended, needs, need) {
    Scene scene(need, "lease = \"2s\"");
    const Pulse pulse(scene.bench.loop());
    scene.database.exec("SELECT dormouse.enqueue('echo') FROM generate_series(1, 3)");
    BOOST_TEST(scene.until_completed("3"));
    for (int i = 0; i < 2; ++i) {
        const std::string before = scene.far("lease_until");
        BOOST_TEST(scene.bench.until([&] { return scene.far("lease_until") > before; }));
    }
    BOOST_TEST((pulse.longest_gap() < long_gap));
    scene.disk.held.reset();
    BOOST_TEST(scene.until_completed("4"));
}

BOOST_DATA_TEST_CASE(it_can_be_canceled, needs, need) {
    Scene scene(need);
    scene.database.exec("SELECT dormouse.cancel(id) FROM dormouse.runs WHERE task = 'far'");
    BOOST_TEST(scene.bench.until_idle());
    BOOST_TEST(scene.far("status") == "canceled");
    scene.database.exec("SELECT dormouse.enqueue('echo')");
    BOOST_TEST(scene.until_completed("1"));
}

BOOST_DATA_TEST_CASE(it_is_handed_back_by_who_leaves, needs, need) {
    Scene scene(need, brief_grace);
    scene.bench.worker().terminate();
    BOOST_TEST_REQUIRE(scene.bench.until_gone());
    BOOST_TEST(scene.bench.farewell()->graceful);
    BOOST_TEST(scene.far("status") == "queued");
}

BOOST_DATA_TEST_CASE(a_worker_ends_after_sigterm_and_leaves_no_process, needs, need) {
    TestDatabase database;
    const PoolTasks tasks;
    Disk disk;
    const std::string file = disk.directory.path() + ".toml";
    std::ofstream(file) << pool_toml(database.url(), {.worker = brief_grace, .rest = disk.task(need)}, tasks);
    Process process({{dormouse_binary, "worker", "bench", "--config", file}, {}, {}, {}, for_ever / 2});
    BOOST_TEST_REQUIRE(process.saw_error("tasks_loaded"));
    disk.hang();
    database.exec("SELECT dormouse.enqueue('far')");
    BOOST_TEST_REQUIRE(eventually([&] { return disk.held->asked() > 0; }));
    process.signal(SIGTERM);
    const Ended ended = process.wait();
    BOOST_TEST(ended.exit_code == 0, ended.err);
    BOOST_TEST(!ended.timed_out, ended.err);
    BOOST_TEST(database.value("SELECT status FROM dormouse.runs") == "queued");
    fs::remove(file);
}

BOOST_AUTO_TEST_SUITE_END()
