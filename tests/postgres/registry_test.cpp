// Who lives is known: by the session that a worker's row names, from wherever one looks.
#include <signal.h>

#include <boost/test/unit_test.hpp>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/process.h"
#include "sql/embedded.h"
#include "support/events.h"
#include "support/foreground_worker.h"

namespace registry {

using namespace dormouse;
using namespace dormouse::testing;
using nlohmann::json;

namespace {

constexpr const char* to_another_host = "host = 'another-host', boot_id = gen_random_uuid(), pid_namespace = 1";

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

struct Fixture {
    TestDatabase database;
    TemporaryDirectory directory;

    Ended cli(std::vector<std::string> arguments) {
        return run(cli_program(std::move(arguments),
                               {{"DATABASE_URL", database.url()}, {"DORMOUSE_CONFIG_DIR", directory.path()}}));
    }
    json one_worker() { return json::parse(cli({"workers", "--all", "--json"}).out); }
    json status() { return json::parse(cli({"status", "--json"}).out); }
    /// What is said of the worker of this process, among all that reap finds on this machine.
    json reap(const std::string& id, bool force) {
        std::vector<std::string> arguments{"reap", "--json"};
        if (force) arguments.emplace_back("--force");
        const json document = json::parse(cli(arguments).out);
        for (const json& worker : document.at("workers"))
            if (worker.at("id") == id) return worker;
        return nullptr;
    }
    void set(const std::string& what) { database.exec("UPDATE dormouse.worker_registry SET " + what); }
    std::string row(const std::string& what) { return database.value("SELECT " + what + " FROM dormouse.workers"); }
    bool becomes(const std::string& words) {
        return eventually([&] { return row("concat_ws(' ', condition, ended)") == words; });
    }
    std::string terminate() {
        return database.value(
            "SELECT count(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity WHERE application_name LIKE "
            "'dormouse "
            "worker %' AND datname = current_database()");
    }
};

}  // namespace

}  // namespace registry

BOOST_FIXTURE_TEST_SUITE(registry, Fixture, *boost::unit_test::precondition(has_postgres))

BOOST_AUTO_TEST_CASE(a_row_names_the_session_and_the_next_one_with_the_look_that_comes_anyway) {
    const std::string session =
        "SELECT s.application_name FROM dormouse.worker_registry w JOIN pg_stat_activity s ON s.pid = w.session_pid "
        "AND "
        "s.usesysid = w.session_login AND s.backend_start = w.session_started_at";
    PoolBench bench(database.url());
    BOOST_TEST_REQUIRE(bench.until_idle());
    BOOST_TEST(database.value(session) == "dormouse worker bench");
    BOOST_TEST(row("concat_ws(' ', condition, concurrency, version <> '', last_seen_at = now())") == "idle 4 t t");
    const std::string before = database.value("SELECT session_pid FROM dormouse.worker_registry");
    database.exec("SELECT dormouse.enqueue('hold')");
    terminate();
    BOOST_TEST_REQUIRE(
        bench.until([&] { return database.value("SELECT session_pid FROM dormouse.worker_registry") != before; }));
    BOOST_TEST(database.value(session) == "dormouse worker bench");
    BOOST_TEST_REQUIRE(bench.until([&] { return bench.tasks().started().size() == 1; }));
    BOOST_TEST(database.value("SELECT count(*) FROM dormouse.worker_registry") == "1");
    bench.tasks().release();
}

BOOST_AUTO_TEST_CASE(the_row_of_a_new_session_is_written_by_the_transaction_that_claims) {
    PoolBench bench(database.url());
    BOOST_TEST_REQUIRE(bench.until_idle());
    terminate();  // its loop stands still: it does not know yet
    database.exec("SELECT dormouse.enqueue('hold')");
    BOOST_TEST_REQUIRE(bench.until([&] { return bench.tasks().started().size() == 1; }));
    BOOST_TEST(database.value("SELECT w.xmin = r.xmin FROM dormouse.worker_registry w, dormouse.runs_live r") == "t");
    bench.tasks().release();
}

BOOST_AUTO_TEST_CASE(who_is_killed_on_another_host_is_known_to_be_dead_at_once) {
    ForegroundWorker worker(database);
    set(to_another_host);
    BOOST_TEST(one_worker().at("condition") == "idle");
    worker.kill();
    BOOST_TEST_REQUIRE(becomes("dead session lost"));
    const json seen = one_worker();
    BOOST_TEST(seen.at("condition") == "dead");
    BOOST_TEST(has(seen.at("evidence"), "lost its session after "), seen.at("evidence"));
    BOOST_TEST(seen.at("process") == "elsewhere");
    const json pool = status().at("pools").at(0);
    BOOST_TEST(pool.at("workers").at(0).at("state") == "gone");
    BOOST_TEST(status().at("attention").empty());  // nothing is lost with it
    BOOST_TEST(has(cli({"status"}).out, "gone on another-host"));
}

BOOST_AUTO_TEST_CASE(a_dead_worker_that_holds_a_run_is_told_with_the_end_of_its_lease_and_the_remedy) {
    ForegroundWorker worker(database);
    worker.hold();
    const std::string its_place = database.value(
        "SELECT format('host = %L, boot_id = %L, pid_namespace = %s', host, boot_id, pid_namespace) FROM "
        "dormouse.worker_registry");
    set(to_another_host);
    BOOST_TEST(status().at("attention").empty());
    worker.kill();
    BOOST_TEST_REQUIRE(becomes("dead session lost"));
    BOOST_TEST(has(row("evidence"), "and holds runs, whose leases end at "));
    const json far = status().at("attention").at(0);
    BOOST_TEST(has(far.at("text"), "has lost its session"), far);
    BOOST_TEST(has(far.at("text"), "holds 1 run, whose lease ends in "), far);
    BOOST_TEST(far.at("remedy") == "dormouse reap --force, on that host");
    set("host = '" + this_host() + "'");  // another machine of that name, as far as anybody can tell
    BOOST_TEST(has(status().at("attention").at(0).at("remedy"), "nothing, they go back to their queue then"));
    set(its_place);
    BOOST_TEST(status().at("attention").at(0).at("remedy") == "dormouse reap --force");
}

BOOST_AUTO_TEST_CASE(who_has_lost_its_session_is_dead_elsewhere_alive_on_its_host_and_back_with_the_next_one) {
    PoolBench bench(database.url());
    BOOST_TEST_REQUIRE(bench.until_idle());
    terminate();
    BOOST_TEST(becomes("dead session lost"));
    const json here = one_worker();
    BOOST_TEST(here.at("condition") == "idle");
    BOOST_TEST(here.at("evidence") == "its process is here, without a session; it opens one by itself");
    BOOST_TEST(here.at("ended").is_null());
    BOOST_TEST(bench.until([&] { return row("condition") == "idle"; }));
}

BOOST_AUTO_TEST_CASE(a_pid_alone_is_no_session) {
    PoolBench bench(database.url());
    BOOST_TEST_REQUIRE(bench.until_idle());
    BOOST_TEST(row("condition") == "idle");
    for (const char* const other :
         {"session_login = (SELECT oid FROM pg_roles WHERE rolname = 'pg_monitor')",  // another login has the pid
          "session_started_at = session_started_at - interval '1 s'",                 // another session of this login
          "session_pid = (SELECT max(pid) + 1 FROM pg_stat_activity)"}) {
        const std::string before = database.value(
            "SELECT format('session_pid = %s, session_login = %s, session_started_at = %L', session_pid, "
            "session_login, "
            "session_started_at) FROM dormouse.worker_registry");
        set(other);
        BOOST_TEST(row("concat_ws(' ', condition, ended)") == "dead session lost", other);
        set(before);
        BOOST_TEST(row("condition") == "idle");
    }
}

BOOST_AUTO_TEST_CASE(whoever_may_read_the_view_sees_who_lives_without_any_right_to_statistics) {
    apply_roles(database);
    database.exec("DROP ROLE IF EXISTS looks; CREATE ROLE looks LOGIN IN ROLE dormouse_reader");
    PoolBench bench(database.url());
    BOOST_TEST_REQUIRE(bench.until_idle());
    auto looks = database.connect("looks");
    const auto condition = [&] {
        return std::string(looks.ask("", "SELECT condition FROM dormouse.workers")->text(0, 0));
    };
    BOOST_TEST(condition() == "idle");
    terminate();
    BOOST_TEST(condition() == "dead");
    database.exec("DROP OWNED BY looks; DROP ROLE looks");
}

BOOST_AUTO_TEST_CASE(who_rests_on_purpose_lives_until_it_should_have_been_heard_of) {
    PoolBench bench(database.url(), {.database = "close_after = \"300ms\""});
    BOOST_TEST_REQUIRE(bench.until([&] { return row("state") == "resting"; }));
    const auto has_no_session = [&] {
        return database.value(
                   "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'dormouse worker bench'") == "0";
    };
    BOOST_TEST(bench.until(has_no_session));
    BOOST_TEST(row("condition") == "idle");
    BOOST_TEST(has(row("evidence"), "closed its session on purpose at "));
    BOOST_TEST(status().at("pools").at(0).at("workers").at(0).at("state") == "resting");
    set("rests_until = now()");
    BOOST_TEST(row("concat_ws(' ', condition, ended)") == "left rested");
    BOOST_TEST(one_worker().at("condition") == "left");
    bench.ring();
    BOOST_TEST(bench.until([&] { return row("concat_ws(' ', state, condition)") == "awake idle"; }));
    database.exec("SELECT dormouse.enqueue('hold')");
    bench.ring();
    BOOST_TEST_REQUIRE(bench.until([&] { return bench.tasks().started().size() == 1; }));
    BOOST_TEST(
        bench.until([&] { return row("concat_ws(' ', state, condition)") == "resting live" && has_no_session(); }));
    BOOST_TEST(has(row("evidence"), "their leases stand until"));
    database.exec(
        "UPDATE dormouse.runs_live SET started_at = now() - interval '10 min', lease_until = now() - interval '1 s'");
    set("rests_until = now()");
    BOOST_TEST(row("concat_ws(' ', condition, ended)") == "dead session lost");  // it should have extended that
    bench.tasks().release();
}

// It went while it rested, and woke no database for that: it is not taken for one that died.
BOOST_AUTO_TEST_CASE(who_ended_while_it_rested_has_left) {
    {
        PoolBench bench(database.url(), {.database = "close_after = \"300ms\""});
        BOOST_TEST_REQUIRE(bench.until([&] { return row("state") == "resting"; }));
        bench.worker().terminate();
        BOOST_TEST_REQUIRE(bench.until_gone());
    }
    BOOST_TEST(row("concat_ws(' ', state, condition)") == "resting idle");  // the database cannot know
    set("pid_start = pid_start - 1");                                       // the bench's process is this one
    const json seen = one_worker();
    BOOST_TEST(seen.at("condition") == "left");
    BOOST_TEST(seen.at("ended") == "rested");
    BOOST_TEST(status().at("pools").at(0).at("workers").at(0).at("state") == "asleep");
    BOOST_TEST(status().at("attention").empty());
    BOOST_TEST(reap(seen.at("id"), true).is_null());
}

BOOST_AUTO_TEST_CASE(a_predecessor_that_died_has_been_replaced) {
    const TemporaryDirectory state;
    std::optional<ForegroundWorker> first(std::in_place, database, false, state.path());
    const std::string id = row("id");
    first->kill();
    const ForegroundWorker second(database, false, state.path());
    const std::string words = "SELECT concat_ws(' ', condition, ended) FROM dormouse.workers WHERE id = $1";
    BOOST_TEST(eventually([&] { return database.value(words, {id}) == "left replaced"; }), database.value(words, {id}));
}

BOOST_AUTO_TEST_CASE(a_worker_whose_only_run_is_over_is_stale_and_says_why) {
    const std::string run_id = database.value("SELECT dormouse.enqueue('hold')");
    ForegroundWorker worker(database, false, {}, {"--run", run_id});
    const std::string id = row("id");
    BOOST_TEST_REQUIRE(eventually(
        [&] { return row("concat_ws(' ', condition, run_id, run_status)") == "live " + run_id + " running"; }));
    BOOST_TEST(has(cli({"workers"}).out, "run " + run_id + ": running"));
    BOOST_TEST(reap(id, true).at("kind") == "active");
    ::kill(worker.pid(), SIGSTOP);  // it does not hear of what comes
    database.value("UPDATE dormouse.runs SET status = 'completed' WHERE id = $1", {run_id});
    BOOST_TEST(one_worker().at("run_status") == "completed");
    BOOST_TEST(has(cli({"reap"}).out, "stale"));
    set(to_another_host);
    const json far = reap(id, true);
    BOOST_TEST(far.at("kind") == "elsewhere");
    BOOST_TEST(far.at("reason") == "on another-host: executes run " + run_id + " alone, which is completed");
    BOOST_TEST(process_lives(worker.pid()));
    set("boot_id = '" + this_boot() + "', pid_namespace = NULL");
    const json found = reap(id, true);
    BOOST_TEST(found.at("kind") == "stale");
    BOOST_TEST(found.at("reason") == "executes run " + run_id + " alone, which is completed");
    BOOST_TEST(found.at("ended") == true);
    BOOST_TEST(!process_lives(worker.pid()));
    BOOST_TEST(row("state") == "left");
}

BOOST_AUTO_TEST_CASE(what_is_gone_is_forgotten_and_what_lives_is_refused_by_name) {
    ForegroundWorker worker(database);
    const std::string id = row("id");
    database.exec("INSERT INTO dormouse.retention (pool, finished_ms) VALUES ('front', 3600000), ('other', NULL)");
    set("pid_start = 1");  // its process is out of this host's sight, its session is not
    for (const std::string& what : {std::string("front"), id}) {
        const Ended refused = cli({"forget", what});
        BOOST_TEST(refused.exit_code == 2);
        BOOST_TEST(has(refused.err, "worker " + id + " of pool front"), refused.err);
    }
    worker.hold();
    worker.kill();
    BOOST_TEST_REQUIRE(becomes("dead session lost"));
    BOOST_TEST(has(cli({"forget", "front"}).err, "holds runs, whose leases end at"));
    database.exec("UPDATE dormouse.runs SET status = 'canceled'");
    BOOST_TEST(cli({"forget", "nobody"}).exit_code == 4);
    BOOST_TEST(has(cli({"forget", "deadbeef"}).err, "nothing is known of a pool or worker \"deadbeef\""));
    BOOST_TEST(has(cli({"forget", id.substr(0, 8), "--json"}).out, "\"worker\":\"" + id + "\""));
    const json done = json::parse(cli({"forget", "front", "--json"}).out);
    BOOST_TEST(done.at("workers") == 0);
    BOOST_TEST(done.at("retention") == true);
    BOOST_TEST(database.value("SELECT count(*) FROM dormouse.worker_registry") == "0");
    BOOST_TEST(database.value("SELECT string_agg(pool, ' ') FROM dormouse.retention") == "other");
    BOOST_TEST(database.value("SELECT count(*) FROM dormouse.runs") == "1");
    BOOST_TEST(status().at("pools").empty());
}

BOOST_AUTO_TEST_CASE(a_worker_without_a_session_whose_process_is_here_is_not_forgotten) {
    PoolBench bench(database.url());
    BOOST_TEST_REQUIRE(bench.until_idle());
    terminate();
    BOOST_TEST_REQUIRE(becomes("dead session lost"));
    const Ended refused = cli({"forget", bench.id().to_string()});
    BOOST_TEST(refused.exit_code == 2);
    BOOST_TEST(has(refused.err, "lives: its process"), refused.err);
}

BOOST_AUTO_TEST_CASE(a_pool_that_has_a_file_here_is_not_forgotten) {
    std::ofstream(directory.path() + "/front.toml") << "[database]\nurl = \"" << database.url() << "\"\n";
    const Ended refused = cli({"forget", "front"});
    BOOST_TEST(refused.exit_code == 2);
    BOOST_TEST(has(refused.err, "front.toml"), refused.err);
}

BOOST_AUTO_TEST_CASE(of_many_dead_ones_status_reads_a_few_and_arriving_forgets_a_few) {
    database.exec(
        "INSERT INTO dormouse.worker_registry (id, pool, queues, host, pid, pid_start, boot_id, version, state, "
        "started_at, "
        "left_at, seen_at, session_pid, session_login) SELECT gen_random_uuid(), 'p' || n % 5, '{q}', 'h' || n, 1, 1, "
        "gen_random_uuid(), '0', CASE WHEN n % 2 = 0 THEN 'left' ELSE 'awake' END, now() - n * interval '2 min', "
        "CASE WHEN n % 2 = 0 THEN now() - n * interval '2 min' END, now() - n * interval '2 min', 1000000 + n, 10 "
        "FROM generate_series(1, 100000) n; ANALYZE dormouse.worker_registry");
    const auto began = BootClock::now();
    const json seen = status();
    BOOST_TEST_MESSAGE("status with 100,000 rows, in ms (aim: 200): " << since(began).count());
    BOOST_TEST(seen.at("pools").size() == 5U);
    BOOST_TEST(json::parse(cli({"status", "--json"}).out).at("pools").at(0).at("workers").size() <= 20U);
    auto session = database.connect();
    const auto reads = [&](const std::string& what, const char* sql,
                           const postgres::BlockingConnection::Texts& parameters) {
        BOOST_REQUIRE(
            session
                .script("",
                        "BEGIN; SET LOCAL plan_cache_mode = force_generic_plan; SET LOCAL enable_seqscan = off; "
                        "SET LOCAL enable_bitmapscan = off")
                .has_value());
        const auto start = BootClock::now();
        const auto reply = session.ask("", sql, parameters);
        BOOST_REQUIRE_MESSAGE(reply.has_value(), (reply ? "" : reply.error().message));
        BOOST_TEST_MESSAGE(what << ", in ms: " << since(start).count());
        const auto read = session.ask("",
                                      "SELECT sum(seq_scan), sum(idx_tup_fetch) FROM pg_stat_xact_user_tables WHERE "
                                      "relname = 'worker_registry'");
        BOOST_TEST(read->integer(0, 0) == 0, what);
        BOOST_TEST(read->integer(0, 1) < 2'000, what << " reads " << read->integer(0, 1));
        BOOST_REQUIRE(session.script("", "ROLLBACK").has_value());
    };
    reads("status", sql::cli::workers, {});
    reads("arriving (aim: 2)", sql::worker_arrives,
          {"00000000-0000-4000-8000-000000000001", "p1", "{q}", std::nullopt, "h", "1", "1",
           "00000000-0000-4000-8000-00000000b001", std::nullopt, "0", std::nullopt, "4", std::nullopt, "false",
           std::nullopt});
}

BOOST_AUTO_TEST_CASE(who_lives_is_not_forgotten_however_old_it_is) {
    database.exec(
        "INSERT INTO dormouse.worker_registry (id, pool, queues, host, pid, pid_start, boot_id, version, started_at, "
        "session_pid, session_login, rests_until, state) SELECT gen_random_uuid(), p, '{}', p, 1, 1, "
        "gen_random_uuid(), "
        "'0', now() - interval '100 days', CASE p WHEN 'session' THEN pid END, usesysid, CASE p WHEN 'rests' THEN "
        "now() + "
        "interval '1 hour' END, CASE p WHEN 'rests' THEN 'resting' ELSE 'awake' END FROM pg_stat_activity, "
        "unnest(ARRAY['session', 'rests', 'gone']) p WHERE pid = pg_backend_pid()");
    PoolBench bench(database.url());
    BOOST_TEST_REQUIRE(bench.until_idle());
    BOOST_TEST(database.value("SELECT string_agg(host, ' ' ORDER BY host) FROM dormouse.worker_registry WHERE pool <> "
                              "'bench'") == "rests session");
}

BOOST_AUTO_TEST_SUITE_END()
