// A function whose run was lost with its worker twice: it is suspected of ending the process, so it is executed beside
// no other run. What waits for it goes on afterwards, and what is at work before it ends first.
#include <dormouse/worker.h>

#include <algorithm>
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <mutex>
#include <thread>

#include "support/bare_database.h"

BOOST_AUTO_TEST_SUITE(embed_quarantine, *boost::unit_test::precondition(dormouse::testing::postgres_is_here))

using namespace std::chrono_literals;
using dormouse::Result;
using dormouse::Run;
using dormouse::testing::BareDatabase;
using dormouse::testing::soon;

namespace {

/// Functions that say who is at work beside them, and two that end when the case says so.
struct Scene {
    BareDatabase database;
    std::atomic<bool> suspect_may_end{false};
    std::atomic<bool> slow_may_end{false};
    std::atomic<int> suspects{0};  ///< at work
    std::atomic<int> others{0};    ///< at work
    std::atomic<int> most{0};      ///< suspects at work at once
    std::atomic<int> beside{0};    ///< how often a suspect and another were
    std::atomic<int> suspects_begun{0};
    std::atomic<int> others_begun{0};
    std::mutex mutex;
    std::vector<std::string> order;  ///< of the tasks that began
    dormouse::Worker worker;

    explicit Scene(const std::string& toml = "[worker]\nconcurrency = 8\n")
        : worker{{.pool = "embedded", .file = database.file(toml), .log = [](const dormouse::LogEvent&) {}}} {
        worker.task("suspect", [this](Run& run) {
            begins(run.task());
            const int now = ++suspects;
            if (others > 0) ++beside;
            most = std::max(most.load(), now);
            ++suspects_begun;
            suspect_may_end.wait(false);
            --suspects;
            return Result::completed();
        });
        worker.task("quick", [this](Run& run) { return other(run, false); });
        worker.task("slow", [this](Run& run) { return other(run, true); });
    }
    ~Scene() {
        let_go(suspect_may_end);
        let_go(slow_may_end);
        BOOST_TEST(worker.stop(20s));
    }
    Result other(Run& run, bool slow) {
        begins(run.task());
        ++others;
        if (suspects > 0) ++beside;
        ++others_begun;
        if (slow) slow_may_end.wait(false);
        --others;
        return Result::completed();
    }
    void begins(std::string_view task) {
        const std::lock_guard lock(mutex);
        order.emplace_back(task);
    }
    static void let_go(std::atomic<bool>& gate) {
        gate = true;
        gate.notify_all();
    }
    /// As after two deaths of its worker on a host that went on.
    void suspect(int runs = 1) {
        database.value("INSERT INTO dormouse.runs (task, lost) SELECT 'suspect', 2 FROM generate_series(1, " +
                       std::to_string(runs) + ")");
    }
    void enqueue(const std::string& task, int runs) {
        database.value("SELECT count(dormouse.enqueue('" + task + "')) FROM generate_series(1, " +
                       std::to_string(runs) + ")");
    }
    bool completed(int runs) {
        return soon([&] {
            return database.value("SELECT count(*) FROM dormouse.runs WHERE status = 'completed' AND attempts = 1") ==
                   std::to_string(runs);
        });
    }
};

}  // namespace

BOOST_AUTO_TEST_CASE(while_it_is_at_work_no_other_function_begins_and_afterwards_they_do) {
    Scene scene;
    scene.suspect();
    scene.worker.start();
    BOOST_TEST_REQUIRE(soon([&] { return scene.suspects == 1; }));
    scene.enqueue("quick", 20);
    std::this_thread::sleep_for(700ms);  // more than it takes to hear of them
    BOOST_TEST(scene.others_begun == 0);
    Scene::let_go(scene.suspect_may_end);
    BOOST_TEST(scene.completed(21));
    BOOST_TEST(scene.beside == 0);
}

BOOST_AUTO_TEST_CASE(what_is_at_work_ends_first_and_others_go_on_until_then) {
    Scene scene;
    scene.enqueue("slow", 2);
    scene.worker.start();
    BOOST_TEST_REQUIRE(soon([&] { return scene.others == 2; }));
    scene.suspect();
    BOOST_TEST_REQUIRE(soon(
        [&] { return scene.database.value("SELECT status FROM dormouse.runs WHERE task = 'suspect'") == "running"; }));
    scene.enqueue("quick", 20);  // it waits, and nobody waits for it
    BOOST_TEST(scene.completed(20));
    BOOST_TEST(scene.suspects_begun == 0);
    Scene::let_go(scene.slow_may_end);
    BOOST_TEST_REQUIRE(soon([&] { return scene.suspects == 1; }));
    // the endings of the others are written before it is trusted with the process
    BOOST_TEST(scene.database.value("SELECT count(*) FROM dormouse.runs WHERE status = 'completed'") == "22");
    Scene::let_go(scene.suspect_may_end);
    BOOST_TEST(scene.completed(23));
    BOOST_TEST(scene.beside == 0);
}

BOOST_AUTO_TEST_CASE(several_of_them_are_executed_one_after_the_other_and_the_others_between_or_after_them) {
    Scene scene;
    Scene::let_go(scene.suspect_may_end);
    Scene::let_go(scene.slow_may_end);
    scene.suspect(3);
    scene.enqueue("quick", 200);
    scene.worker.start();
    BOOST_TEST(scene.completed(203));
    BOOST_TEST(scene.suspects_begun == 3);
    BOOST_TEST(scene.most == 1);
    BOOST_TEST(scene.beside == 0);
}

BOOST_AUTO_TEST_CASE(a_worker_that_is_stopped_gives_back_the_one_that_waits_as_if_it_had_not_been_claimed) {
    Scene scene;
    scene.enqueue("slow", 1);
    scene.worker.start();
    BOOST_TEST_REQUIRE(soon([&] { return scene.others == 1; }));
    scene.suspect();
    const std::string of_it = " FROM dormouse.runs WHERE task = 'suspect'";
    BOOST_TEST_REQUIRE(soon([&] { return scene.database.value("SELECT status" + of_it) == "running"; }));
    BOOST_TEST(!scene.worker.stop(10ms));
    BOOST_TEST(soon(
        [&] { return scene.database.value("SELECT concat_ws(' ', status, attempts, lost)" + of_it) == "queued 0 2"; }));
    BOOST_TEST(scene.suspects_begun == 0);
    Scene::let_go(scene.slow_may_end);
}

BOOST_AUTO_TEST_CASE(a_run_that_was_lost_once_is_beside_others) {
    Scene scene;
    scene.enqueue("slow", 1);
    scene.worker.start();
    BOOST_TEST_REQUIRE(soon([&] { return scene.others == 1; }));
    scene.database.value("INSERT INTO dormouse.runs (task, lost) VALUES ('suspect', 1)");
    BOOST_TEST(soon([&] { return scene.suspects == 1; }));
}

BOOST_AUTO_TEST_SUITE_END()
