// What handlers say on the way: it is written with the rounds that go anyway, before the ending and in its transaction,
// once, bounded, and only while the run is this worker's.
#include <boost/test/unit_test.hpp>

#include "support/pool_bench.h"

BOOST_AUTO_TEST_SUITE(worker_said, *boost::unit_test::precondition(dormouse::testing::has_postgres))

using namespace dormouse;
using namespace dormouse::testing;

namespace {

std::string shell_task(const std::string& name, const std::string& script) {
    return "[task." + name + "]\nhandler = \"exec\"\nmax_attempts = 1\ncommand = [\"/bin/sh\", \"-c\", '''" + script +
           "''']\n";
}

/// About a thousand lines a second.
std::string flood(int lines) {
    return shell_task("flood", "i=0; while [ $i -lt " + std::to_string(lines) +
                                   " ]; do i=$((i+1)); echo \"line $i\"; [ $((i % 20)) != 0 ] || sleep 0.02; done >&2");
}

struct Scene {
    TestDatabase database;
    PoolBench bench;

    explicit Scene(const PoolBenchOptions& options) : bench(database.url(), options) {}
    std::string enqueue(const std::string& arguments) {
        return database.value("SELECT dormouse.enqueue(" + arguments + ")");
    }
    std::string column(const std::string& name, const std::string& id) {
        return database.value("SELECT " + name + " FROM dormouse.runs WHERE id = $1", {id});
    }
    bool until_status(const std::string& id, const std::string& status) {
        return bench.until([&] { return column("status", id) == status; });
    }
    std::string log(const std::string& what, const std::string& id) {
        return database.value("SELECT " + what + " FROM dormouse.logs WHERE run_id = $1", {id});
    }
    std::string texts(const std::string& id) {
        return log("string_agg(attempt || ':' || line || ':' || level || ':' || text, '|' ORDER BY attempt, line)", id);
    }
};

}  // namespace

BOOST_AUTO_TEST_CASE(lines_are_in_the_log_of_their_attempt_with_the_time_when_they_were_said) {
    Scene scene({.rest = shell_task("talk", "printf 'one\\ntwo \\001 ü\\n' >&2")});
    const std::string id = scene.enqueue("'talk'");
    BOOST_TEST(scene.until_status(id, "completed"));
    BOOST_TEST(scene.texts(id) == "1:1:info:one|1:2:info:two \x01 ü");
    BOOST_TEST(scene.log("bool_and(said_at BETWEEN now() - interval '1 min' AND now() + interval '1 min')", id) == "t");
    BOOST_TEST(scene.log("min(worker::text)", id) == scene.bench.id().to_string());
}

BOOST_AUTO_TEST_CASE(what_an_attempt_said_last_is_written_in_the_transaction_that_ends_it) {
    Scene scene({.database = "close_after = \"1h\"", .rest = shell_task("talk", "echo only >&2; exit 3")});
    const std::string id = scene.enqueue("'talk'");
    BOOST_TEST(scene.until_status(id, "failed"));
    BOOST_TEST(scene.database.value("SELECT l.xmin = f.xmin FROM dormouse.run_logs_default l, "
                                    "dormouse.runs_finished_default f WHERE l.run_id = f.id") == "t");
    BOOST_TEST(scene.texts(id) == "1:1:info:only");
}

BOOST_AUTO_TEST_CASE(the_latest_progress_is_in_the_run_s_row_and_stays_with_its_attempt) {
    Scene scene({.rest = shell_task("steps", R"(say() { printf '%s\n' "$1" >&$DORMOUSE_CONTROL_FD; }
                say '{"type":"progress","fraction":0.25,"text":"a quarter"}'
                say '{"type":"progress","fraction":0.5,"text":"half"}'
                say '{"type":"log","level":"warning","text":"beware"}'
                say '{"type":"progress","text":"half and a bit"}'
                exit 3)")});
    const std::string id = scene.enqueue("'steps'");
    BOOST_TEST(scene.until_status(id, "failed"));
    BOOST_TEST(scene.column("progress || progress_text", id) == "0.5half and a bit");
    BOOST_TEST(scene.database.value("SELECT progress || progress_text FROM dormouse.attempts") == "0.5half and a bit");
    BOOST_TEST(scene.texts(id) == "1:1:warning:beware");
}

BOOST_AUTO_TEST_CASE(each_attempt_has_its_own_lines) {
    Scene scene({});
    const std::string id = scene.enqueue("'fail'");
    BOOST_TEST(scene.until_status(id, "failed"));
    BOOST_TEST(scene.texts(id) == "1:1:info:the reason|2:1:info:the reason");
}

BOOST_AUTO_TEST_CASE(a_thousand_lines_a_second_are_a_handful_of_statements) {
    Scene scene({.rest = "[limits]\nlog_bytes = \"1MiB\"\n" + flood(3'000)});
    BOOST_TEST_REQUIRE(scene.bench.until_idle());
    const auto before = scene.bench.statements();
    const auto began = BootClock::now();
    const std::string id = scene.enqueue("'flood'");
    BOOST_TEST(scene.until_status(id, "completed"));
    BOOST_TEST_REQUIRE(scene.bench.until_idle());
    const auto statements = scene.bench.statements() - before;
    const auto seconds = since(began).count() / 1'000;
    BOOST_TEST_MESSAGE(
        "3000 lines in " << since(began).count() << " ms: " << statements << " statements, "
                         << scene.database.value("SELECT count(*) FROM dormouse.run_logs") << " rows, "
                         << scene.database.value("SELECT pg_total_relation_size('dormouse.run_logs_default')")
                         << " bytes");
    BOOST_TEST(seconds >= 2);
    BOOST_TEST(statements <= static_cast<std::uint64_t>(12 + 3 * seconds));
    BOOST_TEST(scene.log("count(*)", id) == "3000");
    BOOST_TEST(scene.log("count(DISTINCT text)", id) == "3000");
    BOOST_TEST(scene.log("bool_and(text = 'line ' || line)", id) == "t");
}

BOOST_AUTO_TEST_CASE(a_big_log_is_cut_and_says_so) {
    Scene scene({.rest = "[limits]\nlog_bytes = \"4KiB\"\n" + flood(2'000)});
    const std::string id = scene.enqueue("'flood'");
    BOOST_TEST(scene.until_status(id, "completed"));
    BOOST_TEST(scene.log("sum(octet_length(text)) < 5000 AND count(*) > 100", id) == "t");
    BOOST_TEST(
        scene.log(
            "string_agg(text, '' ORDER BY line DESC) LIKE '[% bytes more were written and are not kept][log cut:%'",
            id) == "t");
}

BOOST_AUTO_TEST_CASE(a_session_that_is_lost_loses_no_line_and_writes_none_twice) {
    Scene scene({.rest = "[limits]\nlog_bytes = \"1MiB\"\n" + flood(4'000)});
    const std::string id = scene.enqueue("'flood'");
    for (int i = 0; i < 3; ++i) {
        BOOST_TEST_REQUIRE(scene.bench.until([&] {
            return scene.database.value("SELECT count(*) > $1::int FROM dormouse.run_logs", {std::to_string(i)}) == "t";
        }));
        scene.database.exec(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'dormouse worker%' AND "
            "datname = current_database()");
    }
    BOOST_TEST(scene.until_status(id, "completed"));
    BOOST_TEST(scene.log("count(*)", id) == "4000");
    BOOST_TEST(scene.log("bool_and(text = 'line ' || line)", id) == "t");
}

BOOST_AUTO_TEST_CASE(what_a_run_says_after_it_was_canceled_is_kept) {
    Scene scene({.rest = shell_task("stays",
                                    "trap 'echo after >&2; exit 0' TERM; echo before >&2; while :; do sleep "
                                    "0.05; done")});
    const std::string id = scene.enqueue("'stays'");
    BOOST_TEST(scene.bench.until([&] { return scene.log("count(*)", id) == "1"; }));
    scene.database.exec("SELECT dormouse.cancel('" + id + "')");
    BOOST_TEST_REQUIRE(scene.bench.until_idle());
    scene.bench.turns_within(Millis{1'200});
    const std::string said = scene.texts(id);  // bash may have a word of its own between
    BOOST_TEST(said.starts_with("1:1:info:before|"), said);
    BOOST_TEST(said.ends_with(":info:after"), said);
}

// It has been given to somebody else, perhaps: only the holder of the fence writes.
BOOST_AUTO_TEST_CASE(what_a_run_says_that_is_another_s_is_dropped) {
    Scene scene({.rest = shell_task("stays",
                                    "trap 'echo after >&2; exit 0' TERM; echo before >&2; while :; do sleep "
                                    "0.05; done")});
    const std::string id = scene.enqueue("'stays'");
    BOOST_TEST(scene.bench.until([&] { return scene.log("count(*)", id) == "1"; }));
    scene.database.exec("UPDATE dormouse.runs SET status = 'queued', run_at = 'infinity' WHERE id = '" + id + "'");
    BOOST_TEST_REQUIRE(scene.bench.until_idle());
    scene.bench.turns_within(Millis{1'200});
    BOOST_TEST(scene.texts(id) == "1:1:info:before");
}

BOOST_AUTO_TEST_CASE(where_the_database_is_let_sleep_lines_wait_for_a_round_that_goes_anyway) {
    Scene scene({.database = "close_after = \"1h\"",
                 .rest = shell_task("talk", "i=0; while [ $i -lt 30 ]; do i=$((i+1)); echo $i >&2; sleep 0.1; done")});
    const std::string id = scene.enqueue("'talk'");
    BOOST_TEST(scene.until_status(id, "running"));
    BOOST_TEST(scene.bench.until([&] { return scene.bench.worker().state() == worker::State::running; }));
    scene.bench.turns_within(Millis{500});
    const std::string went_along = scene.log("count(*)", id);  // with the rounds of the start
    const auto statements = scene.bench.statements();
    scene.bench.turns_within(Millis{1'500});
    BOOST_TEST(scene.bench.statements() == statements);
    BOOST_TEST(scene.log("count(*)", id) == went_along);
    BOOST_TEST(scene.until_status(id, "completed"));
    BOOST_TEST(scene.log("count(*)", id) == "30");
}

BOOST_AUTO_TEST_CASE(a_line_that_the_database_does_not_take_costs_no_ending_and_nobody_else_s_lines) {
    Scene scene({.rest = shell_task("good", "echo fine >&2") + shell_task("bad", "echo poison >&2; echo and more >&2"),
                 .starts = false});
    scene.database.exec("ALTER TABLE dormouse.run_logs ADD CONSTRAINT clean CHECK (lines::text !~ 'poison')");
    const std::string bad = scene.enqueue("'bad'");
    const std::string good = scene.enqueue("'good'");
    scene.bench.worker().start();
    BOOST_TEST(scene.until_status(bad, "completed"));
    BOOST_TEST(scene.until_status(good, "completed"));
    BOOST_TEST(scene.texts(good) == "1:1:info:fine");
    BOOST_TEST(
        scene.log("string_agg(level || text, '')", bad).starts_with("warning[2 lines or a progress are missing"));
}

BOOST_AUTO_TEST_CASE(a_result_that_the_database_does_not_take_costs_no_line) {
    Scene scene({.rest = shell_task("bad", "echo said >&2; echo 1e-200000")});
    const std::string id = scene.enqueue("'bad'");
    BOOST_TEST(scene.until_status(id, "failed"));
    BOOST_TEST(scene.column("error ->> 'class'", id) == "result_rejected");
    BOOST_TEST(scene.texts(id) == "1:1:info:said");
}

BOOST_AUTO_TEST_CASE(only_a_run_that_is_watched_tells_its_news) {
    Scene scene({.rest = shell_task("talk", "echo x >&2"), .starts = false});
    const std::string quiet = scene.enqueue("'talk'");
    const std::string watched = scene.enqueue("'talk'");
    auto listener = scene.database.connect();
    BOOST_TEST_REQUIRE(listener.listen({"news"}).has_value());
    scene.database.exec("SELECT dormouse.watch('" + watched + "')");
    scene.bench.worker().start();
    BOOST_TEST(scene.until_status(watched, "completed"));
    BOOST_TEST(scene.until_status(quiet, "completed"));
    int heard = 0;
    const auto last = BootClock::now() + std::chrono::seconds(10);  // a NOTIFY comes a moment after its commit
    for (auto news = listener.wait(last); news && *news; ++heard) {
        BOOST_TEST((*news)->payload == scene.database.value("SELECT dormouse.told_as($1)", {watched}));
        news = listener.wait(heard < 1 ? last : BootClock::now());
    }
    BOOST_TEST(heard >= 2);  // it was claimed, and said something
}

BOOST_AUTO_TEST_SUITE_END()
