// A real pool's metrics, against the rows in its database, over a sleep and a second wake; and a scrape of an awake
// worker.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "support/foreground_worker.h"
#include "support/logged_worker.h"
#include "support/pool_bench.h"

namespace metrics {

using namespace dormouse;
using namespace dormouse::testing;

namespace {

Program program(std::vector<std::string> argv, std::string input = {}) {
    return {std::move(argv), std::move(input), {}, {}};
}

struct Host {
    TestDatabase database;
    TemporaryDirectory directory;
    std::string here = directory.path();
    std::string textfile = here + "/collector/dormouse_logged.prom";
    std::string socket = here + "/metrics.sock";

    Host() {
        for (const char* const name : {"/logged", "/state", "/spool", "/collector"})
            std::filesystem::create_directory(here + name);
    }
    [[nodiscard]] std::map<std::string, std::string> unit() const {
        return {{"DORMOUSE_PATHS_RUNTIME_DIRECTORY", here},
                {"DORMOUSE_PATHS_SPOOL_DIRECTORY", here + "/spool"},
                {"RUNTIME_DIRECTORY", here + "/logged"},
                {"STATE_DIRECTORY", here + "/state"}};
    }
    [[nodiscard]] PoolBenchOptions options(const std::string& worker, const std::string& metrics = "") const {
        PoolBenchOptions options;
        options.worker = worker;
        options.rest =
            "[metrics]\n" +
            (metrics.empty() ? "textfile = \"" + here + "/collector\"\nlisten = \"" + socket + "\"\n" : metrics);
        return options;
    }
    void enqueue(const std::string& task, int runs, const std::string& more = "") {
        database.exec("SELECT dormouse.enqueue('" + task + "'" + more + ") FROM generate_series(1, " +
                      std::to_string(runs) + ")");
    }
    /// A worker's whole life, from a wake to its idle exit.
    void wake() {
        LoggedWorker worker(database.url(), options("idle_exit = \"300ms\"\nlook_exit = \"300ms\""), unit());
        BOOST_TEST(worker.process().wait().exit_code == 0, worker.log());
        BOOST_TEST(worker.said("metrics").empty(), worker.log());
    }
    [[nodiscard]] std::string text() const {
        std::ostringstream all;
        all << std::ifstream(textfile).rdbuf();
        return all.str();
    }
    [[nodiscard]] std::string scrape() const {
        return run(program({"curl", "--silent", "--fail", "--max-time", "10", "--unix-socket", socket,
                            "http://localhost/metrics"}))
            .out;
    }
    long count(const std::string& what) { return std::stol(database.value("SELECT count(*) FROM dormouse." + what)); }
};

/// The value of a sample; -1: there is none.
double sample(const std::string& text, const std::string& name, const std::string& labels = "") {
    const std::string start = "\ndormouse_" + name + "{pool=\"logged\"" + labels + "} ";
    const auto at = text.find(start);
    return at == std::string::npos ? -1 : std::stod(text.substr(at + start.size()));
}
double of_task(const std::string& text, const std::string& name, const std::string& task) {
    return sample(text, name, ",task=\"" + task + "\"");
}

bool has(const std::string& name) {
    return run(program({"which", name})).exit_code == 0;
}

}  // namespace

}  // namespace metrics

BOOST_FIXTURE_TEST_SUITE(metrics, Host, *boost::unit_test::precondition(has_postgres))

BOOST_AUTO_TEST_CASE(the_numbers_are_those_of_the_database_over_a_sleep_and_a_second_wake) {
    for (const int wakes : {1, 2}) {
        enqueue("echo", 20 * wakes);
        enqueue("fail", 3);
        enqueue("later", 2);
        wake();
        const std::string now = text();
        for (const std::string task : {"echo", "fail", "later"}) {
            BOOST_TEST_CONTEXT(task) {
                const std::string of = " WHERE task = '" + task + "' AND ";
                BOOST_TEST(of_task(now, "runs_completed_total", task) == count("runs" + of + "status = 'completed'"));
                BOOST_TEST(of_task(now, "runs_failed_total", task) == count("runs" + of + "status = 'failed'"));
                const long attempts =
                    std::stol(database.value("SELECT sum(attempts) FROM dormouse.runs WHERE task = $1", {task}));
                const long put_off = task == "later" ? 2L * wakes : 0;  // which does not count as an attempt
                BOOST_TEST(of_task(now, "run_duration_seconds_count", task) == attempts + put_off);
                BOOST_TEST(of_task(now, "run_wait_seconds_count", task) >= attempts + put_off);
                BOOST_TEST(of_task(now, "runs_put_off_total", task) == put_off);
            }
        }
        BOOST_TEST(of_task(now, "runs_retried_total", "fail") == 3 * wakes);
        BOOST_TEST(sample(now, "cold_starts_total") == wakes);
        BOOST_TEST(sample(now, "wakes_total", ",doorbell=\"other\"") == wakes);
        BOOST_TEST(sample(now, "claims_total") >= wakes);
        BOOST_TEST(sample(now, "empty_looks_total") >= 0);
        BOOST_TEST(sample(now, "database_statements_total") > 10 * wakes);
        BOOST_TEST(sample(now, "database_session_seconds_total") > 0);
        BOOST_TEST(sample(now, "awake_seconds_total") > sample(now, "database_session_seconds_total"));
        BOOST_TEST(sample(now, "runs_queued", ",queue=\"default\"") == 0);
        BOOST_TEST(sample(now, "oldest_due_age_seconds", ",queue=\"default\"") == 0);
        BOOST_TEST(sample(now, "awake") == 0);
        BOOST_TEST((now.find("dormouse_next_due_timestamp_seconds{pool=\"logged\"} +Inf\n") != std::string::npos), now);
    }
}

BOOST_AUTO_TEST_CASE(what_is_due_next_is_told_as_a_time) {
    enqueue("echo", 1, ", run_at => now() + interval '1 hour'");
    wake();
    const double due = std::stod(database.value("SELECT extract(epoch FROM run_at) FROM dormouse.runs"));
    BOOST_TEST(std::abs(sample(text(), "next_due_timestamp_seconds") - due) < 10);
    BOOST_TEST(sample(text(), "runs_queued", ",queue=\"default\"") == 0);
}

BOOST_AUTO_TEST_CASE(an_awake_worker_is_scraped_and_tells_its_backlog) {
    if (!has("curl")) {
        BOOST_TEST_MESSAGE("skipped: there is no curl");
        return;
    }
    enqueue("hold", 1);
    LoggedWorker worker(database.url(), options("concurrency = 1\nlease = \"6s\"\nidle_exit = \"300ms\""), unit());
    BOOST_TEST_REQUIRE(eventually([&] { return sample(scrape(), "slots_busy") == 1; }));
    BOOST_TEST(sample(scrape(), "awake") == 1);
    enqueue("echo", 5);
    enqueue("hold", 1, ", priority => 1");
    // asked 15 s after the last time, with the round that extends the lease; some of them may have been claimed ahead
    BOOST_TEST(eventually([&] { return sample(scrape(), "runs_queued", ",queue=\"default\"") >= 1; }), scrape());
    worker.tasks().release();
    BOOST_TEST(sample(scrape(), "oldest_due_age_seconds", ",queue=\"default\"") >= 0);
    const std::string now = scrape();
    if (has("promtool")) {
        const Ended checked = run(program({"promtool", "check", "metrics"}, now));
        BOOST_TEST(checked.exit_code == 0, checked.err);
        BOOST_TEST(checked.err.empty(), checked.err);
    }
    // a client that stays does not keep the worker, which completes all and leaves
    const UniqueFd silent(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    socket.copy(address.sun_path, sizeof address.sun_path - 1);
    BOOST_TEST(::connect(silent.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    BOOST_TEST(eventually([&] { return worker.tasks().started().size() == 2; }));
    worker.tasks().release();
    BOOST_TEST(worker.process().wait().exit_code == 0, worker.log());
    BOOST_TEST(::access(socket.c_str(), F_OK) != 0);
    BOOST_TEST(of_task(text(), "runs_completed_total", "echo") == 5);
}

BOOST_AUTO_TEST_CASE(a_killed_worker_s_successor_goes_on_from_what_was_written_and_counts_what_was_lost) {
    enqueue("hold", 1);
    {
        LoggedWorker worker(database.url(), options("lease = \"2s\""), unit());
        BOOST_TEST_REQUIRE(eventually([&] { return sample(text(), "slots_busy") == 1; }));
        worker.process().signal(SIGKILL);
        worker.process().wait();
    }
    BOOST_TEST(sample(text(), "awake") == 1);
    LoggedWorker worker(database.url(), options("lease = \"2s\"\nidle_exit = \"8s\""),
                        unit());  // longer than the lease
    BOOST_TEST_REQUIRE(eventually([&] { return !worker.tasks().started().empty(); }));
    worker.tasks().release();
    BOOST_TEST(worker.process().wait().exit_code == 0, worker.log());
    BOOST_TEST(sample(text(), "runs_lost_total") == 1);
    BOOST_TEST(sample(text(), "cold_starts_total") == 2);
    BOOST_TEST(of_task(text(), "runs_completed_total", "hold") == 1);
}

BOOST_AUTO_TEST_CASE(a_directory_that_is_not_there_is_one_warning_and_no_run_fails) {
    enqueue("echo", 5);
    LoggedWorker worker(
        database.url(),
        options("idle_exit = \"300ms\"", "textfile = \"/nowhere/at/all\"\nlisten = \"/nowhere/at/all.sock\"\n"),
        unit());
    BOOST_TEST(worker.process().wait().exit_code == 0, worker.log());
    BOOST_TEST(count("runs WHERE status = 'completed'") == 5);
    BOOST_TEST(worker.said("metrics").size() == 2U, worker.log());  // one for each of the two
}

BOOST_AUTO_TEST_SUITE_END()
