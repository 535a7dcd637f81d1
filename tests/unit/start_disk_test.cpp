// A program or an environment file on a disk that does not answer: only the run that needs it waits, and can be ended.
#include <boost/test/data/test_case.hpp>
#include <fstream>
#include <thread>

#include "exec_fixture.h"
#include "loop/background.h"
#include "support/slow_disk.h"

BOOST_AUTO_TEST_SUITE(start_disk, *boost::unit_test::precondition(dormouse::testing::can_hold_opens))

using namespace dormouse;
using namespace dormouse::handlers;
using namespace dormouse::handlers::test;
using dormouse::testing::SlowDisk;

namespace {

constexpr auto warm = config::HandlerKind::warm;
constexpr const char* needs[] = {"program", "environment_file"};  // NOLINT: of Boost's data sets

/// Tasks "held", which needs a file on the disk, "free", which does not, and "leaves", which leaves a process behind.
struct Scene {
    Directory directory;
    Directory disk_directory;
    std::optional<SlowDisk> disk;
    std::optional<Bench> bench;

    explicit Scene(const std::string& need, config::HandlerKind kind = config::HandlerKind::exec) {
        const std::string mark = directory / "ran";
        const std::string program =
            (need == "program" ? disk_directory : directory).write("run", "#!/bin/sh\necho >>" + mark + "\n", 0755);
        config::Task held = task({program});
        held.name = "held";
        held.handler = kind;
        held.start_timeout = Millis{200};
        if (need == "environment_file") held.environment_file = disk_directory.write("env", "A=1\n");
        config::Task free = task({"/bin/cat"});
        free.name = "free";
        config::Task leaves = shell("sleep 1000 >/dev/null 2>&1 & exit 0");
        leaves.name = "leaves";
        bench.emplace(std::map<std::string, config::Task>{{"held", held}, {"free", free}, {"leaves", leaves}});
        disk.emplace(disk_directory / "", dormouse::testing::for_ever);
    }
    Uuid start(const std::string& name, Millis timeout = Millis{0}) {
        RunSpec spec;
        spec.id = Uuid::random();
        spec.task = name;
        spec.payload = "{}";
        spec.fence = "1:" + spec.id.to_string();
        spec.timeout = timeout;
        return bench->start(std::move(spec), name);
    }
    Uuid start_held(Millis timeout = Millis{0}) {
        const int before = disk->asked();
        const Uuid id = start("held", timeout);
        bench->until([&] { return disk->asked() > before; });
        return id;
    }
    Outcome::Kind run(const std::string& name) { return bench->wait(start(name)).kind; }
    [[nodiscard]] bool has_run() const { return std::filesystem::exists(directory / "ran"); }
    /// The disk answers, and what hung has ended.
    void until_nothing_hangs() {
        disk.reset();
        const auto begin = BootClock::now();
        while ((loop::AtWork::threads() > 0 || !children_of(::getpid()).empty()) && since(begin) < deadline)
            std::this_thread::sleep_for(Millis{1});
        BOOST_TEST(loop::AtWork::threads() == 0);
        BOOST_TEST(children_of(::getpid()).empty());
    }
};

}  // namespace

BOOST_DATA_TEST_CASE(other_runs_start_and_end_meanwhile_and_it_is_executed_when_the_disk_answers, needs, need) {
    Scene scene(need);
    const Uuid held = scene.start_held();
    for (int i = 0; i < 3; ++i) BOOST_TEST((scene.run("free") == Outcome::Kind::completed));
    BOOST_TEST(!scene.bench->outcomes.contains(held));
    BOOST_TEST(!scene.has_run());
    scene.disk.reset();
    BOOST_TEST((scene.bench->wait(held).kind == Outcome::Kind::completed));
    BOOST_TEST(scene.has_run());
}

BOOST_DATA_TEST_CASE(several_that_are_held_leave_room_for_others, needs, need) {
    Scene scene(need);
    std::vector<Uuid> held(6);
    for (Uuid& id : held) id = scene.start_held();
    BOOST_TEST((scene.run("free") == Outcome::Kind::completed));
    scene.disk.reset();
    for (const Uuid& id : held) BOOST_TEST((scene.bench->wait(id).kind == Outcome::Kind::completed));
}

// What is about to execute its program is a child of ours in a session of its own, as orphans are.
BOOST_DATA_TEST_CASE(it_is_not_taken_for_what_another_run_has_left_behind, needs, need) {
    Scene scene(need);
    const Uuid held = scene.start_held();
    BOOST_TEST((scene.run("leaves") == Outcome::Kind::completed));
    scene.disk.reset();
    BOOST_TEST((scene.bench->wait(held).kind == Outcome::Kind::completed));
}

BOOST_DATA_TEST_CASE(its_time_runs_out_while_it_waits, needs, need) {
    Scene scene(need);
    const Uuid held = scene.start_held(Millis{300});
    const Outcome outcome = scene.bench->wait(held);
    BOOST_TEST((outcome.kind == Outcome::Kind::timed_out), outcome.error_message);
    scene.bench.reset();
    scene.until_nothing_hangs();
    BOOST_TEST(!scene.has_run());
}

BOOST_DATA_TEST_CASE(it_is_stopped_while_it_waits, needs, need) {
    Scene scene(need);
    const Uuid held = scene.start_held();
    scene.bench->handlers().find("held")->stop(held, StopReason::canceled, Millis{20'000});
    const auto asked = BootClock::now();
    const Outcome outcome = scene.bench->wait(held);
    BOOST_TEST((outcome.kind == Outcome::Kind::stopped), outcome.error_message);
    BOOST_TEST((since(asked) < Millis{10'000}));  // nothing has run that could want its patience
    BOOST_TEST((scene.run("free") == Outcome::Kind::completed));
    scene.bench.reset();
    scene.until_nothing_hangs();
    BOOST_TEST(!scene.has_run());
}

BOOST_DATA_TEST_CASE(handlers_go_while_it_waits, needs, need) {
    Scene scene(need);
    scene.start_held();
    const auto begin = BootClock::now();
    scene.bench.reset();
    BOOST_TEST((since(begin) < Millis{10'000}));
    scene.until_nothing_hangs();
    BOOST_TEST(!scene.has_run());
}

BOOST_DATA_TEST_CASE(a_warm_process_is_given_up_after_its_start_timeout, needs, need) {
    Scene scene(need, warm);
    const Outcome outcome = scene.bench->wait(scene.start_held());
    BOOST_TEST((outcome.kind == Outcome::Kind::not_started));
    BOOST_TEST(outcome.error_message.find("(start_timeout)") != std::string::npos, outcome.error_message);
    scene.bench.reset();
    scene.until_nothing_hangs();
    BOOST_TEST(!scene.has_run());
}

BOOST_AUTO_TEST_SUITE_END()
