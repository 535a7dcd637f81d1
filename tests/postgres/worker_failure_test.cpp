// What a task's table says of runs that fail: on_failure, expires; what a canceled run says while it tidies up; and the
// umask of what it makes.
#include <sys/stat.h>

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "support/pool_bench.h"

BOOST_AUTO_TEST_SUITE(worker_failure, *boost::unit_test::precondition(dormouse::testing::has_postgres))

using namespace dormouse;
using namespace dormouse::testing;
using nlohmann::json;

namespace {

std::string shell_task(const std::string& name, const std::string& script, const std::string& more = "") {
    return "[task." + name +
           "]\nhandler = \"exec\"\nmax_attempts = 2\nbackoff = { base = \"1ms\", max = \"1ms\" }\n"
           "command = [\"/bin/sh\", \"-c\", '''" +
           script + "''']\n" + more + "\n";
}

struct Scene {
    TestDatabase database;
    PoolBench bench;

    explicit Scene(const PoolBenchOptions& options) : bench(database.url(), options) {}
    std::string enqueue(const std::string& arguments) {
        return database.value("SELECT dormouse.enqueue(" + arguments + ")");
    }
    bool until(const std::string& condition, const std::string& id) {
        return bench.until([&] {
            return database.value("SELECT count(*) FROM dormouse.runs WHERE id = $1 AND " + condition, {id}) == "1";
        });
    }
    std::string of(const std::string& task, const std::string& what) {
        return database.value("SELECT " + what + " FROM dormouse.runs WHERE task = $1", {task});
    }
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_run_that_has_failed_for_good_enqueues_that_of_on_failure_in_the_same_transaction) {
    Scene scene({.worker = "queues = [\"lane\"]",
                 .rest = shell_task("breaks", "echo 'KeyError: name' >&2; exit 3", "on_failure = \"cares\"") +
                         shell_task("well", "true", "on_failure = \"cares\"") + shell_task("cares", "exit 4")});
    const std::string well = scene.enqueue("'well', queue => 'lane'");
    BOOST_TEST_REQUIRE(scene.until("status = 'completed'", well));
    const std::string id = scene.enqueue("'breaks', queue => 'lane'");
    BOOST_TEST_REQUIRE(scene.until("status = 'failed'", id));
    BOOST_TEST(scene.of("breaks", "attempts") == "2");  // the first failure was not for good
    BOOST_TEST_REQUIRE(scene.bench.until([&] { return scene.of("cares", "min(status)") == "failed"; }));
    BOOST_TEST(scene.of("cares", "count(*)") == "1");  // its own failure enqueues nothing
    BOOST_TEST(scene.of("cares", "min(queue)") == "lane");
    BOOST_TEST(scene.of("cares", "min(created_at)") == scene.of("breaks", "finished_at"));
    const json payload = json::parse(scene.of("cares", "min(payload::text)"));
    const json expected{{"run_id", id},
                        {"task", "breaks"},
                        {"queue", "lane"},
                        {"attempts", 2},
                        {"error", {{"class", "exit"}, {"message", "exit 3\nKeyError: name"}}}};
    BOOST_TEST(payload == expected);
}

BOOST_AUTO_TEST_CASE(a_run_that_is_refused_before_it_begins_has_failed_for_good_too) {
    Scene scene({.rest = "[limits]\npayload_bytes = 1000\n" + shell_task("breaks", "true", "on_failure = \"cares\"") +
                         shell_task("cares", "true")});
    scene.enqueue("'breaks', to_jsonb(repeat('x', 5000))");
    BOOST_TEST_REQUIRE(scene.bench.until([&] { return scene.of("cares", "min(status)") == "completed"; }));
    BOOST_TEST(scene.of("cares", "payload #>> '{error,class}'") == "payload_too_large");
}

BOOST_AUTO_TEST_CASE(a_run_that_waited_for_too_long_is_not_begun) {
    Scene scene({.rest = shell_task("stale", "exit 3", "expires = \"1h\"\non_failure = \"cares\"") +
                         shell_task("cares", "true"),
                 .starts = false});
    const std::string old = scene.enqueue("'stale', run_at => now() - interval '2 h'");
    const std::string young = scene.enqueue("'stale', run_at => now() - interval '30 min'");
    const std::string tried = scene.enqueue("'stale', run_at => now() - interval '2 h'");
    scene.database.exec("SET dormouse.session = 'worker'; UPDATE dormouse.runs_live SET attempts = 1 WHERE id = '" +
                        tried + "'; RESET dormouse.session");
    scene.bench.worker().start();
    for (const std::string& id : {old, young, tried}) BOOST_TEST_REQUIRE(scene.until("status = 'failed'", id));
    const auto column = [&](const std::string& what, const std::string& id) {
        return scene.database.value("SELECT " + what + " FROM dormouse.runs WHERE id = $1", {id});
    };
    BOOST_TEST(column("error ->> 'class'", old) == "expired");
    BOOST_TEST(column("error ->> 'message'", old) ==
               "it was not started within 1h of the time it was due (expires of task stale)");
    BOOST_TEST(column("attempts", old) == "0");
    BOOST_TEST(column("(SELECT string_agg(outcome, ' ') FROM dormouse.attempts WHERE run_id = id)", old) == "failed");
    BOOST_TEST(column("error ->> 'class'", young) == "exit");
    BOOST_TEST(column("attempts", young) == "2");
    BOOST_TEST(column("error ->> 'class'", tried) == "exit");  // it had been begun
    BOOST_TEST_REQUIRE(scene.bench.until([&] { return scene.of("cares", "count(*)") == "3"; }));
}

BOOST_AUTO_TEST_CASE(what_a_canceled_run_says_while_it_tidies_up_is_in_its_log) {
    Scene scene({.rest = shell_task(
                     "tidies", "trap 'echo tidied >&2; exit 0' TERM; echo began >&2; while :; do sleep 0.05; done")});
    const std::string id = scene.enqueue("'tidies'");
    const auto log = [&] {
        return scene.database.value(
            "SELECT string_agg(attempt || ' ' || text, ', ' ORDER BY line) FROM dormouse.logs WHERE run_id = $1", {id});
    };
    BOOST_TEST_REQUIRE(scene.bench.until([&] { return log() == "1 began"; }));
    BOOST_TEST(scene.database.value("SELECT dormouse.cancel($1)", {id}).starts_with("canceled"));
    BOOST_TEST(scene.bench.until([&] { return log().ends_with("1 tidied"); }),
               log());  // bash may have said something before
    BOOST_TEST_REQUIRE(scene.bench.until_idle());
}

BOOST_AUTO_TEST_CASE(umask_says_who_may_read_the_files_that_a_task_makes) {
    const TemporaryDirectory directory;
    const mode_t before = ::umask(0077);
    std::string rest;
    for (const std::string mask : {"0022", "0007", ""})
        rest += shell_task("makes" + mask, "touch " + directory.path() + "/file" + mask,
                           mask.empty() ? "" : "umask = \"" + mask + "\"");
    Scene scene({.rest = rest});
    for (const auto& [mask, mode] : std::map<std::string, mode_t>{{"0022", 0644}, {"0007", 0660}, {"", 0600}}) {
        const std::string id = scene.enqueue("'makes" + mask + "'");
        BOOST_TEST_REQUIRE(scene.until("status = 'completed'", id));
        struct stat about{};
        BOOST_TEST_REQUIRE(::stat((directory.path() + "/file" + mask).c_str(), &about) == 0);
        BOOST_TEST((about.st_mode & 0777) == mode, mask);
    }
    ::umask(before);
}

// A file that is not there for a second, as while it is copied, costs five seconds, however many runs meet that.
BOOST_AUTO_TEST_CASE(runs_that_meet_one_broken_start_wait_as_long_as_one) {
    Scene scene({.worker = "concurrency = 8", .rest = "[task.gone]\ncommand = [\"/nowhere/x\"]\n"});
    scene.database.exec("SELECT dormouse.enqueue_many('gone', array_fill('1'::jsonb, ARRAY[24]))");
    BOOST_TEST_REQUIRE(scene.bench.until(
        [&] { return scene.database.value("SELECT count(*) FROM dormouse.runs WHERE status = 'retry'") == "24"; }));
    BOOST_TEST(scene.database.value("SELECT max(run_at - now()) <= interval '5 s' FROM dormouse.runs") == "t");
    BOOST_TEST(scene.database.value("SELECT max(attempts) FROM dormouse.runs") == "0");
}

BOOST_AUTO_TEST_SUITE_END()
