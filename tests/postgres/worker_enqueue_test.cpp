// Runs that a completed run enqueues: with its completion, once, and the pools that serve them are woken.
#include <sys/socket.h>

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <csignal>
#include <fstream>

#include "postgres/crash_points.h"
#include "support/foreground_worker.h"
#include "support/pool_bench.h"
#include "support/process.h"

using namespace dormouse;
using namespace dormouse::testing;

namespace {

/// Ends as completed with this `enqueue`, said on the control descriptor.
std::string task(const std::string& name, const std::string& enqueue, const std::string& before = "") {
    return "[task." + name + "]\nhandler = \"exec\"\ncommand = [\"/bin/sh\", \"-c\", '''" + before +
           R"(printf '%s\n' "{\"type\":\"completed\",\"result\":\"$DORMOUSE_TASK\",\"enqueue\":)" + enqueue +
           R"(}" >&$DORMOUSE_CONTROL_FD''']
backoff = { base = "1ms", max = "1ms" }
)";
}

struct OnePool {
    TestDatabase database;
    PoolBench bench;

    explicit OnePool(const PoolBenchOptions& options) : bench(database.url(), options) {}
    std::string enqueue(const std::string& arguments) {
        return database.value("SELECT dormouse.enqueue(" + arguments + ")");
    }
    bool until_status(const std::string& id, const std::string& status) {
        return bench.until(
            [&] { return database.value("SELECT status FROM dormouse.runs WHERE id = $1", {id}) == status; });
    }
};

/// Pools as processes, each with a file of its own in one directory.
struct Pipeline {
    TestDatabase database;
    TemporaryDirectory directory;

    Pipeline() {
        pool("one", R"([{\"task\":\"second\",\"queue\":\"two\",\"payload\":$(cat)}])", "first");
        pool("two", R"([{\"task\":\"third\",\"queue\":\"three\",\"payload\":$(cat)}])", "second");
        pool("three", "[]", "third");
    }
    void pool(const std::string& name, const std::string& enqueue, const std::string& its_task) const {
        std::ofstream(directory.path() + "/" + name + ".toml")
            << "[database]\nurl = \"" << database.url() << "\"\n[worker]\nlease = \"2s\"\nqueues = [\"" << name
            << "\"]\n"
            << task(its_task, enqueue);
    }
    Process start(const std::string& name, const std::string& crash_at = "") const {
        return Process(cli_program({"worker", name}, {{"DORMOUSE_CONFIG_DIR", directory.path()},
                                                      {"DORMOUSE_PATHS_RUNTIME_DIRECTORY", directory.path()},
                                                      {"DORMOUSE_PATHS_SPOOL_DIRECTORY", directory.path()},
                                                      {"DORMOUSE_CRASH_AT", crash_at}}));
    }
    bool until_third(int count) {
        return eventually([&] {
            return database.value("SELECT count(*) FROM dormouse.runs WHERE task = 'third' AND status = 'completed'") ==
                   std::to_string(count);
        });
    }
    /// Every number has gone through each stage once.
    void check(int count) {
        BOOST_TEST(
            database.value("SELECT string_agg(task || ' ' || n || ' ' || different, ', ' ORDER BY task) FROM (SELECT "
                           "task, count(*) n, count(DISTINCT payload) different FROM dormouse.runs WHERE status = "
                           "'completed' GROUP BY task) t") ==
            "first " + std::to_string(count) + " " + std::to_string(count) + ", second " + std::to_string(count) + " " +
                std::to_string(count) + ", third " + std::to_string(count) + " " + std::to_string(count));
        BOOST_TEST(database.value("SELECT count(*) FROM dormouse.runs WHERE status <> 'completed'") == "0");
    }
};

bool crash_points_are_there() {
#ifdef DORMOUSE_CRASH_POINTS
    return true;
#else
    return false;
#endif
}

}  // namespace

BOOST_AUTO_TEST_SUITE(worker_enqueue, *boost::unit_test::precondition(has_postgres))

BOOST_AUTO_TEST_CASE(a_run_is_enqueued_with_the_completion_that_asks_for_it) {
    OnePool scene(
        {.rest = task("first", R"([{\"task\":\"echo\",\"payload\":{\"n\":1}},{\"task\":\"echo\",\"delay\":\"1h\"}])")});
    const std::string id = scene.enqueue("'first'");
    BOOST_TEST(scene.until_status(id, "completed"));
    BOOST_TEST(scene.bench.until([&] {
        return scene.database.value("SELECT result FROM dormouse.runs WHERE task = 'echo' AND status = 'completed'") ==
               R"({"n": 1})";
    }));
    BOOST_TEST(scene.database.value("SELECT count(*) FROM dormouse.runs WHERE task = 'echo' AND created_at = (SELECT "
                                    "finished_at FROM dormouse.runs WHERE task = 'first')") == "2");
}

BOOST_AUTO_TEST_CASE(one_that_is_not_right_fails_its_own_run_and_enqueues_nothing) {
    OnePool scene({.rest = task("good", R"([{\"task\":\"echo\"}])") +
                           task("bad", R"([{\"task\":\"echo\"},{\"task\":\"echo\",\"prioritee\":1}])"),
                   .starts = false});
    std::vector<std::string> good;
    for (int i = 0; i < 5; ++i) good.push_back(scene.enqueue("'good'"));
    const std::string bad = scene.enqueue("'bad'");
    scene.bench.worker().start();
    for (const std::string& id : good) BOOST_TEST(scene.until_status(id, "completed"));
    BOOST_TEST(scene.until_status(bad, "failed"));
    const std::string error = scene.database.value("SELECT error FROM dormouse.runs WHERE id = $1", {bad});
    BOOST_TEST(error.find("unknown member \\\"prioritee\\\"") != std::string::npos, error);
    BOOST_TEST(error.find("follow_up_rejected") != std::string::npos, error);
    BOOST_TEST(scene.bench.until([&] {
        return scene.database.value(
                   "SELECT count(*) FROM dormouse.runs WHERE task = 'echo' AND status = 'completed'") == "5";
    }));
    BOOST_TEST(scene.database.value("SELECT count(*) FROM dormouse.runs WHERE task = 'echo'") == "5");
}

BOOST_AUTO_TEST_CASE(a_completion_that_is_refused_enqueues_nothing) {
    TemporaryDirectory place;
    const std::string up = place.path() + "/up";
    const std::string go = place.path() + "/go";
    OnePool scene({.rest = task("slow", R"([{\"task\":\"echo\"}])",
                                "trap : TERM; : >" + up + "; while [ ! -e " + go + " ]; do sleep 0.02; done; ")});
    const std::string id = scene.enqueue("'slow'");
    BOOST_TEST(scene.bench.until([&] { return std::ifstream(up).good(); }));
    scene.database.exec("SELECT dormouse.cancel('" + id + "')");
    std::ofstream(go) << "";
    BOOST_TEST(scene.bench.until_idle());
    BOOST_TEST(scene.database.value("SELECT count(*) FROM dormouse.runs") == "1");
    BOOST_TEST(scene.database.value("SELECT status FROM dormouse.runs") == "canceled");
}

BOOST_AUTO_TEST_CASE(the_pools_that_serve_its_queue_are_rung) {
    TemporaryDirectory machine;
    std::ofstream(machine.path() + "/far.toml") << "[worker]\nqueues = [\"far\"]\n";
    std::ofstream(machine.path() + "/other.toml") << "[worker]\nqueues = [\"other\"]\n";
    const UniqueFd far = listen_at(machine.path() + "/far.sock");
    const UniqueFd other = listen_at(machine.path() + "/other.sock");
    OnePool scene({.rest = task("first", R"([{\"task\":\"x\",\"queue\":\"far\"}])"),
                   .environment = {{"DORMOUSE_CONFIG_DIR", machine.path()},
                                   {"DORMOUSE_PATHS_RUNTIME_DIRECTORY", machine.path()}}});
    scene.enqueue("'first'");
    BOOST_TEST(scene.bench.until([&] { return UniqueFd(::accept(far.get(), nullptr, nullptr)).valid(); }));
    BOOST_TEST(scene.database.value("SELECT count(*) FROM dormouse.runs WHERE queue = 'far'") == "1");
    BOOST_TEST(!UniqueFd(::accept(other.get(), nullptr, nullptr)).valid());
}

BOOST_AUTO_TEST_CASE(a_pipeline_of_pools_hands_each_run_on_once) {
    Pipeline pipeline;
    Process one = pipeline.start("one");
    Process two = pipeline.start("two");
    Process three = pipeline.start("three");
    pipeline.database.exec(
        "SELECT dormouse.enqueue('first', to_jsonb(n), queue => 'one') FROM generate_series(1, 100) n");
    BOOST_TEST(pipeline.until_third(100));
    pipeline.check(100);
}

BOOST_DATA_TEST_CASE_F(Pipeline, a_worker_that_dies_around_the_commit_hands_on_what_was_committed_once,
                       boost::unit_test::data::make(enqueue_points), moment) {
    if (!crash_points_are_there()) {
        BOOST_TEST_MESSAGE("skipped: this build has no crash points");
        return;
    }
    Process one = start("one");
    Process three = start("three");
    database.exec("SELECT dormouse.enqueue('first', to_jsonb(n), queue => 'one') FROM generate_series(1, 30) n");
    Process dies = start("two", moment.name);
    BOOST_TEST(dies.wait().signal == SIGKILL);
    Process two = start("two");
    BOOST_TEST(until_third(30));
    check(30);
}

BOOST_AUTO_TEST_SUITE_END()
