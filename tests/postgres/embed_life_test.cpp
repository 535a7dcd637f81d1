// A Worker's life in somebody's process: as a guest beside others, and as all there is in a program of its own.
#include <dirent.h>
#include <dormouse/worker.h>
#include <signal.h>

#include <array>
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <future>
#include <map>

#include "support/bare_database.h"

BOOST_AUTO_TEST_SUITE(embed_life, *boost::unit_test::precondition(dormouse::testing::postgres_is_here))

using namespace std::chrono_literals;
using dormouse::Result;
using dormouse::Run;
using dormouse::testing::BareDatabase;
using dormouse::testing::Outside;
using dormouse::testing::soon;

namespace {

int entries(const char* directory) {
    int count = 0;
    DIR* stream = ::opendir(directory);
    while (::readdir(stream) != nullptr) ++count;
    ::closedir(stream);
    return count;
}

dormouse::Config quiet(const std::string& file) {
    return {.pool = "embedded", .file = file, .log = [](const dormouse::LogEvent&) {}};
}

}  // namespace

BOOST_AUTO_TEST_CASE(started_and_stopped_a_hundred_times_it_leaves_no_thread_and_no_descriptor) {
    BareDatabase database;
    dormouse::Worker worker{quiet(database.file())};
    worker.task("nothing", [](Run&) { return Result::completed(); });
    int threads = 0;
    int descriptors = 0;
    for (int i = 0; i < 100; ++i) {
        worker.start();
        if (i % 10 == 0) {  // the others are stopped while they connect
            const std::string id = database.enqueue("nothing");
            BOOST_REQUIRE(soon([&] { return database.run(id, "status") == "completed"; }));
        }
        BOOST_REQUIRE(worker.stop(30s));
        if (i != 10) continue;  // libuv's own threads are there for good
        threads = entries("/proc/self/task");
        descriptors = entries("/proc/self/fd");
    }
    BOOST_TEST(entries("/proc/self/task") == threads);
    BOOST_TEST(entries("/proc/self/fd") == descriptors);
    BOOST_TEST(database.value("SELECT count(*) FROM dormouse.workers WHERE condition IN ('live', 'idle')") == "0");
}

BOOST_AUTO_TEST_CASE(two_workers_in_one_process_serve_two_databases) {
    BareDatabase left;
    BareDatabase right;
    dormouse::Worker one{quiet(left.file())};
    dormouse::Worker two{quiet(right.file())};
    one.task("who", [](Run&) { return Result::json("1"); });
    two.task("who", [](Run&) { return Result::json("2"); });
    one.start();
    two.start();
    const std::string first = left.enqueue("who");
    const std::string second = right.enqueue("who");
    BOOST_TEST(soon([&] { return left.run(first, "result") == "1" && right.run(second, "result") == "2"; }));
    BOOST_TEST(one.stop(20s));
    const std::string third = right.enqueue("who");
    BOOST_TEST(soon([&] { return right.run(third, "result") == "2"; }));
    BOOST_TEST(two.stop(20s));
}

BOOST_AUTO_TEST_CASE(a_guest_leaves_the_signals_as_they_are_and_says_nothing_to_systemd) {
    BareDatabase database;
    const std::array numbers{SIGTERM, SIGINT, SIGPIPE, SIGCHLD, SIGHUP};
    std::map<int, struct sigaction> before;
    for (const int number : numbers) ::sigaction(number, nullptr, &before[number]);
    dormouse::Worker worker{quiet(database.file())};
    worker.task("nothing", [](Run&) { return Result::completed(); });
    worker.start();
    const std::string id = database.enqueue("nothing");
    BOOST_TEST(soon([&] { return database.run(id, "status") == "completed"; }));
    for (const int number : numbers) {
        struct sigaction now{};
        ::sigaction(number, nullptr, &now);
        BOOST_TEST(now.sa_handler == before[number].sa_handler, "signal " << number);
    }
    BOOST_TEST(worker.stop(20s));
}

BOOST_AUTO_TEST_CASE(stop_says_false_while_a_function_does_not_return_and_true_when_it_has) {
    BareDatabase database;
    std::atomic<bool> free{false};
    dormouse::Worker worker{quiet(database.file())};
    worker.task("stubborn", [&](Run&) {
        free.wait(false);
        return Result::completed();
    });
    worker.start();
    const std::string id = database.enqueue("stubborn");
    BOOST_TEST(soon([&] { return database.run(id, "status") == "running"; }));
    BOOST_TEST(!worker.stop(800ms));
    BOOST_TEST(soon([&] { return database.run(id, "status") == "queued"; }));  // handed back
    BOOST_TEST(database.run(id, "attempts") == "0");
    BOOST_TEST(!worker.stop(10ms));
    free = true;
    free.notify_all();
    BOOST_TEST(worker.stop(20s));
}

BOOST_AUTO_TEST_CASE(a_function_that_was_given_up_takes_a_slot_until_it_returns) {
    BareDatabase database;
    std::atomic<bool> stuck{true};
    std::atomic<bool> gate{false};
    std::atomic<int> begun{0};
    std::atomic<bool> given_up{false};
    std::atomic<bool> returned{false};
    dormouse::Config config =
        quiet(database.file("[worker]\nconcurrency = 2\n[task.stubborn]\ntimeout = \"50ms\"\nmax_attempts = 1\n"));
    config.log = [&](const dormouse::LogEvent& event) {
        if (event.text.find("was abandoned: its thread is occupied") != event.text.npos) given_up = true;
        if (event.name == "function_returned") returned = true;
    };
    dormouse::Worker worker{config};
    worker.task("stubborn", [&](Run&) {
        stuck.wait(true);
        return Result::completed();
    });
    worker.task("quick", [&](Run&) {
        ++begun;
        gate.wait(false);
        return Result::completed();
    });
    worker.start();
    const std::string id = database.enqueue("stubborn");
    BOOST_TEST(soon([&] { return given_up.load(); }));
    BOOST_TEST(soon([&] { return database.run(id, "status") == "failed"; }));
    database.value("SELECT count(dormouse.enqueue('quick')) FROM generate_series(1, 2)");
    const std::string running = "SELECT count(*) FROM dormouse.runs WHERE status = 'running'";
    BOOST_TEST(soon([&] { return begun == 1; }));
    BOOST_TEST(soon([&] { return database.value(running) == "1"; }));  // one claimed ahead goes back
    BOOST_TEST(begun == 1);
    stuck = false;
    stuck.notify_all();
    BOOST_TEST(soon([&] { return returned.load(); }));
    BOOST_TEST(soon([&] { return begun == 2; }));
    gate = true;
    gate.notify_all();
    BOOST_TEST(worker.stop(20s));
    BOOST_TEST(database.run(id, "status") == "failed");
}

BOOST_AUTO_TEST_CASE(stop_lets_what_is_at_work_finish_and_claims_no_more) {
    BareDatabase database;
    std::atomic<bool> free{false};
    std::atomic<bool> leaving{false};
    dormouse::Config config = quiet(database.file());
    config.log = [&](const dormouse::LogEvent& event) {
        if (event.name == "worker_pool_shutting_down") leaving = true;
    };
    dormouse::Worker worker{config};
    worker.task("slow", [&](Run&) {
        free.wait(false);
        return Result::json("9");
    });
    worker.start();
    const std::string id = database.enqueue("slow");
    BOOST_TEST(soon([&] { return database.run(id, "status") == "running"; }));
    auto stopped = std::async(std::launch::async, [&] { return worker.stop(40s); });
    BOOST_TEST(soon([&] { return leaving.load(); }));
    const std::string late = database.enqueue("slow");
    free = true;
    free.notify_all();
    BOOST_TEST(stopped.get());
    BOOST_TEST(database.run(id, "result") == "9");
    BOOST_TEST(database.run(late, "status") == "queued");
}

BOOST_AUTO_TEST_CASE(a_program_of_its_own_leaves_on_sigterm_with_what_it_has_done_written) {
    BareDatabase database;
    const std::string id = database.enqueue("echo", R"({"a": "\u00e4"})");
    Outside program({dormouse::testing::the_embed_binary, database.file()});
    BOOST_TEST(soon([&] { return database.run(id, "status") == "completed"; }));
    program.terminate();
    BOOST_TEST(program.wait() == 0);
    BOOST_TEST(program.errors.find("graceful=true") != std::string::npos, program.errors);
    BOOST_TEST(database.value("SELECT count(*) FROM dormouse.workers WHERE condition IN ('live', 'idle')") == "0");
}

BOOST_AUTO_TEST_CASE(a_program_whose_function_never_returns_ends_all_the_same) {
    BareDatabase database;
    const std::string id = database.enqueue("stubborn");
    Outside program({dormouse::testing::the_embed_binary, database.file("[worker]\nshutdown_grace = \"0s\"\n")});
    BOOST_TEST(program.said("at work for ever"));
    program.terminate();
    BOOST_TEST(program.wait() == 0);
    BOOST_TEST(program.errors.find("was abandoned") != std::string::npos, program.errors);
    BOOST_TEST(program.errors.find("functions_left_behind") != std::string::npos);
    BOOST_TEST(database.run(id, "status") == "queued");
}

BOOST_AUTO_TEST_SUITE_END()
