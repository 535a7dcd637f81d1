// Workers that are there for one run, for what is due, for so many attempts, for so long: they end by themselves, and
// the exit code says how.
#include <boost/test/unit_test.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "support/paths.h"
#include "support/pool_bench.h"
#include "support/process.h"

namespace worker_errand {

using namespace dormouse;
using namespace dormouse::testing;

namespace {

struct Scene {
    TestDatabase database;
    PoolTasks tasks;
    TemporaryDirectory directory;
    std::string file = directory.path() + "/pool.toml";

    Scene() { write("concurrency = 2"); }
    void write(const std::string& worker) const {
        std::ofstream(file) << pool_toml(database.url(), {.worker = worker}, tasks);
    }
    std::string enqueue(const std::string& arguments) {
        return database.value("SELECT dormouse.enqueue(" + arguments + ")");
    }
    [[nodiscard]] Program program(std::vector<std::string> arguments,
                                  std::map<std::string, std::string> environment = {}) const {
        arguments.insert(arguments.begin(), {dormouse_binary, "worker", "--config", file});
        return {std::move(arguments), {}, std::move(environment), {}, Millis{30'000}};
    }
    Ended worker(std::vector<std::string> arguments, std::map<std::string, std::string> environment = {}) {
        return run(program(std::move(arguments), std::move(environment)));
    }
    std::string status(const std::string& id) {
        return database.value("SELECT status FROM dormouse.runs WHERE id = '" + id + "'");
    }
    bool until(const std::function<bool()>& happened) {
        const auto end = BootClock::now() + Millis{20'000};
        while (!happened())
            if (BootClock::now() > end || run({{"/bin/sleep", "0.02"}, {}, {}, {}}).exit_code != 0) return false;
        return true;
    }
};

}  // namespace

}  // namespace worker_errand

BOOST_FIXTURE_TEST_SUITE(worker_errand, Scene, *boost::unit_test::precondition(has_postgres))

BOOST_AUTO_TEST_CASE(one_run_is_executed_whatever_its_queue_and_no_other) {
    const std::string other = enqueue("'echo'");
    const std::string ours = enqueue("'echo', queue => 'elsewhere'");
    BOOST_TEST(worker({"--run", ours}).exit_code == 0);
    BOOST_TEST(status(ours) == "completed");
    BOOST_TEST(status(other) == "queued");
    BOOST_TEST(worker({}, {{"RUN_FILTER_ID", other}}).exit_code == 0);
    BOOST_TEST(status(other) == "completed");
}

BOOST_AUTO_TEST_CASE(drain_imports_what_is_spooled_and_does_not_wait_for_a_file_that_is_still_being_written) {
    const std::string spool = directory.path() + "/pool";
    std::filesystem::create_directory(spool);
    std::ofstream(spool + "/a.json") << R"({"task": "echo"})";
    std::ofstream(spool + "/b.json") << R"({"task": "ec)";
    const Ended ended = worker({"pool", "--drain"}, {{"DORMOUSE_PATHS_SPOOL_DIRECTORY", directory.path()}});
    BOOST_TEST(ended.exit_code == 0, ended.err);
    BOOST_TEST(database.value("SELECT count(*) FROM dormouse.runs WHERE status = 'completed'") == "1");
    BOOST_TEST(std::filesystem::exists(spool + "/b.json"));
}

BOOST_AUTO_TEST_CASE(while_it_is_there_for_one_run_it_leaves_the_spool_alone_and_does_not_spin) {
    std::filesystem::create_directory(directory.path() + "/pool");
    std::ofstream(directory.path() + "/pool/a.json") << R"({"task": "echo"})";
    const std::string ours = enqueue("'hold'");
    Process process(program({"pool", "--run", ours}, {{"DORMOUSE_PATHS_SPOOL_DIRECTORY", directory.path()}}));
    BOOST_TEST_REQUIRE(until([&] { return tasks.started().size() == 1; }));
    const auto ticks = [&] {  // of processor time; Source: proc(5)
        std::ifstream stat("/proc/" + std::to_string(process.pid()) + "/stat");
        std::string field;
        long sum = 0;
        for (int i = 1; i <= 15 && stat >> field; ++i)
            if (i >= 14) sum += std::stol(field);
        return sum;
    };
    const long before = ticks();
    BOOST_TEST(run({{"/bin/sleep", "1"}, {}, {}, {}}).exit_code == 0);
    BOOST_TEST(ticks() - before < 50);
    tasks.release();
    BOOST_TEST(process.wait().exit_code == 0);
    BOOST_TEST(std::filesystem::exists(directory.path() + "/pool/a.json"));
}

BOOST_AUTO_TEST_CASE(it_is_tried_again_until_it_has_failed) {
    const std::string ours = enqueue("'fail'");
    BOOST_TEST(worker({"--run", ours}).exit_code == 3);
    BOOST_TEST(database.value("SELECT attempts FROM dormouse.runs") == "2");
}

BOOST_AUTO_TEST_CASE(one_that_has_ended_already_ends_the_worker_at_once) {
    const std::string ours = enqueue("'echo'");
    database.exec("UPDATE dormouse.runs SET status = 'canceled'");
    BOOST_TEST(worker({"--run", ours}).exit_code == 11);
    BOOST_TEST(worker({"--run", Uuid::random().to_string()}).exit_code == 4);
}

BOOST_AUTO_TEST_CASE(it_ends_when_somebody_ends_the_run_while_its_handler_is_at_work) {
    const std::string ours = enqueue("'hold'");
    Process process(program({"--run", ours}));
    BOOST_TEST_REQUIRE(until([&] { return tasks.started().size() == 1; }));
    database.exec("UPDATE dormouse.runs SET status = 'completed'");
    BOOST_TEST(process.wait().exit_code == 0);
    BOOST_TEST(!process_lives(tasks.processes().front()));
}

BOOST_AUTO_TEST_CASE(it_ends_when_somebody_ends_a_run_that_waits) {
    const std::string ours = enqueue("'echo', delay => interval '1 hour'");
    Process process(program({"--run", ours}));
    BOOST_TEST_REQUIRE(until([&] { return database.value("SELECT watched FROM dormouse.runs") == "t"; }));
    database.exec("UPDATE dormouse.runs SET status = 'canceled'");
    BOOST_TEST(process.wait().exit_code == 11);
}

BOOST_AUTO_TEST_CASE(it_ends_when_somebody_deletes_a_run_that_waits_or_is_at_work) {
    for (const std::string removal : {"DELETE FROM", "TRUNCATE"}) {
        const std::string waits = enqueue("'echo', delay => interval '1 hour'");
        Process waiting(program({"--run", waits}));
        BOOST_TEST_REQUIRE(until([&] { return database.value("SELECT watched FROM dormouse.runs") == "t"; }));
        database.exec(removal + " dormouse.runs");
        BOOST_TEST(waiting.wait().exit_code == 4);
    }

    const std::string works = enqueue("'hold'");
    Process working(program({"--run", works}));
    BOOST_TEST_REQUIRE(until([&] { return tasks.started().size() == 1; }));
    database.exec("DELETE FROM dormouse.runs");
    BOOST_TEST(working.wait().exit_code == 4);
    BOOST_TEST(!process_lives(tasks.processes().front()));
}

BOOST_AUTO_TEST_CASE(one_that_is_parked_is_waited_for_until_somebody_gives_it_a_time) {
    const std::string ours = enqueue("'echo', run_at => 'infinity'");
    BOOST_TEST(worker({"--run", ours, "--timeout", "1s"}).exit_code == 5);
    Process process(program({"--run", ours}));
    BOOST_TEST_REQUIRE(until([&] { return database.value("SELECT watched FROM dormouse.runs") == "t"; }));
    database.exec("UPDATE dormouse.runs SET run_at = now()");
    BOOST_TEST(process.wait().exit_code == 0);
}

BOOST_AUTO_TEST_CASE(it_ends_when_another_worker_completes_the_run) {
    const std::string ours = enqueue("'hold'");
    Process other(program({"--max-runs", "1"}));
    BOOST_TEST_REQUIRE(until([&] { return tasks.started().size() == 1; }));
    Process process(program({"--run", ours}));
    BOOST_TEST_REQUIRE(until([&] { return database.value("SELECT watched FROM dormouse.runs") == "t"; }));
    tasks.release();
    BOOST_TEST(process.wait().exit_code == 0);
    BOOST_TEST(other.wait().exit_code == 0);
    BOOST_TEST(tasks.started().size() == 1U);
}

BOOST_AUTO_TEST_CASE(drain_ends_when_nothing_is_due_and_leaves_what_is_put_off) {
    database.exec("SELECT count(dormouse.enqueue('echo')) FROM generate_series(1, 20)");
    const std::string later = enqueue("'echo', delay => interval '1 hour'");
    BOOST_TEST(worker({"--drain"}).exit_code == 0);
    BOOST_TEST(database.value("SELECT count(*) FROM dormouse.runs WHERE status = 'completed'") == "20");
    BOOST_TEST(status(later) == "queued");
    BOOST_TEST(worker({"--drain"}).exit_code == 0);
}

BOOST_AUTO_TEST_CASE(so_many_attempts_are_made_and_no_more_are_claimed) {
    database.exec("SELECT count(dormouse.enqueue('echo')) FROM generate_series(1, 5)");
    BOOST_TEST(worker({"--max-runs", "3"}).exit_code == 0);
    BOOST_TEST(database.value("SELECT count(*) FROM dormouse.runs WHERE status = 'completed'") == "3");
    BOOST_TEST(database.value("SELECT count(*) FROM dormouse.attempts") == "3");
}

BOOST_AUTO_TEST_CASE(when_the_time_is_over_the_run_goes_back_uncounted) {
    const std::string ours = enqueue("'hold'");
    BOOST_TEST(worker({"--run", ours, "--timeout", "1s"}).exit_code == 5);
    BOOST_TEST(status(ours) == "queued");
    BOOST_TEST(database.value("SELECT attempts FROM dormouse.runs") == "0");
    BOOST_TEST(!process_lives(tasks.processes().front()));
}

BOOST_AUTO_TEST_CASE(told_to_stop_before_it_is_done_it_says_so_and_the_run_goes_back) {
    write("concurrency = 2\nshutdown_grace = \"100ms\"");
    const std::string ours = enqueue("'hold'");
    std::size_t starts = 0;
    for (const std::vector<std::string>& errand : std::vector<std::vector<std::string>>{
             {"--run", ours}, {"--drain"}, {"--max-runs", "1"}, {"--timeout", "20s"}, {}})
        for (const int signal : {SIGTERM, SIGINT}) {
            Process process(program(errand));
            BOOST_TEST_REQUIRE(until([&] { return tasks.started().size() > starts; }));
            ++starts;
            process.signal(signal);
            const Ended ended = process.wait();
            BOOST_TEST(ended.exit_code == (errand.empty() ? 0 : 16), (errand.empty() ? "plain" : errand[0]));
            BOOST_TEST(status(ours) == "queued");
        }
    Process process(program({"--drain", "--database-url", "postgresql:///nobody?host=" + directory.path()}));
    BOOST_TEST_REQUIRE(process.saw_error("database_lost"));
    process.signal(SIGTERM);
    BOOST_TEST(process.wait().exit_code == 16);
}

BOOST_AUTO_TEST_CASE(told_to_stop_while_its_run_ends_it_says_how_that_ended) {
    for (const auto& [handler, code] : {std::pair{0, 0}, {1, 3}}) {
        const std::string ours = enqueue("'hold', max_attempts => 1");
        const std::size_t before = tasks.started().size();
        Process process(program({"--run", ours}));
        BOOST_TEST_REQUIRE(until([&] { return tasks.started().size() > before; }));
        database.exec("UPDATE dormouse.runs_live SET watched = false");  // nobody tells it
        process.signal(SIGTERM);
        tasks.release(handler);
        BOOST_TEST(process.wait().exit_code == code);
        BOOST_TEST(status(ours) == (code == 0 ? "completed" : "failed"));
    }
}

BOOST_AUTO_TEST_CASE(one_that_waits_is_waited_for_where_the_pool_exits_when_it_is_idle) {
    write("idle_exit = \"1s\"\nlook_exit = \"1s\"");
    const std::string ours = enqueue("'echo', delay => interval '3 seconds'");
    BOOST_TEST(worker({"--run", ours}).exit_code == 0);
    BOOST_TEST(status(ours) == "completed");
}

BOOST_AUTO_TEST_CASE(one_whose_task_this_pool_does_not_have_goes_back_as_it_was_and_ends_it) {
    const std::string ours = enqueue("'theirs', queue => 'elsewhere'");
    const std::string as_it_was = "SELECT (run_at, attempts, status, worker) FROM dormouse.runs";
    const std::string before = database.value(as_it_was);
    const Ended ended = worker({"--run", ours, "--timeout", "10s"});
    BOOST_TEST(ended.exit_code == 9);
    BOOST_TEST(ended.err.find("theirs: this worker has no such task") != std::string::npos, ended.err);
    BOOST_TEST(ended.err.find("add [task.theirs] to " + file) != std::string::npos, ended.err);
    BOOST_TEST(database.value(as_it_was) == before);
    BOOST_TEST(database.value("SELECT count(*) FROM dormouse.attempts") == "1");
}

BOOST_AUTO_TEST_CASE(it_ends_at_once_if_there_is_no_configuration_that_it_can_use) {
    const auto ends = [&](const std::vector<std::string>& errand, const std::string& why) {
        const Ended ended = worker(errand);
        BOOST_TEST(ended.exit_code == 9, why << ": " << ended.exit_code);
        BOOST_TEST(ended.err.find("configuration") != std::string::npos, ended.err);
    };
    for (const std::vector<std::string>& errand : std::vector<std::vector<std::string>>{
             {"--drain"}, {"--run", Uuid::random().to_string()}, {"--max-runs", "1"}, {"--timeout", "20s"}}) {
        write("concurrency = 2\nno_such_key = 1");
        ends(errand, "an unknown option");
        write("concurrency = \"many");
        ends(errand, "no TOML");
        std::filesystem::remove(file);
        ends(errand, "no file");
        std::filesystem::create_directory(file);
        ends(errand, "a directory");
        std::filesystem::remove(file);
    }
}

BOOST_AUTO_TEST_CASE(its_time_is_over_without_a_database_too) {
    BOOST_TEST(worker({"--drain", "--timeout", "1s", "--database-url", "postgresql:///nobody?host=" + directory.path()})
                   .exit_code == 5);
}

BOOST_AUTO_TEST_CASE(what_handlers_are_given_selects_nothing_and_a_wrong_id_is_refused) {
    const std::string ours = enqueue("'echo'");
    BOOST_TEST(worker({"--drain"}, {{"DORMOUSE_RUN_ID", Uuid::random().to_string()}}).exit_code == 0);
    BOOST_TEST(status(ours) == "completed");
    BOOST_TEST(worker({"--run", "17"}).exit_code == 2);
    BOOST_TEST(worker({}, {{"RUN_FILTER_ID", "17"}}).exit_code == 2);
}

BOOST_AUTO_TEST_SUITE_END()
