// What the database does for operators: cancel, retry and archive, one run or many, and whom it takes for dead.
#include <boost/test/unit_test.hpp>

#include "sql/embedded.h"
#include "support/cluster.h"
#include "support/process.h"

namespace operations {

using namespace dormouse;
using namespace dormouse::testing;
using postgres::BlockingConnection;

namespace {

constexpr const char* worker = "00000000-0000-4000-8000-000000000001";

struct Fixture {
    TestDatabase database;

    std::string enqueue(const std::string& rest = "") {
        return database.value("SELECT dormouse.enqueue('t'" + rest + ")");
    }
    std::string claim() {
        database.value(sql::claim, {"{default}", "100", worker, "300000", "1000000", known_tasks, known_slots, "{}"});
        return database.value("SELECT max(fence) FROM dormouse.runs_live");
    }
    /// How many rows a worker with that fence could still finish.
    int finish(const std::string& id, const std::string& fence) {
        auto session = database.connect();
        const auto reply = session.ask("finish", sql::finish,
                                       {worker, "{" + id + "}", "{" + fence + "}", "{completed}", "{\"1\"}", "{NULL}",
                                        "{0}", "{NULL}", "{NULL}", "{NULL}", "{t}"});
        BOOST_REQUIRE_MESSAGE(reply.has_value(), (reply ? "" : reply.error().message));
        return reply->rows();
    }
    std::string call(const std::string& function, const std::string& id) {
        return database.value("SELECT dormouse." + function + "($1::uuid)", {id});
    }
    std::string status(const std::string& id) {
        return database.value("SELECT string_agg(status, ' ' ORDER BY status) FROM dormouse.runs WHERE id = $1", {id});
    }
    void set(const std::string& id, const std::string& what) {
        database.value("UPDATE dormouse.runs SET " + what + " WHERE id = $1", {id});
    }
    /// "changed locked refused more?" of a call.
    std::string many(const std::string& call) {
        return database.value("SELECT concat_ws(' ', changed, locked, refused, next IS NOT NULL) FROM dormouse." +
                              call);
    }
    void register_worker() {
        database.value(sql::worker_arrives,
                       {worker, "pool", "{default}", "", "host", "17", "4711", "00000000-0000-4000-8000-00000000b001",
                        std::nullopt, "0.1.0", std::nullopt, std::nullopt, std::nullopt, "false", std::nullopt});
    }
    std::string release(const std::string& pid_start) {
        database.exec("UPDATE dormouse.worker_registry SET session_pid = NULL");  // its session is gone
        return database.value(
            "SELECT concat_ws(' ', released, locked) FROM dormouse.release_worker($1, 'host', 17, $2,"
            " '00000000-0000-4000-8000-00000000b001')",
            {worker, pid_start});
    }
};

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

std::string refusal(BlockingConnection& session, const std::string& statement) {
    const auto reply = session.ask("", statement);
    BOOST_REQUIRE_MESSAGE(!reply, statement << " was not refused");
    return reply.error().message;
}

constexpr const char* nobody = "00000000-0000-4000-8000-00000000dead";

}  // namespace

}  // namespace operations

BOOST_FIXTURE_TEST_SUITE(operations, Fixture, *boost::unit_test::precondition(has_postgres))

BOOST_AUTO_TEST_CASE(whatever_has_not_finished_is_canceled_at_once_and_says_by_whom) {
    for (const char* const what :
         {"priority = 0", "status = 'retry', run_at = now() + interval '1 hour'", "status = 'blocked'"}) {
        const std::string id = enqueue();
        set(id, what);
        BOOST_TEST(call("cancel", id).starts_with("canceled: it was "), what);
        BOOST_TEST(status(id) == "canceled");
    }
    const std::string id = enqueue();
    BOOST_TEST(database.value("SELECT dormouse.cancel($1, 'a wrong file')", {id}) == "canceled: it was queued");
    BOOST_TEST(database.value("SELECT error ->> 'class' || '/' || (error ->> 'message') FROM dormouse.result($1)",
                              {id}) == "canceled/canceled by postgres: a wrong file");
}

BOOST_AUTO_TEST_CASE(a_running_run_is_canceled_its_worker_hears_of_it_and_its_result_is_refused) {
    const std::string id = enqueue();
    const std::string fence = claim();
    auto ear = database.connect();
    BOOST_REQUIRE(ear.listen({std::string("worker:") + worker}).has_value());
    BOOST_TEST(has(call("cancel", id), "its handler is being ended"));
    const auto heard = ear.wait(BootClock::now() + std::chrono::seconds(20));
    BOOST_TEST((heard.has_value() && heard->has_value()));
    BOOST_TEST(finish(id, fence) == 0);
    BOOST_TEST(status(id) == "canceled");
    BOOST_TEST(database.value("SELECT outcome || ' ' || (error ->> 'class') FROM dormouse.attempts") ==
               "canceled canceled");
}

BOOST_AUTO_TEST_CASE(a_result_from_before_a_cancel_and_a_retry_is_refused_too) {
    const std::string id = enqueue();
    const std::string first = claim();
    call("cancel", id);
    BOOST_TEST(call("retry", id) == "queued: it was canceled");
    BOOST_TEST(finish(id, first) == 0);
    const std::string second = claim();
    BOOST_TEST(second != first);
    BOOST_TEST(finish(id, first) == 0);
    BOOST_TEST(status(id) == "running");
    BOOST_TEST(finish(id, second) == 1);
    BOOST_TEST(status(id) == "completed");
}

BOOST_AUTO_TEST_CASE(what_has_finished_stays_as_it_is_and_that_is_said) {
    for (const char* const end : {"completed", "failed", "canceled"}) {
        const std::string id = enqueue();
        set(id, std::string("status = '") + end + "', result = '17'");
        BOOST_TEST(call("cancel", id) == std::string("unchanged: it is ") + end + " already");
        BOOST_TEST(database.value("SELECT status || result FROM dormouse.result($1)", {id}) == std::string(end) + "17");
    }
}

BOOST_AUTO_TEST_CASE(an_id_that_nobody_has_is_said) {
    for (const char* const function : {"cancel", "retry", "archive"})
        BOOST_TEST(call(function, nobody).starts_with("unknown: "), function);
}

BOOST_AUTO_TEST_CASE(a_row_that_somebody_has_locked_is_told_and_not_waited_for) {
    const std::string id = enqueue();
    auto somebody = database.connect();
    BOOST_REQUIRE(somebody.script("", "BEGIN; SELECT FROM dormouse.runs FOR UPDATE").has_value());
    for (const char* const function : {"cancel", "retry", "archive"})
        BOOST_TEST(call(function, id).starts_with("locked: "), function);
    BOOST_TEST(many("cancel_runs(task => 't')") == "0 1 0 f");
    BOOST_TEST(status(id) == "queued");
    BOOST_REQUIRE(somebody.script("", "COMMIT").has_value());
    BOOST_TEST(many("cancel_runs(task => 't')") == "1 0 0 f");
}

BOOST_AUTO_TEST_CASE(retry_starts_a_finished_run_again_with_all_of_its_attempts) {
    const std::string id = enqueue(", run_at => now() - interval '1 day'");
    claim();
    set(id, "attempts = 3, status = 'failed', archived_at = now(), error = '{\"message\": \"boom\"}'");
    BOOST_TEST(call("retry", id) == "queued: it was failed");
    BOOST_TEST(
        database.value("SELECT concat_ws(' ', status, attempts, run_at > now() - interval '1 hour', archived_at, "
                       "finished_at, error) FROM dormouse.runs") == "queued 0 t");
    BOOST_TEST(database.value("SELECT outcome FROM dormouse.attempts") == "failed");
}

BOOST_AUTO_TEST_CASE(retry_makes_a_waiting_run_due_and_leaves_the_others) {
    const std::string waiting = enqueue();
    set(waiting, "status = 'retry', attempts = 2, run_at = now() + interval '1 hour'");
    BOOST_TEST(call("retry", waiting).starts_with("due: "));
    BOOST_TEST(database.value("SELECT status || attempts || (run_at <= now()) FROM dormouse.runs") == "retry2true");
    BOOST_TEST(call("retry", waiting) == "unchanged: it is due already");
    const std::string running = enqueue();
    claim();
    BOOST_TEST(call("retry", running) == "refused: it is running; cancel it first");
    const std::string queued = enqueue();
    BOOST_TEST(call("retry", queued) == "unchanged: it is queued already");
    set(queued, "status = 'blocked'");
    BOOST_TEST(call("retry", queued) == "refused: it is blocked");
}

BOOST_AUTO_TEST_CASE(a_run_whose_key_belongs_to_another_by_now_is_not_started_again) {
    const std::string old = enqueue(", key => 'k'");
    set(old, "status = 'failed'");
    database.exec("DELETE FROM dormouse.keys");
    enqueue(", key => 'k'");
    const std::string other = enqueue();
    set(other, "status = 'failed'");
    BOOST_TEST(call("retry", old).starts_with("refused: its key"));
    BOOST_TEST(many("retry_runs(task => 't')") == "1 0 1 f");
    BOOST_TEST(status(old) == "failed");
    BOOST_TEST(status(other) == "queued");
}

BOOST_AUTO_TEST_CASE(of_an_id_that_was_used_twice_the_live_run_counts_then_the_last) {
    const std::string id = enqueue();
    set(id, "status = 'failed', finished_at = now() - interval '1 day'");
    database.value("INSERT INTO dormouse.runs (id, task) VALUES ($1, 't')", {id});
    BOOST_TEST(many("retry_runs(task => 't')") == "0 0 1 f");
    BOOST_TEST(call("cancel", id) == "canceled: it was queued");
    BOOST_TEST(status(id) == "canceled failed");
    BOOST_TEST(call("retry", id) == "queued: it was canceled");
    BOOST_TEST(status(id) == "failed queued");
}

BOOST_AUTO_TEST_CASE(archive_puts_a_run_out_of_sight_and_cancels_it_first_if_it_must) {
    const std::string done = enqueue();
    set(done, "status = 'completed', result = '1'");
    BOOST_TEST(call("archive", done) == "archived: it is completed");
    BOOST_TEST(call("archive", done).starts_with("unchanged: "));
    const std::string id = enqueue();
    const std::string fence = claim();
    BOOST_TEST(call("archive", id).starts_with("archived: it was running and is canceled"));
    BOOST_TEST(finish(id, fence) == 0);
    BOOST_TEST(
        database.value(
            "SELECT string_agg(concat_ws(' ', status, archived_at IS NOT NULL, error ->> 'class'), ', ' ORDER BY id)"
            " FROM dormouse.runs") == "completed t, canceled t canceled");
}

BOOST_AUTO_TEST_CASE(a_filter_means_what_it_says) {
    database.exec(
        "INSERT INTO dormouse.runs (task, queue, created_at) VALUES ('a', 'x', now() - interval '2 hours'), ('a', 'y', "
        "now()),"
        " ('b', 'x', now()), ('b', 'y', now() - interval '2 hours')");
    const auto canceled = [&](const std::string& filter) {
        database.exec("BEGIN; SELECT FROM dormouse.cancel_runs(" + filter + ")");
        const std::string names = database.value(
            "SELECT coalesce(string_agg(task || queue, ' ' ORDER BY task, queue), '') FROM dormouse.runs WHERE status "
            "= 'canceled'");
        database.exec("ROLLBACK");
        return names;
    };
    BOOST_TEST(canceled("task => 'a'") == "ax ay");
    BOOST_TEST(canceled("queue => 'x'") == "ax bx");
    BOOST_TEST(canceled("task => 'b', queue => 'x'") == "bx");
    BOOST_TEST(canceled("older_than => '1 hour'") == "ax by");
    BOOST_TEST(canceled("created_before => now() - interval '1 hour', task => 'b'") == "by");
    BOOST_TEST(canceled("status => 'queued'") == "ax ay bx by");
    BOOST_TEST(canceled("status => 'running'") == "");
    BOOST_TEST(canceled("status => 'queued', max_runs => 3") == "ax ay bx");
}

BOOST_AUTO_TEST_CASE(a_filter_that_says_nothing_or_something_impossible_is_refused) {
    enqueue();
    auto session = database.connect();
    for (const char* const function : {"cancel_runs", "retry_runs", "archive_runs"})
        BOOST_TEST(has(refusal(session, std::string("SELECT dormouse.") + function + "()"), "which runs?"), function);
    BOOST_TEST(has(refusal(session, "SELECT dormouse.cancel_runs('failed')"), "Use some of queued, running"));
    BOOST_TEST(has(refusal(session, "SELECT dormouse.retry_runs('running')"), "Use some of completed, failed"));
    BOOST_TEST(
        has(refusal(session, "SELECT dormouse.archive_runs('error')"), "does not work on runs that are \"error\""));
    BOOST_TEST(
        has(refusal(session, "SELECT dormouse.cancel_runs(task => 't', max_runs => 0)"), "expected 1 to 100000"));
    BOOST_TEST(database.value("SELECT status FROM dormouse.runs") == "queued");
}

BOOST_AUTO_TEST_CASE(without_a_status_retry_means_failed_and_waiting_and_archive_means_finished) {
    for (const char* const what : {"completed", "failed", "canceled", "queued", "blocked", "retry"})
        set(enqueue(), std::string("status = '") + what + "', run_at = now() + interval '1 hour'");
    BOOST_TEST(many("retry_runs(task => 't')") == "2 0 0 f");
    BOOST_TEST(many("archive_runs(task => 't')") == "2 0 0 f");
    BOOST_TEST(
        database.value("SELECT string_agg(status, ' ' ORDER BY id) FROM dormouse.runs WHERE archived_at IS NOT NULL") ==
        "completed canceled");
    BOOST_TEST(many("archive_runs('blocked', 't')") == "1 0 0 f");
    // what is out of sight is not started again by a filter
    BOOST_TEST(many("retry_runs('canceled', 't')") == "0 0 0 f");
}

BOOST_AUTO_TEST_CASE(many_runs_go_in_portions_each_of_them_once) {
    database.exec("INSERT INTO dormouse.runs (task) SELECT 't' FROM generate_series(1, 25)");
    database.exec("UPDATE dormouse.runs SET status = 'failed'");
    std::string after = "live 00000000-0000-0000-0000-000000000000";
    int calls = 0;
    int changed = 0;
    auto session = database.connect();
    while (!after.empty() && ++calls < 10) {
        const auto reply =
            session.ask("", "SELECT * FROM dormouse.retry_runs(task => 't', max_runs => 10, after => $1)", {after});
        BOOST_REQUIRE(reply.has_value());
        changed += static_cast<int>(reply->integer(0, 0));
        after = reply->text(0, 3);
        // they fail again at once; who goes on by id does not meet them again
        database.exec("UPDATE dormouse.runs SET status = 'failed' WHERE status = 'queued'");
    }
    BOOST_TEST(changed == 25);
    BOOST_TEST(calls == 3);
}

BOOST_AUTO_TEST_CASE(bulk_statements_walk_an_index_and_stop_at_their_limit) {
    database.exec("INSERT INTO dormouse.runs (task) SELECT 't' FROM generate_series(1, 20000)");
    database.exec(
        "UPDATE dormouse.runs SET status = 'failed' WHERE id IN (SELECT id FROM dormouse.runs ORDER BY id LIMIT "
        "10000)");
    // as by workers: not all in one instant, which an index of the default partition would find at once
    database.exec(
        "UPDATE dormouse.runs r SET finished_at = r.finished_at - n.n * interval '1 ms' FROM (SELECT id, row_number() "
        "OVER "
        "(ORDER BY id DESC) AS n FROM dormouse.runs_finished) n WHERE n.id = r.id AND r.status = 'failed'");
    for (const char* const statistics : {"SELECT", "ANALYZE dormouse.runs"}) {
        database.exec(statistics);
        for (const char* const call :
             {"cancel_runs(task => 't', max_runs => 100)", "retry_runs('failed', max_runs => 100)",
              "archive_runs('failed', max_runs => 100)", "archive_runs('queued', max_runs => 100)"}) {
            auto session = database.connect();
            BOOST_REQUIRE(session.script("", "BEGIN; SELECT FROM dormouse." + std::string(call)).has_value());
            const auto walked = session.ask("",
                                            "SELECT sum(seq_scan), sum(seq_tup_read) + sum(idx_tup_fetch) FROM "
                                            "pg_stat_xact_user_tables WHERE relname ~ '^runs_(live|finished)'");
            BOOST_REQUIRE(walked.has_value());
            BOOST_TEST(walked->integer(0, 0) == 0, call << ": " << walked->text(0, 0) << " sequential scans");
            BOOST_TEST(walked->integer(0, 1) < 2000, call << ": " << walked->text(0, 1) << " rows were read");
        }
    }
}

BOOST_AUTO_TEST_CASE(a_worker_is_dead_only_when_its_lease_ended_long_ago) {
    register_worker();
    const auto condition = [&] { return database.value("SELECT condition FROM dormouse.workers"); };
    BOOST_TEST(condition() == "idle");
    const std::string id = enqueue();
    claim();
    BOOST_TEST(condition() == "live");
    BOOST_TEST(has(database.value("SELECT evidence FROM dormouse.live_workers"), "their leases stand"));
    set(id, "started_at = now() - interval '10 minutes', lease_until = now() - interval '4 minutes'");
    BOOST_TEST(condition() == "live");
    BOOST_TEST(has(database.value("SELECT evidence FROM dormouse.workers"), "not long enough ago"));
    set(id, "lease_until = now() - interval '6 minutes'");
    BOOST_TEST(condition() == "dead");
    BOOST_TEST(has(database.value("SELECT evidence FROM dormouse.dead_workers"), "was not extended"));
    database.value(sql::worker_leaves, {worker, std::nullopt});
    BOOST_TEST(condition() == "dead");
    set(id, "status = 'queued'");
    BOOST_TEST(condition() == "left");
    BOOST_TEST(database.value("SELECT count(*) FROM dormouse.dead_workers") == "0");
}

BOOST_AUTO_TEST_CASE(the_runs_of_a_worker_that_is_gone_are_released_and_its_late_results_refused) {
    register_worker();
    const std::string id = enqueue();
    const std::string fence = claim();
    BOOST_TEST(release("4712") == "");  // another process of that pid
    BOOST_TEST(status(id) == "running");
    BOOST_TEST(release("4711") == "1 0");
    BOOST_TEST(database.value("SELECT concat_ws(' ', status, attempts, error ->> 'class') FROM dormouse.runs") ==
               "retry 1 lost");
    BOOST_TEST(database.value("SELECT outcome FROM dormouse.attempts") == "lost");
    BOOST_TEST(database.value("SELECT state FROM dormouse.workers") == "left");
    BOOST_TEST(finish(id, fence) == 0);
    BOOST_TEST(release("4711") == "0 0");
}

BOOST_AUTO_TEST_CASE(a_worker_whose_run_is_locked_is_not_marked_as_left) {
    register_worker();
    enqueue();
    claim();
    auto somebody = database.connect();
    BOOST_REQUIRE(somebody.script("", "BEGIN; SELECT FROM dormouse.runs FOR UPDATE").has_value());
    BOOST_TEST(release("4711") == "0 1");
    BOOST_TEST(database.value("SELECT state FROM dormouse.workers") == "awake");
}

// Out of sight, and executed all the same: nobody means that.
BOOST_AUTO_TEST_CASE(archived_at_alone_is_refused_of_what_has_not_finished_with_what_archives_it) {
    const std::string id = enqueue();
    auto somebody = database.connect();
    for (const std::string status : {"blocked", "retry", "queued", "running"}) {
        status == "running" ? static_cast<void>(claim()) : set(id, "status = '" + status + "'");
        for (const char* const table : {"runs", "runs_live"}) {
            const std::string said =
                refusal(somebody, std::string("UPDATE dormouse.") + table + " SET archived_at = now()");
            BOOST_TEST(has(said, "dormouse.archive(id)"), said);
        }
    }
    BOOST_TEST(has(refusal(somebody, "INSERT INTO dormouse.runs (task, archived_at) VALUES ('t', now())"), "archive"));
    set(id, "status = 'failed', archived_at = now()");
    set(id, "archived_at = now() - interval '1 hour'");
    set(id, "status = 'queued'");
    BOOST_TEST(database.value("SELECT status || ' ' || (archived_at IS NULL) FROM dormouse.runs") == "queued true");
}

BOOST_AUTO_TEST_CASE(a_producer_cancels_and_retries_by_id_and_no_more) {
    apply_roles(database);
    database.exec("DROP ROLE IF EXISTS app; CREATE ROLE app LOGIN IN ROLE dormouse_producer");
    database.exec("DROP ROLE IF EXISTS ops; CREATE ROLE ops LOGIN IN ROLE dormouse_worker");
    const std::string id = enqueue();
    auto app = database.connect("app");
    auto ops = database.connect("ops");
    BOOST_TEST(app.ask("", "SELECT dormouse.cancel($1::uuid)", {id})->text(0, 0) == "canceled: it was queued");
    BOOST_TEST(database.value("SELECT error ->> 'message' FROM dormouse.runs") == "canceled by app");
    BOOST_TEST(app.ask("", "SELECT dormouse.retry($1::uuid)", {id})->text(0, 0) == "queued: it was canceled");
    for (const std::string call : {"archive(gen_random_uuid())", "cancel_runs(task => 't')", "retry_runs(task => 't')",
                                   "archive_runs(task => 't')", "lock_run(gen_random_uuid())",
                                   "release_worker(gen_random_uuid(), '', 1, 1, gen_random_uuid())"})
        BOOST_TEST(has(refusal(app, "SELECT dormouse." + call), "(42501)"), call);
    for (const std::string call :
         {"archive(gen_random_uuid())", "cancel_runs(task => 't')", "retry_runs(task => 't')",
          "archive_runs(task => 't')", "release_worker(gen_random_uuid(), '', 1, 1, gen_random_uuid())"})
        BOOST_TEST(ops.ask("", "SELECT dormouse." + call).has_value(), call);
    database.exec("DROP OWNED BY app, ops; DROP ROLE app, ops");
}

BOOST_AUTO_TEST_SUITE_END()
