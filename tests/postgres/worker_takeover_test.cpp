// A configuration that changes under a worker at work: what is new counts at once for what comes, what runs finishes as
// it was begun, and a file that is broken changes nothing.
#include <boost/test/unit_test.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "support/foreground_worker.h"
#include "support/logged_worker.h"
#include "support/paths.h"

namespace worker_takeover {

using namespace dormouse;
using namespace dormouse::testing;

namespace {

constexpr const char* taken_over = "configuration_taken_over";
const char* const fresh = "[task.fresh]\ncommand = [\"/bin/sh\", \"-c\", \"echo 1\"]\n";

struct Scene {
    TestDatabase database;

    std::string enqueue(const std::string& task, const std::string& more = "") {
        return database.value("SELECT dormouse.enqueue('" + task + "'" + more + ")");
    }
    std::string of(const std::string& id) {
        return database.value("SELECT status || ' ' || attempts || ' ' || lost FROM dormouse.runs WHERE id = '" + id +
                              "'");
    }
    bool until(const std::string& id, const std::string& status) {
        return eventually([&] { return of(id).starts_with(status + " "); });
    }
    /// Enqueues one that holds and waits for its handler.
    std::string hold(const LoggedWorker& worker, const std::string& task = "hold") {
        const std::size_t before = worker.tasks().started().size();
        std::string id = enqueue(task);
        BOOST_TEST_REQUIRE(eventually([&] { return worker.tasks().started().size() > before; }));
        return id;
    }
    void change(const LoggedWorker& worker, const PoolBenchOptions& options) {
        const std::size_t before = worker.said(taken_over).size();
        worker.configure(database.url(), options);
        BOOST_TEST_REQUIRE(worker.until_said(taken_over, before + 1));
    }
    int exit_of(LoggedWorker& worker) {
        worker.process().signal(SIGTERM);
        return worker.process().wait().exit_code;
    }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(worker_takeover, Scene, *boost::unit_test::precondition(has_postgres))

BOOST_AUTO_TEST_CASE(an_idle_worker_takes_a_changed_file_over_at_once) {
    LoggedWorker worker(database.url(), {.worker = "concurrency = 2"});
    BOOST_TEST_REQUIRE(until(enqueue("echo"), "completed"));
    const std::string waits = enqueue("fresh");  // no task of this worker's yet
    change(worker, {.worker = "concurrency = 3", .rest = fresh});
    BOOST_TEST(until(waits, "completed"));
    BOOST_TEST(eventually([&] {
        return database.value(
                   "SELECT string_agg(state || ' ' || concurrency, ', ' ORDER BY started_at) FROM "
                   "dormouse.worker_registry") == "left 2, awake 3";
    }));
    BOOST_TEST(exit_of(worker) == 0);
    BOOST_TEST(worker.said("worker_pool_stopped").size() == 1U);
}

BOOST_AUTO_TEST_CASE(what_runs_finishes_and_what_comes_does_not_wait_for_it) {
    LoggedWorker worker(database.url(), {.worker = "concurrency = 2"});
    const std::string old = hold(worker);
    change(worker, {.worker = "concurrency = 2", .rest = fresh});
    BOOST_TEST(until(enqueue("fresh"), "completed"));
    BOOST_TEST(until(enqueue("echo"), "completed"));
    BOOST_TEST(process_lives(worker.tasks().processes().at(0)));
    worker.tasks().release();
    BOOST_TEST(until(old, "completed"));
    BOOST_TEST(of(old) == "completed 1 0");
    BOOST_TEST(exit_of(worker) == 0);
}

// A pool that executes one run at a time does so across a change, too.
BOOST_AUTO_TEST_CASE(runs_of_before_take_slots_of_the_pool_and_of_their_task) {
    LoggedWorker worker(database.url(), {.worker = "concurrency = 1"});
    const std::string old = hold(worker);
    change(worker, {.worker = "concurrency = 1", .rest = fresh});
    const std::string next = enqueue("fresh");
    BOOST_TEST_REQUIRE(eventually(
        [&] { return database.value("SELECT count(*) FROM dormouse.worker_registry WHERE state = 'awake'") == "2"; }));
    BOOST_TEST(worker.said("run_dispatched").size() == 1U);
    BOOST_TEST(of(next).starts_with("queued"));
    worker.tasks().release();
    BOOST_TEST(until(next, "completed"));
    BOOST_TEST(of(old) == "completed 1 0");

    const std::string one = "[task.one]\nconcurrency = 1\ncommand = [\"" + worker.tasks().directory() + "/hold\"]\n";
    change(worker, {.worker = "concurrency = 4", .rest = one});
    const std::string first = hold(worker, "one");
    change(worker, {.worker = "concurrency = 5", .rest = one});
    const std::string second = enqueue("one");
    BOOST_TEST(until(enqueue("echo"), "completed"));  // a slot is free, and the task has none
    BOOST_TEST(of(second).starts_with("queued"));
    worker.tasks().release();
    BOOST_TEST_REQUIRE(eventually([&] { return worker.tasks().started().size() == 3U; }));
    worker.tasks().release();
    BOOST_TEST(until(second, "completed"));
    BOOST_TEST(of(first) == "completed 1 0");
    BOOST_TEST(exit_of(worker) == 0);
}

BOOST_AUTO_TEST_CASE(a_broken_file_is_said_once_and_the_old_one_stays) {
    LoggedWorker worker(database.url(), {.worker = "concurrency = 2"});
    const std::string old = hold(worker);
    worker.configure(database.url(), {.worker = "concurency = 3"});
    BOOST_TEST_REQUIRE(worker.until_said("configuration"));
    BOOST_TEST(worker.said("configuration").at(0).text.find("concurency") != std::string::npos);
    BOOST_TEST(worker.said("configuration").at(0).text.find("keeps the previous one") != std::string::npos);
    worker.configure(database.url(), {.worker = "concurency = 3"});  // once more, as broken
    BOOST_TEST(until(enqueue("echo"), "completed"));
    BOOST_TEST_REQUIRE(eventually([&] { return worker.all("configuration").size() == 2U; }));
    worker.configure(database.url(), {.worker = "concurrency = 2"});
    BOOST_TEST_REQUIRE(worker.until_said("configuration", 2));
    BOOST_TEST(worker.said("configuration").at(1).text.find("again") != std::string::npos);
    BOOST_TEST(worker.said(taken_over).empty());
    worker.tasks().release();
    BOOST_TEST(until(old, "completed"));
    BOOST_TEST(exit_of(worker) == 0);
}

// Its lease is extended, somebody may cancel it, and what it asks for afterwards is the successor's.
BOOST_AUTO_TEST_CASE(a_run_of_before_is_looked_after_as_any_other) {
    const char* const terms = "concurrency = 3\nlease = \"3s\"\n";
    LoggedWorker worker(database.url(), {.worker = terms});
    const std::string long_one = hold(worker);
    const std::string canceled = hold(worker);
    change(worker, {.worker = terms, .rest = fresh});
    const std::string until_then = database.value("SELECT clock_timestamp() + interval '4 seconds'");
    database.exec("SELECT dormouse.cancel('" + canceled + "')");
    BOOST_TEST(until(canceled, "canceled"));
    BOOST_TEST(eventually([&] { return !process_lives(worker.tasks().processes().at(1)); }));
    BOOST_TEST(eventually([&] { return database.value("SELECT clock_timestamp() > '" + until_then + "'") == "t"; }));
    BOOST_TEST(process_lives(worker.tasks().processes().at(0)));
    worker.tasks().release(3);  // fails, and is due again at once
    BOOST_TEST(eventually([&] { return worker.tasks().started().size() == 3U; }));
    worker.tasks().release();
    BOOST_TEST(until(long_one, "completed"));
    BOOST_TEST(of(long_one) == "completed 2 0");
    BOOST_TEST(exit_of(worker) == 0);
}

BOOST_AUTO_TEST_CASE(a_signal_gives_runs_of_before_the_same_grace) {
    LoggedWorker worker(database.url(), {.worker = "concurrency = 2\nshutdown_grace = \"60s\"\n"});
    const std::string old = hold(worker);
    change(worker, {.worker = "concurrency = 2\nshutdown_grace = \"60s\"\n", .rest = fresh});
    const std::string present = hold(worker);
    worker.process().signal(SIGTERM);
    BOOST_TEST_REQUIRE(worker.until_said("worker_pool_signal_received", 2));
    BOOST_TEST(process_lives(worker.tasks().processes().at(0)));
    worker.tasks().release();
    worker.tasks().release();
    BOOST_TEST(worker.process().wait().exit_code == 0);
    BOOST_TEST(of(old) == "completed 1 0");
    BOOST_TEST(of(present) == "completed 1 0");
    BOOST_TEST(database.value("SELECT count(*) FROM dormouse.worker_registry WHERE state <> 'left'") == "0");
}

BOOST_AUTO_TEST_CASE(a_second_signal_ends_the_grace_of_all) {
    LoggedWorker worker(database.url(), {.worker = "concurrency = 2\nshutdown_grace = \"60s\"\n"});
    const std::string old = hold(worker);
    change(worker, {.worker = "concurrency = 2\nshutdown_grace = \"60s\"\n", .rest = fresh});
    worker.process().signal(SIGTERM);
    BOOST_TEST_REQUIRE(worker.until_said("worker_pool_signal_received"));
    worker.process().signal(SIGTERM);
    BOOST_TEST(worker.process().wait().exit_code == 0);
    BOOST_TEST(of(old) == "queued 0 0");
}

BOOST_AUTO_TEST_CASE(who_is_killed_meanwhile_has_all_its_runs_taken_back_at_once) {
    const TemporaryDirectory state;
    const std::map<std::string, std::string> environment{{"STATE_DIRECTORY", state.path()}};
    std::string old;
    std::string present;
    {
        LoggedWorker worker(database.url(), {.worker = "concurrency = 2"}, environment);
        old = hold(worker);
        change(worker, {.worker = "concurrency = 2", .rest = fresh});
        present = hold(worker);
        worker.process().signal(SIGKILL);
        worker.process().wait();
    }
    LoggedWorker next(database.url(), {.worker = "concurrency = 2"}, environment);
    BOOST_TEST_REQUIRE(next.until_said("runs_rescued"));
    BOOST_TEST_REQUIRE(eventually([&] { return next.tasks().started().size() == 2U; }));
    BOOST_TEST(of(old) == "running 1 1");
    BOOST_TEST(of(present) == "running 1 1");
    next.tasks().release();
    next.tasks().release();
    BOOST_TEST(exit_of(next) == 0);
}

BOOST_AUTO_TEST_CASE(changes_that_follow_each_other_each_leave_what_runs) {
    LoggedWorker worker(database.url(), {.worker = "concurrency = 9"});
    std::vector<std::string> runs;
    for (int change_of = 0; change_of < 5; ++change_of) {
        runs.push_back(hold(worker));
        change(worker, {.worker = "concurrency = " + std::to_string(10 + change_of)});
    }
    for (std::size_t run = 0; run < runs.size(); ++run) worker.tasks().release();
    for (const std::string& run : runs) BOOST_TEST(until(run, "completed"));
    BOOST_TEST(until(enqueue("echo"), "completed"));
    BOOST_TEST(exit_of(worker) == 0);
    BOOST_TEST(database.value("SELECT max(attempts) || ' ' || max(lost) FROM dormouse.runs") == "1 0");
}

BOOST_AUTO_TEST_CASE(a_warm_handler_whose_file_changes_is_read_anew) {
    const TemporaryDirectory directory;
    const std::string file = directory.path() + "/tasks.py";
    const auto write = [&](const std::string& result) {
        std::ofstream(file + ".new") << "import sys\nsys.path.insert(0, '" << source_directory
                                     << "/clients/python')\nfrom dormouse import serve, task\n\n@task\ndef "
                                        "tell(payload):\n    return '"
                                     << result << "'\n\nserve()\n";
        std::filesystem::rename(file + ".new", file);
    };
    write("before");
    LoggedWorker worker(
        database.url(),
        {.rest = "[task.tell]\nhandler = \"warm\"\ncommand = [\"/usr/bin/python3\", \"" + file + "\"]\n"});
    const auto told = [&](const std::string& id) {
        BOOST_TEST_REQUIRE(until(id, "completed"));
        return database.value("SELECT result #>> '{}' FROM dormouse.runs WHERE id = '" + id + "'");
    };
    BOOST_TEST(told(enqueue("tell")) == "before");
    write("after");
    BOOST_TEST_REQUIRE(worker.until_said(taken_over));
    BOOST_TEST(told(enqueue("tell")) == "after");
    BOOST_TEST(exit_of(worker) == 0);
}

BOOST_AUTO_TEST_CASE(an_errand_keeps_what_it_has) {
    const std::string id = enqueue("hold");
    LoggedWorker worker(database.url(), {}, {}, {"--drain"});
    BOOST_TEST_REQUIRE(worker.until_said("run_dispatched"));
    worker.configure(database.url(), {.rest = fresh});
    worker.tasks().release();
    BOOST_TEST(worker.process().wait().exit_code == 0);
    BOOST_TEST(worker.said(taken_over).empty());
    BOOST_TEST(of(id) == "completed 1 0");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace worker_takeover
