// `dormouse worker --check`, as a program: what each mistake ends with, and that nothing is run while a run is due.
#include <sys/stat.h>

#include <boost/test/unit_test.hpp>
#include <csignal>
#include <fstream>
#include <nlohmann/json.hpp>

#include "support/paths.h"
#include "support/pool_bench.h"
#include "support/process.h"

namespace cli_check {

using dormouse::Millis;
using namespace dormouse::testing;
using nlohmann::json;

namespace {

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

/// A run is due, and each pool here would execute it.
struct Fixture {
    TestDatabase database;
    PoolTasks tasks;
    TemporaryDirectory directory;

    Fixture() { database.exec("SELECT dormouse.enqueue('echo')"); }

    Ended check(const std::string& toml, bool as_json = false) const {
        const std::string file = directory.path() + "/p.toml";
        std::ofstream(file) << toml;
        std::vector<std::string> argv{dormouse_binary, "worker", "p", "--check", "--config", file};
        if (as_json) argv.emplace_back("--json");
        return run({argv, {}, {}, {}});
    }
    [[nodiscard]] std::string file(const PoolBenchOptions& options = {}) const {
        return pool_toml(database.url(), options, tasks);
    }
    void fails(const std::string& toml, int exit_code, const std::vector<std::string>& words, const std::string& step) {
        for (const bool as_json : {false, true}) {
            const Ended ended = check(toml, as_json);
            BOOST_TEST(ended.exit_code == exit_code, ended.err);
            for (const std::string& word : words) BOOST_TEST(has(ended.err, word), word << " is not in " << ended.err);
            BOOST_TEST(std::count(ended.err.begin(), ended.err.end(), '\n') == 1, ended.err);
            if (!as_json) continue;
            const json document = json::parse(ended.out);
            BOOST_TEST(document.at("ok") == false);
            BOOST_TEST(document.at("checks").back().at("check") == step);
            BOOST_TEST(document.at("checks").back().at("ok") == false);
            BOOST_TEST(has(document.at("checks").back().at("text"), words.front()), ended.out);
        }
    }
    bool nothing_was_run() {
        return database.value("SELECT status || ' ' || attempts FROM dormouse.runs") == "queued 0" &&
               database.value("SELECT count(*) FROM dormouse.worker_registry") == "0";
    }
};

}  // namespace

}  // namespace cli_check

BOOST_FIXTURE_TEST_SUITE(cli_check, Fixture, *boost::unit_test::precondition(has_postgres))

BOOST_AUTO_TEST_CASE(a_pool_that_could_work_is_told_step_by_step_and_nothing_is_run) {
    tasks.make_ghost();
    const Ended ended = check(file());
    BOOST_TEST(ended.exit_code == 0, ended.err);
    for (const char* step :
         {"configuration  ok: ", "database       ok: ", "task echo      ok: ", "handlers       ok: 6 tasks"})
        BOOST_TEST(has(ended.out, step), step << " is not in " << ended.out);
    const json document = json::parse(check(file(), true).out);
    BOOST_TEST(document.at("pool") == "p");
    BOOST_TEST(document.at("ok") == true);
    BOOST_TEST(document.at("checks").size() == 9U);
    BOOST_TEST(document.at("warnings").is_array());
    BOOST_TEST(nothing_was_run());
}

BOOST_AUTO_TEST_CASE(a_wrong_key_is_told_with_its_line) {
    fails(file({.worker = "concurency = 2"}), 9, {"p.toml:5", "concurrency"}, "configuration");
    BOOST_TEST(nothing_was_run());
}

BOOST_AUTO_TEST_CASE(a_database_without_the_schema_is_told_with_the_command_that_makes_it) {
    const TestDatabase empty(TestDatabase::Schema::none);
    fails(pool_toml(empty.url(), {}, tasks), 8, {"dormouse migrate"}, "database");
}

BOOST_AUTO_TEST_CASE(a_database_nobody_answers_for_is_told) {
    fails(pool_toml("postgresql:///none?host=" + directory.path(), {}, tasks), 6, {directory.path()}, "database");
}

BOOST_AUTO_TEST_CASE(a_handler_that_could_not_be_started_is_told_with_its_task) {
    fails(file(), 9, {"task ghost", "does not exist"}, "handlers");  // its program has not been made
    tasks.make_ghost();
    BOOST_TEST_REQUIRE(::chmod((tasks.directory() + "/ghost").c_str(), 0644) == 0);
    fails(file(), 9, {"task ghost", "is not executable"}, "handlers");
    BOOST_TEST(nothing_was_run());
}

BOOST_AUTO_TEST_CASE(every_task_is_tried_and_warm_ones_say_hello) {
    tasks.make_ghost();
    const std::string more =
        "[task.absent]\ncommand = [\"/nowhere/x\"]\n[task.silent]\nhandler = \"warm\"\ncommand = [\"true\"]\n";
    fails(file() + more, 9,
          {"2 of 8 tasks cannot be started", "task absent: command /nowhere/x does not exist",
           "task silent: true ended before its hello: exit 0"},
          "handlers");
    const json document = json::parse(check(file() + more, true).out);
    std::map<std::string, bool> ok;
    for (const json& step : document.at("checks")) ok[step.at("check")] = step.at("ok");
    BOOST_TEST(ok.size() == 11U);
    BOOST_TEST(ok.at("task echo"));
    BOOST_TEST(!ok.at("task absent"));
    BOOST_TEST(!ok.at("task silent"));
    BOOST_TEST(nothing_was_run());
}

BOOST_AUTO_TEST_CASE(a_pool_without_a_task_is_refused) {
    fails("[database]\nurl = \"" + database.url() + "\"\n", 9, {"p.toml: pool \"p\" has no task", "[task.NAME]"},
          "configuration");
}

BOOST_AUTO_TEST_CASE(notifications_that_come_with_the_answer_to_listen_are_passed_over) {
    tasks.make_ghost();
    const Process noise(
        {{"psql", "-qAtX", database.url(), "-c",
          "DO $$ BEGIN FOR i IN 1..2000000 LOOP PERFORM pg_notify(dormouse.channel('queue:default'), 'arrived'), "
          "pg_notify(dormouse.channel('queue:default'), i::text); COMMIT; END LOOP; END $$"},
         {},
         {},
         {},
         Millis{120'000}});
    for (int i = 0; i < 20; ++i) {
        const Ended ended = check(file());
        BOOST_TEST_REQUIRE(ended.exit_code == 0, ended.err);
    }
}

BOOST_AUTO_TEST_CASE(json_is_for_the_check_alone) {
    const Ended ended = run({{dormouse_binary, "worker", "--json"}, {}, {}, {}});
    BOOST_TEST(ended.exit_code == 2);
    BOOST_TEST(has(ended.err, "--check"), ended.err);
}

BOOST_AUTO_TEST_CASE(a_login_that_is_no_workers_is_refused_with_where_it_comes_from_and_what_it_lacks) {
    tasks.make_ghost();
    apply_roles(database);
    const std::string login = "check_" + database.name();
    database.exec("CREATE ROLE " + login + " LOGIN IN ROLE dormouse_reader");
    const std::string path = directory.path() + "/p.toml";
    std::ofstream(path) << file();
    const std::map<std::string, std::string> environment{{"DATABASE_URL", database.url(login)}};
    const auto with = [&](std::vector<std::string> more) {
        std::vector<std::string> all{dormouse_binary, "worker", "p", "--config", path};
        all.insert(all.end(), more.begin(), more.end());
        return Program{all, {}, environment, {}};
    };
    const Ended ended = run(with({"--check"}));
    BOOST_TEST(ended.exit_code == 7, ended.err);
    BOOST_TEST(has(ended.err, "login " + login +
                                  " (environment DATABASE_URL) may not do what a worker does: GRANT dormouse_worker "
                                  "TO " +
                                  login),
               ended.err);
    Process worker(with({}));
    BOOST_TEST(worker.saw_error("does the login lack the role dormouse_worker? dormouse worker --check tells"));
    database.exec("GRANT dormouse_worker TO " + login);
    BOOST_TEST(run(with({"--check"})).exit_code == 0);
    worker.signal(SIGTERM);
    static_cast<void>(worker.wait());
    database.exec("DROP OWNED BY " + login + "; DROP ROLE " + login);
}

BOOST_AUTO_TEST_CASE(what_a_flag_says_wrongly_ends_a_foreground_worker_at_once) {
    const std::string path = directory.path() + "/p.toml";
    std::ofstream(path) << file();
    for (const char* const set : {"worker.concurency=2", "worker.concurrency=many"}) {
        const Ended ended = run({{dormouse_binary, "worker", "p", "--config", path, "--set", set}, {}, {}, {}});
        BOOST_TEST(ended.exit_code == 9, ended.err);
        BOOST_TEST(has(ended.err, "worker.concur"), ended.err);
    }
    const Ended ended =
        run({{dormouse_binary, "worker", "p", "--config", path}, {}, {{"DORMOUSE_WORKER_CONCURRENCY", "many"}}, {}});
    BOOST_TEST(ended.exit_code == 9, ended.err);
}

BOOST_AUTO_TEST_SUITE_END()
