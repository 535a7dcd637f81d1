// Work that may never end: on a thread of its own, forgotten when nobody waits for it any more.
#include "loop/background.h"

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <condition_variable>
#include <csignal>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

BOOST_AUTO_TEST_SUITE(background)

using namespace dormouse;

namespace {

/// A disk that answers when the test says so.
struct Gate {
    std::mutex mutex;
    std::condition_variable changed;
    bool open = false;
    int entered = 0;
    int deleted = 0;

    void let_go() {
        const std::lock_guard lock(mutex);
        open = true;
        changed.notify_all();
    }
    void until(const auto& so) {
        std::unique_lock lock(mutex);
        BOOST_TEST_REQUIRE(changed.wait_for(lock, std::chrono::seconds(20), so));
    }
};

struct Work final : loop::Job {
    Gate& gate;
    std::vector<std::string>& told;
    std::string name;
    std::thread::id thread;
    bool takes_signals = true;

    Work(Gate& of, std::vector<std::string>& to, std::string called) : gate(of), told(to), name(std::move(called)) {}
    ~Work() override {
        const std::lock_guard lock(gate.mutex);
        ++gate.deleted;
        gate.changed.notify_all();
    }
    void work() override {
        thread = std::this_thread::get_id();
        sigset_t blocked;
        ::pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
        takes_signals = ::sigismember(&blocked, SIGTERM) == 0;
        std::unique_lock lock(gate.mutex);
        ++gate.entered;
        gate.changed.notify_all();
        gate.changed.wait(lock, [this] { return gate.open; });
        name += " done";
    }
    void done() override {
        BOOST_TEST((thread != std::this_thread::get_id()));
        BOOST_TEST(!takes_signals);
        told.push_back(name);
    }
};

struct Scene {
    Gate gate;
    std::vector<std::string> told;
    loop::Loop loop;

    bool start(loop::Background& background, const std::string& name) {
        std::unique_ptr<loop::Job> job = std::make_unique<Work>(gate, told, name);
        return background.start(job);
    }
    void until_no_thread() {
        while (loop::AtWork::threads() > 0) std::this_thread::yield();
    }
};

}  // namespace

BOOST_AUTO_TEST_CASE(what_a_job_brings_back_comes_on_the_thread_of_the_loop) {
    Scene scene;
    loop::Background background(scene.loop);
    BOOST_TEST(scene.start(background, "one"));
    BOOST_TEST(background.at_work());
    scene.gate.let_go();
    while (scene.told.empty()) scene.loop.turn();
    BOOST_TEST(scene.told == std::vector<std::string>{"one done"});
    BOOST_TEST(!background.at_work());
    BOOST_TEST(scene.gate.deleted == 1);
    scene.until_no_thread();
}

BOOST_AUTO_TEST_CASE(the_loop_goes_on_and_ends_while_a_job_does_not) {
    Scene scene;
    {
        loop::Loop loop;
        loop::Background background(loop);
        BOOST_TEST(scene.start(background, "one"));
        scene.gate.until([&] { return scene.gate.entered == 1; });
        loop.turn(false);
    }
    BOOST_TEST(loop::AtWork::threads() == 1);
    BOOST_TEST(scene.told.empty());
    scene.gate.let_go();
    scene.gate.until([&] { return scene.gate.deleted == 1; });
    scene.until_no_thread();
    BOOST_TEST(scene.told.empty());
}

// Its knock may be on its way.
BOOST_AUTO_TEST_CASE(an_abandoned_job_is_not_taken_for_the_next_one) {
    for (int i = 0; i < 100; ++i) {
        Scene scene;
        loop::Background background(scene.loop);
        scene.gate.open = true;
        BOOST_TEST(scene.start(background, "one"));
        if (i % 2 == 0) scene.gate.until([&] { return scene.gate.entered == 1; });
        background.abandon();
        BOOST_TEST(scene.start(background, "two"));
        while (scene.told.empty()) scene.loop.turn();
        BOOST_TEST(scene.told == std::vector<std::string>{"two done"});
        scene.gate.until([&] { return scene.gate.deleted == 2; });
        scene.until_no_thread();
    }
}

BOOST_AUTO_TEST_SUITE_END()
