// dormouse cancel, retry and archive, as programs, while nobody and while a real worker is at work.
#include <sys/socket.h>

#include <boost/test/unit_test.hpp>
#include <fstream>
#include <nlohmann/json.hpp>

#include "support/paths.h"
#include "support/pool_bench.h"
#include "support/process.h"

BOOST_AUTO_TEST_SUITE(cli_operations, *boost::unit_test::precondition(dormouse::testing::has_postgres))

using namespace dormouse;
using namespace dormouse::testing;
using nlohmann::json;

namespace {

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

struct Fixture {
    TestDatabase database;
    TemporaryDirectory directory;

    Ended cli(std::vector<std::string> arguments, const std::string& user = "postgres") {
        return run(cli_program(std::move(arguments), {{"DATABASE_URL", database.url(user)},
                                                      {"DORMOUSE_CONFIG_DIR", directory.path()},
                                                      {"DORMOUSE_PATHS_RUNTIME_DIRECTORY", directory.path()}}));
    }
    std::string out(std::vector<std::string> arguments) {
        const Ended ended = cli(std::move(arguments));
        BOOST_TEST(ended.exit_code == 0, ended.err);
        return ended.out;
    }
    std::string enqueue(const std::string& task = "t") {
        return database.value("SELECT dormouse.enqueue('" + task + "')");
    }
    std::string status(const std::string& id) {
        return database.value("SELECT status FROM dormouse.runs WHERE id = $1", {id});
    }
    std::string count(const std::string& status) {
        return database.value("SELECT count(*) FROM dormouse.runs WHERE status = $1", {status});
    }
    void many(int runs, const std::string& status = "queued", const std::string& task = "t") {
        database.exec("INSERT INTO dormouse.runs (task) SELECT '" + task + "' FROM generate_series(1, " +
                      std::to_string(runs) + ")");
        database.exec("UPDATE dormouse.runs SET status = '" + status + "' WHERE task = '" + task + "'");
    }
};

/// A worker in this process, with one run that holds.
struct Live : Fixture {
    PoolBench bench{database.url(),
                    {.rest = "[task.tree]\ncommand = [\"/bin/sh\", \"-c\", \"sleep 1000 & echo $! >" +
                             directory.path() + "/grandchild; echo $$ >" + directory.path() + "/child; wait\"]"}};

    std::string start(const std::string& task) {
        const std::size_t before = bench.tasks().started().size();
        const std::string id = enqueue(task);
        BOOST_TEST_REQUIRE(bench.until([&] { return bench.tasks().started().size() > before; }));
        return id;
    }
    bool gone(std::size_t which) {
        return bench.until([&] { return !process_lives(bench.tasks().processes().at(which)); });
    }
    int number_in(const std::string& name) const {
        std::ifstream file(directory.path() + "/" + name);
        int number = 0;
        file >> number;
        return number;
    }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(cancel_ends_the_whole_tree_of_a_running_handler, Live) {
    const std::string id = enqueue("tree");
    BOOST_TEST_REQUIRE(bench.until([&] { return number_in("child") != 0; }));
    const int child = number_in("child");
    const int grandchild = number_in("grandchild");
    BOOST_TEST(process_lives(grandchild));
    BOOST_TEST(
        has(out({"cancel", id, "--reason", "wrong file"}), "canceled: it was running, its handler is being ended"));
    BOOST_TEST(bench.until([&] { return !process_lives(child) && !process_lives(grandchild); }));
    BOOST_TEST(bench.until_idle());
    BOOST_TEST(status(id) == "canceled");
    BOOST_TEST(database.value("SELECT error ->> 'message' FROM dormouse.runs") == "canceled by postgres: wrong file");
    BOOST_TEST(database.value("SELECT string_agg(outcome, ' ') FROM dormouse.attempts") == "canceled");
}

BOOST_FIXTURE_TEST_CASE(cancel_ends_a_stubborn_handler_too, Live) {
    const std::string id = start("stubborn");
    out({"cancel", id});
    const auto begin = BootClock::now();
    BOOST_TEST(gone(0));
    BOOST_TEST_MESSAGE("a stubborn handler was gone after "
                       << std::chrono::duration_cast<Millis>(BootClock::now() - begin).count() << " ms (aim: 10000)");
    BOOST_TEST(bench.until_idle());
    BOOST_TEST(status(id) == "canceled");
}

BOOST_FIXTURE_TEST_CASE(a_result_that_comes_after_a_cancel_and_a_retry_is_refused, Live) {
    const std::string id = start("stubborn");
    out({"cancel", id});
    BOOST_TEST(has(out({"retry", id}), "queued: it was canceled"));
    bench.tasks().release();  // the first handler ends as if all were well
    BOOST_TEST(bench.until([&] { return bench.tasks().started().size() == 2; }));
    BOOST_TEST(status(id) == "running");
    bench.tasks().release();
    BOOST_TEST(bench.until([&] { return status(id) == "completed"; }));
    BOOST_TEST(
        database.value("SELECT string_agg(outcome, ' ' ORDER BY attempt) FROM dormouse.attempts WHERE outcome <> "
                       "'not_started'") == "canceled completed");
}

BOOST_FIXTURE_TEST_CASE(archive_cancels_a_running_run_and_hides_it, Live) {
    const std::string id = start("hold");
    BOOST_TEST(has(out({"archive", id}), "was running and is canceled"));
    BOOST_TEST(gone(0));
    BOOST_TEST(out({"runs"}) == "no runs\n");
    BOOST_TEST(has(out({"runs", "--archived"}), id));
    BOOST_TEST(has(out({"show", id}), "archived"));
    out({"retry", id});
    BOOST_TEST(bench.until([&] { return bench.tasks().started().size() == 2; }));
    BOOST_TEST(has(out({"runs"}), id));
}

BOOST_FIXTURE_TEST_CASE(retry_refuses_a_running_run_and_starts_a_failed_one, Live) {
    const std::string running = start("hold");
    const Ended refused = cli({"retry", running});
    BOOST_TEST(refused.exit_code == 2);
    BOOST_TEST(has(refused.err, "refused: it is running; cancel it first"), refused.err);
    const std::string failed = enqueue("fail");
    BOOST_TEST(bench.until([&] { return status(failed) == "failed"; }));
    out({"retry", failed});
    BOOST_TEST(bench.until([&] {
        return status(failed) == "failed" &&
               database.value("SELECT count(*) FROM dormouse.attempts WHERE run_id = $1", {failed}) == "4";
    }));
}

BOOST_FIXTURE_TEST_CASE(retry_wakes_the_pool_that_serves_the_queue, Fixture) {
    std::ofstream(directory.path() + "/here.toml") << "[database]\nurl = \"" << database.url() << "\"\n";
    const UniqueFd bell = listen_at(directory.path() + "/here.sock");
    const std::string id = enqueue();
    out({"cancel", id});
    BOOST_TEST(::accept(bell.get(), nullptr, nullptr) < 0);
    const Ended again = cli({"retry", id});
    BOOST_TEST(has(again.err, "rang pool here"), again.err);
    const UniqueFd ring(::accept(bell.get(), nullptr, nullptr));
    BOOST_TEST(ring.valid());
}

BOOST_FIXTURE_TEST_CASE(what_was_retried_before_an_error_is_told_and_rung_all_the_same, Fixture) {
    std::ofstream(directory.path() + "/here.toml") << "[database]\nurl = \"" << database.url() << "\"\n";
    const UniqueFd bell = listen_at(directory.path() + "/here.sock");
    const std::string id = enqueue();
    out({"cancel", id});
    database.exec(
        "INSERT INTO dormouse.runs (id, task) VALUES ('11111111-0000-4000-8000-000000000001', 't'),"
        " ('11111111-0000-4000-8000-000000000002', 't')");
    const Ended ended = cli({"retry", id, "11111111"});
    BOOST_TEST(ended.exit_code == 2);
    BOOST_TEST(has(ended.out, "run " + id + " queued"), ended.out);
    BOOST_TEST(has(ended.err, "several begin like this"), ended.err);
    BOOST_TEST(has(ended.err, "rang pool here"), ended.err);
    const UniqueFd ring(::accept(bell.get(), nullptr, nullptr));
    BOOST_TEST(ring.valid());
}

BOOST_FIXTURE_TEST_CASE(ids_that_are_wrong_old_or_forged_change_nothing, Fixture) {
    const std::string done = enqueue();
    database.exec("UPDATE dormouse.runs SET status = 'completed', result = '1'");
    const Ended old = cli({"cancel", done});
    BOOST_TEST(old.exit_code == 0);
    BOOST_TEST(has(old.out, "unchanged: it is completed already"), old.out);
    const std::string before = database.value("SELECT md5(string_agg(r::text, '')) FROM dormouse.runs r");
    for (const char* const command : {"cancel", "retry", "archive"}) {
        BOOST_TEST(cli({command, "00000000-0000-4000-8000-00000000dead"}).exit_code == 4, command);
        BOOST_TEST(cli({command, "00000000"}).exit_code == 4, command);
        BOOST_TEST(cli({command, "0000"}).exit_code == 2, command);
        BOOST_TEST(cli({command, "'; DROP TABLE dormouse.runs; --"}).exit_code == 2, command);
        BOOST_TEST(cli({command, "\x1b[2J"}).exit_code == 2, command);
        BOOST_TEST(cli({command}).exit_code == 2, command);
        BOOST_TEST(cli({command, done, "--task", "t"}).exit_code == 2, command);
        BOOST_TEST(cli({command, "--older", "yesterday"}).exit_code == 2, command);
        BOOST_TEST(has(cli({command, "--status", "error"}).err, "did you mean failed?"), command);
    }
    BOOST_TEST(database.value("SELECT md5(string_agg(r::text, '')) FROM dormouse.runs r") == before);
}

BOOST_FIXTURE_TEST_CASE(several_ids_are_told_one_by_one_and_the_first_trouble_is_the_exit_code, Fixture) {
    const std::string first = enqueue();
    const std::string last = enqueue();
    const Ended ended = cli({"cancel", first, "00000000-0000-4000-8000-00000000dead", last.substr(0, 30), "--json"});
    BOOST_TEST(ended.exit_code == 4);
    const json document = json::parse(ended.out);
    BOOST_TEST(document.at("runs").at(0).at("outcome") == "canceled");
    BOOST_TEST(document.at("runs").at(1).at("outcome") == "unknown");
    BOOST_TEST(document.at("runs").at(2).at("id") == last);
    BOOST_TEST(count("canceled") == "2");
}

BOOST_FIXTURE_TEST_CASE(a_dry_run_says_what_would_be_and_changes_nothing, Fixture) {
    const std::string id = enqueue();
    many(3, "failed", "f");
    BOOST_TEST(has(out({"cancel", id, "--dry-run"}), "would be canceled: it was queued"));
    BOOST_TEST(has(out({"cancel", "--task", "t", "--dry-run"}), "would cancel 1 run; nothing was changed"));
    const std::string retry = out({"retry", "--status", "failed", "--dry-run"});
    BOOST_TEST(has(retry, "would retry 3 runs"), retry);
    BOOST_TEST(has(out({"archive", "--status", "failed", "--limit", "2", "--dry-run"}), "would archive 2 runs"));
    BOOST_TEST(json::parse(out({"retry", "--task", "f", "--dry-run", "--json"})).at("matching") == 3);
    BOOST_TEST(count("queued") == "1");
    BOOST_TEST(count("failed") == "3");
    BOOST_TEST(database.value("SELECT count(archived_at) FROM dormouse.runs") == "0");
}

BOOST_FIXTURE_TEST_CASE(with_a_filter_and_nobody_to_ask_yes_is_needed, Fixture) {
    many(3);
    const Ended asked = cli({"cancel", "--task", "t"});
    BOOST_TEST(asked.exit_code == 2);
    BOOST_TEST(has(asked.err, "cancel 3 runs: no terminal to ask for confirmation; add --yes"), asked.err);
    BOOST_TEST(count("queued") == "3");
    BOOST_TEST(has(out({"cancel", "--task", "t", "--yes"}), "3 runs canceled"));
    BOOST_TEST(out({"cancel", "--task", "t", "--yes"}) == "no runs\n");
}

BOOST_FIXTURE_TEST_CASE(an_age_as_filter_leaves_younger_runs_alone, Fixture) {
    const std::string old = enqueue();
    const std::string young = enqueue();
    database.exec("UPDATE dormouse.runs_live SET created_at = now() - CASE WHEN id = '" + old +
                  "' THEN interval '61 minutes' ELSE interval '59 minutes' END");
    BOOST_TEST(has(out({"cancel", "--older", "1h", "--dry-run"}), "would cancel 1 run;"));
    BOOST_TEST(count("queued") == "2");
    out({"cancel", "--older", "1h", "--yes"});
    BOOST_TEST(status(old) == "canceled");
    BOOST_TEST(status(young) == "queued");
    database.exec("UPDATE dormouse.runs_live SET created_at = now() - interval '61 minutes'");
    out({"cancel", "--older", "1h", "--yes"});
    BOOST_TEST(status(young) == "canceled");
}

BOOST_FIXTURE_TEST_CASE(a_terminal_is_asked, Fixture) {
    many(2);
    const auto typed = [&](const std::string& answer) {
        // script(1) gives the program a terminal
        return run(
            {{"/usr/bin/script", "-qec",
              dormouse_binary + std::string(" cancel --task t --database-url '") + database.url() + "'", "/dev/null"},
             answer + "\n",
             {},
             {}});
    };
    const Ended no = typed("n");
    BOOST_TEST(has(no.out, "cancel 2 runs? [y/N]"), no.out);
    BOOST_TEST(no.exit_code == 2);
    BOOST_TEST(count("queued") == "2");
    BOOST_TEST(typed("y").exit_code == 0);
    BOOST_TEST(count("canceled") == "2");
}

BOOST_FIXTURE_TEST_CASE(thousands_go_in_portions_and_a_limit_is_kept, Fixture) {
    many(2'500, "failed");
    const json some = json::parse(out({"retry", "--task", "t", "--limit", "1200", "--yes", "--json"}));
    BOOST_TEST(some.at("matching") == 2'500);
    BOOST_TEST(some.at("changed") == 1'200);
    BOOST_TEST(count("queued") == "1200");
    BOOST_TEST(json::parse(out({"cancel", "--task", "t", "--yes", "--json"})).at("changed") == 1'200);
    BOOST_TEST(json::parse(out({"archive", "--task", "t", "--yes", "--json"})).at("changed") == 2'500);
    BOOST_TEST(json::parse(out({"retry", "--status", "failed", "--yes", "--json"})).at("matching") == 0);
}

BOOST_FIXTURE_TEST_CASE(rows_that_somebody_has_locked_are_told_and_not_waited_for, Fixture) {
    many(3);
    auto somebody = database.connect();
    BOOST_REQUIRE(somebody
                      .script("",
                              "BEGIN; SELECT FROM dormouse.runs WHERE id = (SELECT min(id::text)::uuid FROM "
                              "dormouse.runs) FOR UPDATE")
                      .has_value());
    const std::string id = database.value("SELECT min(id::text) FROM dormouse.runs");
    const Ended one = cli({"cancel", id});
    BOOST_TEST(one.exit_code == 6);
    BOOST_TEST(has(one.err, "locked: somebody is at work on this row"), one.err);
    const Ended all = cli({"cancel", "--task", "t", "--yes"});
    BOOST_TEST(all.exit_code == 6);
    BOOST_TEST(has(all.out, "2 runs canceled"), all.out);
    BOOST_TEST(has(all.err, "1 run left alone: their rows are locked"), all.err);
}

BOOST_FIXTURE_TEST_CASE(a_producer_may_cancel_and_retry_what_it_can_name, Fixture) {
    apply_roles(database);
    database.exec("DROP ROLE IF EXISTS app; CREATE ROLE app LOGIN IN ROLE dormouse_producer");
    const std::string id = enqueue();
    BOOST_TEST(cli({"cancel", id}, "app").exit_code == 0);
    BOOST_TEST(status(id) == "canceled");
    BOOST_TEST(cli({"retry", id}, "app").exit_code == 0);
    BOOST_TEST(status(id) == "queued");
    const Ended archive = cli({"archive", id}, "app");
    BOOST_TEST(archive.exit_code == 7);
    BOOST_TEST(has(archive.err, "needs dormouse_operator"), archive.err);
    BOOST_TEST(cli({"cancel", id.substr(0, 12)}, "app").exit_code == 7);
    BOOST_TEST(cli({"cancel", "--task", "t", "--yes"}, "app").exit_code == 7);
    BOOST_TEST(status(id) == "queued");
    database.exec("DROP OWNED BY app; DROP ROLE app");
}

BOOST_AUTO_TEST_SUITE_END()
