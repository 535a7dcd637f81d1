// libdormouse through its public headers alone, on a real Postgres: what becomes of runs that are functions.
#include <dormouse/typed.h>
#include <dormouse/worker.h>

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <condition_variable>
#include <csignal>
#include <mutex>
#include <regex>
#include <thread>

#include "support/bare_database.h"

namespace embed {

using namespace std::chrono_literals;
using dormouse::Result;
using dormouse::Run;
using dormouse::testing::BareDatabase;
using dormouse::testing::Outside;
using dormouse::testing::soon;

namespace {

struct Pair {
    int a = 0;
    int b = 0;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Pair, a, b)

struct Scene {
    BareDatabase database;
    std::mutex mutex;
    std::vector<std::string> log;

    dormouse::Config config(const std::string& toml = "") {
        return {.pool = "embedded",
                .file = database.file(toml),
                .least = dormouse::Level::debug,
                .log = [this](const dormouse::LogEvent& event) {
                    const std::lock_guard lock(mutex);
                    log.push_back(std::string(event.name) + ": " + std::string(event.text));
                }};
    }
    bool logged(const std::string& text) {
        const std::lock_guard lock(mutex);
        return std::any_of(log.begin(), log.end(),
                           [&](const std::string& line) { return line.find(text) != std::string::npos; });
    }
    std::string ended(const std::string& id) {
        BOOST_TEST(soon([&] {
            const std::string status = database.run(id, "status");
            return status == "completed" || status == "failed";
        }));
        return database.run(id, "status");
    }
};

}  // namespace

}  // namespace embed

BOOST_FIXTURE_TEST_SUITE(embed, Scene, *boost::unit_test::precondition(dormouse::testing::postgres_is_here))

BOOST_AUTO_TEST_CASE(a_typed_function_is_given_a_value_and_its_value_is_the_result) {
    dormouse::Worker worker{config()};
    worker.task<Pair>("sum", [](Run&, const Pair& pair) { return pair.a + pair.b; });
    worker.task<Pair>("swap", [](Run&, Pair pair) -> Result { return Result::completed(Pair{pair.b, pair.a}); });
    worker.task<nlohmann::json>("nothing", [](Run&, const nlohmann::json&) {});
    worker.start();
    const auto sum = database.enqueue("sum", R"({"a": 2, "b": 40})");
    const auto swap = database.enqueue("swap", R"({"a": 2, "b": 40})");
    const auto nothing = database.enqueue("nothing");
    BOOST_TEST(ended(sum) == "completed");
    BOOST_TEST(database.run(sum, "result") == "42");
    BOOST_TEST(ended(swap) == "completed");
    BOOST_TEST(database.run(swap, "result") == R"({"a": 40, "b": 2})");
    BOOST_TEST(ended(nothing) == "completed");
    BOOST_TEST(database.run(nothing, "result IS NULL") == "t");
    BOOST_TEST(worker.stop(20s));
}

BOOST_AUTO_TEST_CASE(a_bad_payload_fails_its_run_for_good_with_the_place_of_the_fault) {
    dormouse::Worker worker{config()};
    std::atomic<int> calls{0};
    worker.task<std::map<std::string, std::vector<Pair>>>("sum", [&](Run&, const auto&) { ++calls; });
    worker.start();
    const auto id = database.enqueue("sum", R"({"pairs": [{"a": 1, "b": 2}, {"a": 1, "b": "two"}]})");
    BOOST_TEST(ended(id) == "failed");
    BOOST_TEST(database.run(id, "attempts") == "1");
    BOOST_TEST(database.run(id, "error::text").find("/pairs/1/b: expected number, found string") != std::string::npos,
               database.run(id, "error::text"));
    BOOST_TEST(database.run(id, "error::text").find("bad_payload") != std::string::npos);
    BOOST_TEST(calls == 0);
    BOOST_TEST(worker.stop(20s));
}

BOOST_AUTO_TEST_CASE(exceptions_are_failures_with_their_type_and_are_tried_again) {
    dormouse::Worker worker{config("[task.throw]\nmax_attempts = 2\nbackoff = { base = \"1ms\", max = \"1ms\" }\n")};
    worker.task("throw",
                [](Run& run) -> Result { throw std::out_of_range("attempt " + std::to_string(run.attempt())); });
    worker.task("odd", [](Run&) -> Result { throw 7; });
    worker.task("no", [](Run&) { return Result::failed("NotFound", "no such \x01 \xff customer", true); });
    worker.start();
    const auto thrown = database.enqueue("throw");
    const auto no = database.enqueue("no");
    BOOST_TEST(ended(thrown) == "failed");
    BOOST_TEST(database.run(thrown, "attempts") == "2");
    BOOST_TEST(database.run(thrown, "error::text").find("std::out_of_range") != std::string::npos,
               database.run(thrown, "error::text"));
    BOOST_TEST(database.run(thrown, "error::text").find("attempt 2") != std::string::npos);
    BOOST_TEST(ended(no) == "failed");
    BOOST_TEST(database.run(no, "attempts") == "1");
    BOOST_TEST(database.run(no, "error::text").find("NotFound") != std::string::npos);
    const auto odd = database.enqueue("odd");
    BOOST_TEST(soon([&] { return database.run(odd, "error::text").find("\"int\"") != std::string::npos; }),
               database.run(odd, "error::text"));
    BOOST_TEST(worker.stop(20s));
}

BOOST_AUTO_TEST_CASE(not_now_comes_back_and_uses_up_no_attempt) {
    dormouse::Worker worker{config()};
    std::atomic<int> calls{0};
    worker.task("later", [&](Run& run) {
        if (++calls == 1) return Result::retry_in(20ms, "not yet");
        return Result::json(std::to_string(run.attempt()));
    });
    worker.start();
    const auto id = database.enqueue("later");
    BOOST_TEST(ended(id) == "completed");
    BOOST_TEST(database.run(id, "result") == "1");
    BOOST_TEST(calls == 2);
    BOOST_TEST(worker.stop(20s));
}

BOOST_AUTO_TEST_CASE(a_function_sees_what_it_was_given_and_its_lines_are_in_the_log) {
    dormouse::Worker worker{config("[task.look]\nmax_attempts = 9\ntimeout = \"1min\"\n")};
    std::string seen;
    worker.task("look", [&](Run& run) {
        run.log(dormouse::Level::warning, "h\u00e9 \x1b[31m\nsecond");
        run.progress(0.5, "half");
        run.heartbeat(30s);
        seen = run.id() + " " + std::string(run.task()) + " " + std::string(run.queue()) + " " +
               std::string(run.payload()) + " " + std::to_string(run.max_attempts()) + " " +
               (run.deadline() ? "deadline" : "none") + " " + std::string(run.traceparent());
        return Result::json(run.fence().find(':') == std::string_view::npos ? "false" : "true");
    });
    worker.start();
    const auto id = database.value(
        "SELECT dormouse.enqueue('look', '{\"x\": \"\\u00e4\"}', traceparent => '00-0af7651916cd43dd8448eb211c80319c-"
        "b7ad6b7169203331-01')");
    BOOST_TEST(ended(id) == "completed");
    BOOST_TEST(seen == id + " look default {\"x\": \"\u00e4\"} 9 deadline 00-0af7651916cd43dd8448eb211c80319c-"
                            "b7ad6b7169203331-01");
    BOOST_TEST(database.run(id, "result") == "true");
    BOOST_TEST(soon([&] { return logged("run_log: second"); }));
    BOOST_TEST(logged("run_log: h\u00e9 \x1b[31m"));
    BOOST_TEST(worker.stop(20s));
}

BOOST_AUTO_TEST_CASE(a_function_enqueues_with_every_member_whatever_the_names_are_made_of) {
    const std::string queue = "a \"b\" 'c' \\ {d} \u00fc \U0001f42d";
    const std::string payload = R"({"text": "'; rm -rf / # $(x)\n\u0001", "n": [1, null, 12345678901234567890]})";
    dormouse::Worker worker{config()};
    worker.task("first", [&](Run& run) {
        run.enqueue({.task = "say \"hi\"\\",
                     .payload = payload,
                     .queue = queue,
                     .priority = -7,
                     .key = "k'\"\\\u00e9",
                     .delay = 90'061'500ms,
                     .max_attempts = 3});
        run.enqueue({.task = "plain", .queue = queue});
        return Result::completed();
    });
    worker.start();
    BOOST_TEST(ended(database.enqueue("first")) == "completed");
    const auto row = [&](const std::string& task) {
        return nlohmann::json::parse(database.value(
            "SELECT json_build_array(queue, priority, key, extract(epoch FROM run_at - created_at), max_attempts, "
            "payload = '" +
            std::regex_replace(payload, std::regex("'"), "''") + "', status) FROM dormouse.runs WHERE task = '" + task +
            "'"));
    };
    BOOST_TEST(row("say \"hi\"\\") == nlohmann::json::array({queue, -7, "k'\"\\\u00e9", 90'061.5, 3, true, "queued"}));
    BOOST_TEST(row("plain") == nlohmann::json::array({queue, 0, nullptr, 0, nullptr, false, "queued"}));
    BOOST_TEST(database.value("SELECT payload FROM dormouse.runs WHERE task = 'plain'") == "{}");
    BOOST_TEST(worker.stop(20s));
}

BOOST_AUTO_TEST_CASE(a_payload_that_is_no_json_is_refused_where_it_is_enqueued) {
    dormouse::Worker worker{config("[task.careless]\nmax_attempts = 1\n")};
    std::vector<std::string> refused;
    worker.task("careful", [&](Run& run) {
        for (const char* bad :
             {"", "{", "NaN", "{} {}", "'x'", "\"\xff\"", "{},\"queue\":\"other\"", "1}, {\"task\":\"x\""}) {
            try {
                run.enqueue({.task = "next", .payload = bad});
            } catch (const std::invalid_argument& error) {
                refused.emplace_back(error.what());
            }
        }
        run.enqueue({.task = "next", .payload = "1"});  // which is none the worse
        return Result::completed();
    });
    worker.task("careless", [](Run& run) {
        run.enqueue({.task = "next", .payload = "{"});
        return Result::completed();
    });
    worker.start();
    BOOST_TEST(ended(database.enqueue("careful")) == "completed");
    BOOST_TEST(refused == std::vector<std::string>(8, "enqueue: the payload for task next is not JSON"),
               boost::test_tools::per_element());
    const auto careless = database.enqueue("careless");
    BOOST_TEST(ended(careless) == "failed");
    BOOST_TEST(database.run(careless, "error ->> 'class'") == "std::invalid_argument");
    BOOST_TEST(
        database.value("SELECT string_agg(task || payload, ' ') FROM dormouse.runs WHERE task NOT LIKE 'care%'") ==
        "next1");
    BOOST_TEST(worker.stop(20s));
}

BOOST_AUTO_TEST_CASE(what_an_attempt_enqueued_that_does_not_complete_is_never_enqueued) {
    dormouse::Worker worker{config("[task.often]\nmax_attempts = 3\nbackoff = { base = \"1ms\", max = \"1ms\" }\n")};
    int starts = 0;
    worker.task("often", [&](Run& run) -> Result {
        run.enqueue({.task = "next", .payload = std::to_string(++starts), .queue = "elsewhere"});
        if (starts == 1) throw std::runtime_error("after all");
        if (starts == 2) return Result::retry_in(1ms, "not yet");
        if (starts == 3) return Result::failed("Sad", "no");
        return Result::completed();
    });
    worker.task("never", [](Run& run) {
        run.enqueue({.task = "next", .payload = "0", .queue = "elsewhere"});
        return Result::failed("Sad", "no", true);
    });
    worker.start();
    BOOST_TEST(ended(database.enqueue("never")) == "failed");
    BOOST_TEST(ended(database.enqueue("often")) == "completed");
    BOOST_TEST(starts == 4);
    BOOST_TEST(database.value("SELECT string_agg(payload::text, ' ') FROM dormouse.runs WHERE task = 'next'") == "4");
    BOOST_TEST(worker.stop(20s));
}

BOOST_AUTO_TEST_CASE(a_run_that_is_canceled_requests_its_functions_stop) {
    dormouse::Worker worker{config()};
    std::string reason;
    std::atomic<bool> started = false;
    worker.task("long", [&](Run& run) {
        started = true;  // "running" it is already when it is claimed
        std::mutex waiting;
        std::condition_variable_any changed;
        std::unique_lock lock(waiting);
        changed.wait(lock, run.stop_token(), [] { return false; });
        reason = run.stop_reason();
        return Result::failed("stopped", "as asked");
    });
    worker.start();
    const auto id = database.enqueue("long");
    BOOST_TEST(soon([&] { return started.load(); }));
    database.value("SELECT dormouse.cancel('" + id + "')");
    BOOST_TEST(soon([&] { return logged("run_canceled"); }));
    BOOST_TEST(database.run(id, "status") == "canceled");
    BOOST_TEST(worker.stop(20s));
    BOOST_TEST(reason == "canceled");
}

BOOST_AUTO_TEST_CASE(a_table_with_a_command_for_a_registered_task_is_refused_at_the_start) {
    const auto why = [&](const std::string& toml) -> std::string {
        dormouse::Worker worker{config(toml)};
        worker.task("mine", [](Run&) { return Result::completed(); });
        try {
            worker.start();
        } catch (const std::runtime_error& error) {
            return error.what();
        }
        return "";
    };
    BOOST_TEST(why("[task.mine]\nhandler = \"in_process\"\ntimeout = \"5s\"\n") == "");
    BOOST_TEST(why("[task.mine]\nhandler = \"exec\"\ncommand = [\"/bin/true\"]\n")
                   .find("task.mine.handler: this program has a function for the task") != std::string::npos);
    BOOST_TEST(
        why("[task.mine]\ncommand = [\"/bin/true\"]\n").find("task.mine.command: the task is a function of a ") !=
        std::string::npos);
}

BOOST_AUTO_TEST_CASE(the_plain_worker_says_that_a_task_needs_its_program) {
    Outside check({dormouse::testing::the_dormouse_binary, "worker", "--check", "--config",
                   database.file("[task.mine]\nhandler = \"in_process\"\n")});
    BOOST_TEST(check.wait() != 0);
    BOOST_TEST(
        check.errors.find("task mine: handler = \"in_process\" is a function of a program that links libdormouse") !=
            std::string::npos,
        check.errors);
}

BOOST_AUTO_TEST_CASE(the_plain_worker_puts_runs_of_such_a_task_back_and_uses_up_no_attempt) {
    const auto id = database.enqueue("mine");
    Outside plain({dormouse::testing::the_dormouse_binary, "worker", "--config",
                   database.file("[task.mine]\nhandler = \"in_process\"\n")});
    BOOST_TEST(soon([&] { return database.run(id, "status") == "retry"; }));
    BOOST_TEST(database.run(id, "attempts") == "0");
    BOOST_TEST(database.run(id, "error::text").find("libdormouse") != std::string::npos,
               database.run(id, "error::text"));
    plain.terminate();
    BOOST_TEST(plain.wait() == 0);
}

BOOST_AUTO_TEST_CASE(exec_tasks_and_functions_share_a_pool) {
    dormouse::Worker worker{config("[task.cat]\ncommand = [\"/bin/cat\"]\n")};
    worker.task("mine", [](Run& run) { return Result::json(std::string(run.payload())); });
    worker.start();
    const auto cat = database.enqueue("cat", "1");
    const auto mine = database.enqueue("mine", "2");
    BOOST_TEST(ended(cat) == "completed");
    BOOST_TEST(ended(mine) == "completed");
    BOOST_TEST(worker.stop(20s));
}

BOOST_AUTO_TEST_CASE(registering_is_refused_twice_and_after_the_start) {
    dormouse::Worker worker{config()};
    worker.task("mine", [](Run&) { return Result::completed(); });
    BOOST_CHECK_THROW(worker.task("mine", [](Run&) { return Result::completed(); }), std::logic_error);
    worker.start();
    BOOST_CHECK_THROW(worker.task("other", [](Run&) { return Result::completed(); }), std::logic_error);
    BOOST_CHECK_THROW(worker.start(), std::runtime_error);
    BOOST_TEST(worker.stop(20s));
}

BOOST_AUTO_TEST_CASE(a_program_that_ignores_its_children_is_told_and_its_commands_fail_as_they_should) {
    struct Ignored {
        Ignored() { ::signal(SIGCHLD, SIG_IGN); }
        ~Ignored() { ::signal(SIGCHLD, SIG_DFL); }
    };
    const Ignored ignored;
    dormouse::Worker worker{config("[task.broken]\ncommand = [\"sh\", \"-c\", \"exit 3\"]\nmax_attempts = 1\n")};
    worker.start();
    const auto before = database.enqueue("broken");
    BOOST_TEST(ended(before) == "failed");
    BOOST_TEST(database.run(before, "error ->> 'class'") == "exit");
    BOOST_TEST(logged("configuration: SIGCHLD was ignored in this program"));
    ::signal(SIGCHLD, SIG_IGN);
    const auto after = database.enqueue("broken");
    BOOST_TEST(ended(after) == "failed");
    BOOST_TEST(database.run(after, "error ->> 'class'") == "exit_unknown");
    BOOST_TEST(worker.stop(20s));
}

BOOST_AUTO_TEST_CASE(a_program_of_functions_alone_may_ignore_its_children) {
    ::signal(SIGCHLD, SIG_IGN);
    dormouse::Worker worker{config()};
    worker.task("echo", [](Run&) { return Result::completed(); });
    worker.start();
    BOOST_TEST(ended(database.enqueue("echo")) == "completed");
    BOOST_TEST(!logged("SIGCHLD"));
    struct sigaction present{};
    ::sigaction(SIGCHLD, nullptr, &present);
    BOOST_TEST((present.sa_handler == SIG_IGN));
    ::signal(SIGCHLD, SIG_DFL);
    BOOST_TEST(worker.stop(20s));
}

BOOST_AUTO_TEST_SUITE_END()
