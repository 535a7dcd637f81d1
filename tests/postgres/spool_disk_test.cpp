// A spool on a disk that is slow or does not answer: only spooled runs wait for it.
#include <sys/mount.h>

#include <boost/test/unit_test.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <optional>

#include "base/log.h"
#include "idle_pool.h"
#include "pulse.h"
#include "support/paths.h"
#include "support/process.h"
#include "support/slow_disk.h"

BOOST_AUTO_TEST_SUITE(spool_disk, *boost::unit_test::precondition(dormouse::testing::has_slow_disks))

using namespace dormouse;
using namespace dormouse::testing;
namespace fs = std::filesystem;

namespace {

const std::string echo = R"({"task": "echo", "payload": {"a": 1}})";
constexpr Millis long_gap{2'000};  // of a loop that waits for a disk: at least 5,000

/// The events of this thread.
struct Told {
    std::vector<std::string> events;
    log::OfThisThread sinks{log::Level::info, [this](log::Level, std::string_view event, std::string_view, auto) {
                                events.emplace_back(event);
                            }};
    [[nodiscard]] auto count(const std::string& event) const { return std::count(events.begin(), events.end(), event); }
};

struct Scene {
    TestDatabase database;
    PoolBench bench;
    Told told;  // in place of the bench's own
    std::optional<SlowDisk> disk;

    explicit Scene(const PoolBenchOptions& options = {}) : bench(database.url(), options) {}

    /// Opens nothing in the spool, which would make the test wait as well.
    void put(const std::string& name, const std::string& text = echo) const {
        const std::string elsewhere = bench.tasks().directory() + "/" + name;
        std::ofstream(elsewhere) << text;
        fs::rename(elsewhere, bench.spool() + "/" + name);
    }
    void hang() { disk.emplace(bench.spool(), for_ever); }
    void until_asked() {
        BOOST_TEST_REQUIRE(bench.until([&] { return disk->asked() > 0; }));
    }
    bool until_completed(const std::string& count) {
        return bench.until([&] { return database.value(completed_sql) == count; });
    }
    std::string imported() { return database.value("SELECT count(*) FROM dormouse.imports"); }
    /// Everything is there once.
    void answers(const std::string& completed) {
        disk.reset();
        BOOST_TEST(until_completed(completed));
        BOOST_TEST(bench.until([&] { return fs::is_empty(bench.spool()); }));
        BOOST_TEST(imported() == "1");
    }
};

const PoolBenchOptions soon_gone{.worker = "idle_exit = \"100ms\"\nlook_exit = \"100ms\"", .leaves_when_idle = true};

}  // namespace

BOOST_AUTO_TEST_CASE(while_it_does_not_answer_runs_are_executed_and_leases_are_extended) {
    Scene scene({.worker = "lease = \"2s\""});
    scene.database.exec("SELECT dormouse.enqueue('hold')");
    BOOST_TEST_REQUIRE(scene.bench.until([&] { return scene.bench.tasks().started().size() == 1; }));
    scene.hang();
    const Pulse pulse(scene.bench.loop());
    scene.put("a.json");
    scene.until_asked();
    scene.database.exec("SELECT dormouse.enqueue('echo') FROM generate_series(1, 3)");
    BOOST_TEST(scene.until_completed("3"));
    const std::string lease = "SELECT lease_until FROM dormouse.runs WHERE status = 'running'";
    const std::string first = scene.database.value(lease);
    BOOST_TEST(scene.bench.until([&] { return scene.database.value(lease) > first; }));
    BOOST_TEST(scene.imported() == "0");
    BOOST_TEST((pulse.longest_gap() < long_gap));
    scene.answers("4");
    scene.bench.tasks().release();
    BOOST_TEST(scene.until_completed("5"));
}

BOOST_AUTO_TEST_CASE(that_it_does_not_answer_is_said_once_and_that_it_does_once) {
    Scene scene;
    BOOST_TEST_REQUIRE(scene.bench.until_idle());
    scene.hang();
    scene.put("a.json");
    BOOST_TEST_REQUIRE(scene.bench.until([&] { return scene.told.count("spool_slow") == 1; }));
    BOOST_TEST(scene.bench.turns_within(Millis{1'000}) < 100);
    BOOST_TEST(scene.told.count("spool_back") == 0);
    scene.answers("1");
    BOOST_TEST(scene.told.count("spool_slow") == 1);
    BOOST_TEST(scene.told.count("spool_back") == 1);
}

BOOST_AUTO_TEST_CASE(nobody_leaves_for_being_idle_while_a_scan_is_not_answered) {
    PoolBenchOptions options = soon_gone;
    options.starts = false;
    Scene scene(options);
    scene.put("a.json");
    scene.hang();
    scene.bench.worker().start();
    scene.until_asked();
    BOOST_TEST_REQUIRE(scene.bench.until_idle());
    BOOST_TEST(scene.bench.turns_within(Millis{1'000}) < 100);
    BOOST_TEST(!scene.bench.farewell().has_value());
    scene.answers("1");
    BOOST_TEST(scene.bench.until_gone());
}

BOOST_AUTO_TEST_CASE(the_last_look_before_the_exit_waits_and_finds_what_has_come_meanwhile) {
    Scene scene(soon_gone);
    BOOST_TEST_REQUIRE(scene.bench.until_idle());
    scene.hang();
    scene.until_asked();
    BOOST_TEST(scene.bench.turns_within(Millis{500}) < 100);
    BOOST_TEST(!scene.bench.farewell().has_value());
    BOOST_TEST(scene.disk->asked() == 1);  // nobody has let it go
    scene.put("a.json");
    scene.answers("1");
    BOOST_TEST_REQUIRE(scene.bench.until_gone());
    BOOST_TEST(scene.bench.farewell()->graceful);
}

// Its transaction is over; the next worker finds it, and knows.
BOOST_AUTO_TEST_CASE(whoever_is_told_to_leave_does_not_wait_for_a_file_that_cannot_be_put_aside) {
    Scene scene;
    BOOST_TEST_REQUIRE(scene.bench.until_idle());
    fs::create_directory(scene.bench.spool() + ".rejected");
    scene.disk.emplace(scene.bench.spool() + ".rejected", for_ever);
    scene.put("a.json", R"({"task": "echo", "payload": "\u0000"})");  // JSON, but no jsonb
    scene.until_asked();
    scene.bench.worker().terminate();
    BOOST_TEST_REQUIRE(scene.bench.until_gone());
    BOOST_TEST(scene.bench.farewell()->graceful);
    BOOST_TEST(fs::directory_iterator(scene.bench.spool())->path().extension() == ".json");
}

// The spool is not even open.
BOOST_AUTO_TEST_CASE(a_worker_that_starts_beside_it_works_and_ends_within_its_grace) {
    TestDatabase database;
    const PoolTasks tasks;
    const TemporaryDirectory directory;
    const std::string spool = directory.path() + "/bench";
    fs::create_directory(spool);
    std::ofstream(spool + "/a.json") << echo;
    std::ofstream(directory.path() + "/bench.toml")
        << pool_toml(database.url(), {.rest = "[paths]\nspool_directory = \"" + directory.path() + "\""}, tasks);
    const Program worker{
        {dormouse_binary, "worker", "bench", "--config", directory.path() + "/bench.toml"}, {}, {}, {}, for_ever / 2};
    std::optional<SlowDisk> disk(std::in_place, spool, for_ever);
    database.exec("SELECT dormouse.enqueue('echo')");
    Process process(worker);
    BOOST_TEST(process.saw_error("run_completed"));
    BOOST_TEST(process.saw_error("spool_slow"));
    BOOST_TEST(disk->asked() > 0);
    process.signal(SIGTERM);
    const Ended ended = process.wait();
    BOOST_TEST(ended.exit_code == 0, ended.err);
    BOOST_TEST(!ended.timed_out, ended.err);
    disk.reset();
    Process next(worker);
    BOOST_TEST(next.until([&] { return database.value(completed_sql) == "2"; }));
    next.signal(SIGTERM);
    BOOST_TEST(next.wait().exit_code == 0);
    BOOST_TEST(fs::is_empty(spool));
    BOOST_TEST(database.value("SELECT count(*) FROM dormouse.imports") == "1");
}

// A file that something is mounted on cannot be moved, but its reason can be written beside it, and taken away again.
BOOST_AUTO_TEST_CASE(what_is_written_in_vain_to_put_a_file_aside_is_no_reason_to_try_again) {
    Scene scene({.starts = false});
    scene.put("a.json", "no json");
    const std::string stuck = scene.bench.spool() + "/a.json";
    BOOST_TEST_REQUIRE(::mount(stuck.c_str(), stuck.c_str(), nullptr, MS_BIND, nullptr) == 0);
    scene.bench.worker().start();
    BOOST_TEST(scene.bench.until([&] { return scene.told.count("spool_stuck") == 1; }));
    BOOST_TEST(scene.bench.until_idle());
    const int turns = scene.bench.turns_within(Millis{1'500});
    BOOST_TEST(turns < 50);
    BOOST_TEST(::umount(stuck.c_str()) == 0);
}

BOOST_AUTO_TEST_CASE(five_thousand_files_that_are_slow_to_open_do_not_hold_up_the_loop) {
    Scene scene({.starts = false});
    for (int i = 0; i < 5'000; ++i) scene.put(std::to_string(i) + ".json");
    scene.database.exec(
        "ALTER TABLE dormouse.runs_live ALTER COLUMN run_at SET DEFAULT 'infinity'");  // imported, not executed
    scene.disk.emplace(scene.bench.spool(), Millis{1});
    const Pulse pulse(scene.bench.loop());
    const auto began = BootClock::now();
    scene.bench.worker().start();
    BOOST_TEST(scene.bench.until([&] { return fs::is_empty(scene.bench.spool()); }, Millis{150'000}));
    BOOST_TEST(scene.imported() == "5000");
    BOOST_TEST_MESSAGE("5,000 spooled files in " << since(began).count() << " ms: the loop stood still for "
                                                 << pulse.longest_gap().count() << " ms");
    BOOST_TEST((pulse.longest_gap() < long_gap));
}

BOOST_AUTO_TEST_SUITE_END()
