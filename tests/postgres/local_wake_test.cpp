// Local wake: a commit that makes runs claimable writes the wake file of each pool that serves them, once, and nothing
// else does.
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>

#include "postgres/local_wake_fixture.h"
#include "sql/embedded.h"

namespace local_wake {

using namespace dormouse;
using namespace dormouse::testing;
namespace fs = std::filesystem;

namespace {

constexpr const char* insert_many = "INSERT INTO dormouse.runs (task) SELECT 't' FROM generate_series(1, 1000)";

}  // namespace

}  // namespace local_wake

BOOST_FIXTURE_TEST_SUITE(local_wake, LocalWake, *boost::unit_test::precondition(has_postgres))

BOOST_AUTO_TEST_CASE(every_way_to_insert_wakes_the_sleeping_pool) {
    BOOST_TEST(woken_by(insert_one) == "main");
    BOOST_TEST(woken_by("SELECT dormouse.enqueue('t')") == "main");
    BOOST_TEST(woken_by("SELECT dormouse.enqueue_many('t', ARRAY['1', '2']::jsonb[])") == "main");
    BOOST_TEST(woken_by("SELECT dormouse.enqueue_many('t', ARRAY['1', '2']::jsonb[], keys => '{a,b}')") == "main");
    BOOST_TEST(woken_by("INSERT INTO dormouse.runs_live (task) VALUES ('t')") == "main");
    BOOST_TEST(woken_by("INSERT INTO dormouse.runs (task, status) VALUES ('t', 'retry')") == "main");
    BOOST_TEST(woken_by("INSERT INTO dormouse.runs (task, run_at) VALUES ('t', 'infinity')") == "main");
    BOOST_TEST(woken_by(insert_many) == "main");
    PGresult* const copy = PQexec(producer.get(), "COPY dormouse.runs (task) FROM STDIN");
    PQclear(copy);
    BOOST_TEST(PQputCopyData(producer.get(), "a\nb\n", 4) == 1);
    PQputCopyEnd(producer.get(), nullptr);
    while (PGresult* const result = PQgetResult(producer.get())) PQclear(result);
    BOOST_TEST(take() == "main");
}

BOOST_AUTO_TEST_CASE(a_transaction_wakes_once) {
    BOOST_TEST(count_in(insert_one) == "1");
    BOOST_TEST(count_in(insert_many) == "1");
    BOOST_TEST(count_in("SELECT dormouse.enqueue('t'); SELECT dormouse.enqueue('t'); INSERT INTO dormouse.runs (task)"
                        " VALUES ('t'); UPDATE dormouse.runs SET run_at = run_at - interval '1 s'") == "1");
    BOOST_TEST(count_in("SELECT dormouse.enqueue('t') FROM generate_series(1, 100)") == "1");
    BOOST_TEST(count_in("SELECT 1") == "0");
    BOOST_TEST(count_in(insert_one) == "1");  // the next one again
}

BOOST_AUTO_TEST_CASE(it_wakes_at_the_commit_and_not_before) {
    BOOST_TEST(woken_by(std::string("BEGIN; ") + insert_one) == "");
    BOOST_TEST(woken_by("COMMIT") == "main");
    BOOST_TEST(woken_by(std::string("BEGIN; ") + insert_one + "; ROLLBACK") == "");
    BOOST_TEST(woken_by(insert_one) == "main");
}

BOOST_AUTO_TEST_CASE(savepoints_undo_a_wake_and_no_more) {
    const std::string in = std::string("; ") + insert_one;
    BOOST_TEST(woken_by("BEGIN; SAVEPOINT a" + in + "; ROLLBACK TO a; COMMIT") == "");
    BOOST_TEST(woken_by("BEGIN; SAVEPOINT a" + in + "; ROLLBACK TO a" + in + "; COMMIT") == "main");
    BOOST_TEST(woken_by("BEGIN; SAVEPOINT a" + in + "; ROLLBACK TO a; RELEASE a" + in + "; COMMIT") == "main");
    BOOST_TEST(woken_by("BEGIN" + in + "; SAVEPOINT a" + in + "; ROLLBACK TO a; COMMIT") == "main");
    BOOST_TEST(woken_by("BEGIN; SAVEPOINT a; SAVEPOINT b" + in + "; RELEASE b; ROLLBACK TO a; COMMIT") == "");
    BOOST_TEST(woken_by("BEGIN; SAVEPOINT a; SAVEPOINT b" + in + "; RELEASE b; RELEASE a; COMMIT") == "main");
    BOOST_TEST(
        woken_by("DO $$ BEGIN BEGIN PERFORM dormouse.enqueue('t'); RAISE 'x'; EXCEPTION WHEN OTHERS THEN NULL; END;"
                 " PERFORM dormouse.enqueue('t'); END $$") == "main");
    BOOST_TEST(count_in("SAVEPOINT a" + in + "; RELEASE a; SAVEPOINT a" + in + "; RELEASE a" + in) == "1");
}

BOOST_AUTO_TEST_CASE(only_the_pools_that_serve_the_queue_are_woken) {
    install({wake("both", {"mail", "default"}), wake("mail", {"mail"})});
    BOOST_TEST(woken_by(insert_one) == "both main");
    BOOST_TEST(woken_by("SELECT dormouse.enqueue('t', queue => 'mail')") == "both mail");
    BOOST_TEST(woken_by("SELECT dormouse.enqueue('t', queue => 'other')") == "");
    BOOST_TEST(
        woken_by("BEGIN; SELECT dormouse.enqueue('t', queue => 'other'); SELECT dormouse.enqueue('t'); COMMIT") ==
        "both main");
    BOOST_TEST(woken_by("INSERT INTO dormouse.runs (task, status) VALUES ('t', 'blocked')") == "");
    BOOST_TEST(woken_by("INSERT INTO dormouse.runs (task, status, finished_at) VALUES ('t', 'failed', now())") == "");
}

BOOST_AUTO_TEST_CASE(an_update_that_makes_runs_claimable_wakes) {
    const std::string status = "UPDATE dormouse.runs SET status = ";
    woken_by("INSERT INTO dormouse.runs (task, status) VALUES ('t', 'blocked')");
    BOOST_TEST(woken_by(status + "'retry', run_at = now() + interval '1 h'") == "main");
    BOOST_TEST(woken_by(status + "'queued'") == "");  // as claimable as before
    BOOST_TEST(woken_by("UPDATE dormouse.runs SET run_at = run_at + interval '1 h'") == "");
    BOOST_TEST(woken_by("UPDATE dormouse.runs SET run_at = now()") == "main");
    BOOST_TEST(woken_by(status + "'failed'") == "");
    BOOST_TEST(woken_by(status + "'queued'") == "main");  // from the finished ones
    BOOST_TEST(woken_by("UPDATE dormouse.runs SET queue = 'mail'") == "");
    BOOST_TEST(woken_by("UPDATE dormouse.runs SET queue = 'default'") == "main");
    BOOST_TEST(woken_by("BEGIN; UPDATE dormouse.runs SET run_at = run_at - interval '1 h'; ROLLBACK") == "");
    const std::string take_it =
        "UPDATE dormouse.runs_live SET status = 'running', started_at = now(), fence = 1,"
        " worker = dormouse.new_id(), lease_until = now() + interval '1 min'";
    BOOST_TEST(woken_by(take_it) == "");
    BOOST_TEST(woken_by(status + "'queued'") == "main");
    BOOST_TEST(database.value("SELECT count(*) FROM dormouse.local_wake_asked") == "0");
}

BOOST_AUTO_TEST_CASE(the_workers_own_statements_do_not_fire_it) {
    woken_by("INSERT INTO dormouse.runs (task) SELECT 't' FROM generate_series(1, 4)");
    auto worker = database.connect();
    const std::string id = "019ad1f2-3c4d-7000-8000-000000000001";
    const auto ask = [&](const char* sql, const postgres::BlockingConnection::Texts& parameters) {
        auto reply = worker.ask("worker", sql, parameters);
        BOOST_REQUIRE_MESSAGE(reply.has_value(), (reply ? "" : reply.error().message));
        BOOST_TEST(take() == "");
        return reply->rows();
    };
    const auto array = [&](const std::string& column) {
        return database.value("SELECT array_agg(" + column +
                              " ORDER BY id)::text FROM dormouse.runs WHERE status = 'running'");
    };
    LocalWake::require(worker.script("worker", "SET track_functions = 'all'"));
    BOOST_TEST(ask(sql::claim, {"{default}", "4", id, "60000", "1000000", known_tasks, known_slots, "{}"}) == 4);
    const std::string first = database.value("SELECT min(id::text) FROM dormouse.runs");
    const std::string fence = database.value("SELECT fence FROM dormouse.runs WHERE id = $1", {first});
    const auto one = [](const std::string& text) { return "{" + text + "}"; };
    BOOST_TEST(ask(sql::extend, {id, array("id"), array("fence"), "60000"}) == 4);
    BOOST_TEST(ask(sql::finish, {id, one(first), one(fence), "{completed}", "{null}", "{null}", "{0}", "{null}", "{1}",
                                 "{1}", "{t}"}) == 1);
    BOOST_TEST(
        ask(sql::put_back, {id, array("id"), array("fence"), "{handed_back,retry,retry}", "{null,0,9}", "{f,t,t}",
                            "{null,null,null}", "{0,0,0}", "{null,null,null}", "{1,1,1}", "{1,1,1}"}) == 3);
    BOOST_TEST(database.value("SELECT count(*) FROM dormouse.runs WHERE status IN ('queued', 'retry')") == "3");
    BOOST_TEST(database.value("SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal AND tgname LIKE 'local%'"
                              " AND tgrelid IN (SELECT relid FROM pg_partition_tree('dormouse.runs') WHERE level > 0)"
                              " AND tgtype & 16 <> 0") == "0");  // no UPDATE trigger on a leaf, where it would cost
}

BOOST_AUTO_TEST_CASE(a_wake_that_cannot_be_written_is_a_warning) {
    install({{"main", directory.path() + "/gone/main", {"default"}}});
    BOOST_TEST(woken_by(insert_one) == "");
    BOOST_TEST(database.value("SELECT count(*) FROM dormouse.runs") == "1");
    BOOST_REQUIRE(notices().size() == 1U);
    for (const char* const part :
         {"WARNING", "pool main was not woken", "gone/main", "run-dormouse.wake.mount", "--no-local-wake"})
        BOOST_TEST(notices()[0].find(part) != std::string::npos, notices()[0]);
    fs::create_directory(directory.path() + "/gone");
    fs::permissions(directory.path() + "/gone", fs::perms::owner_all);
    if (::geteuid() == 0) {  // else the server is this user
        require(producer.script("producer", insert_one));
        BOOST_TEST(notices().size() == 2U);
        BOOST_TEST(notices()[1].find("Permission denied") != std::string::npos, notices()[1]);
    }
    BOOST_TEST(database.value("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == "0");
}

BOOST_AUTO_TEST_CASE(what_the_warning_says_ends_it_without_dormouse) {
    const std::string longest(63, 'x');  // its function has another name than its pool
    for (const std::string& pool : {std::string("main"), longest}) {
        install({{pool, directory.path() + "/gone/" + pool, {"default"}}});
        require(producer.script("producer", insert_one));
        const std::string warning = notices().back();
        const std::size_t from = warning.find("DROP FUNCTION");
        BOOST_REQUIRE_MESSAGE(from != std::string::npos, warning);
        require(
            database.connect("postgres").script("superuser", warning.substr(from, warning.find('\n', from) - from)));
        const std::size_t before = notices().size();
        require(producer.script("producer", insert_one));
        BOOST_TEST(notices().size() == before);
    }
}

BOOST_AUTO_TEST_CASE(from_wake_to_commit_the_lock_can_be_seen) {
    BOOST_TEST(took_lock(insert_one));
    BOOST_TEST(!took_lock("INSERT INTO dormouse.runs (task, queue) VALUES ('t', 'other')"));
    BOOST_TEST(database.value("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == "0");
    database.exec("BEGIN; SELECT pg_advisory_xact_lock(1685024365, 1)");  // nobody can hold up a producer with it
    BOOST_TEST(woken_by(insert_one) == "main");
    database.exec("COMMIT");
}

BOOST_AUTO_TEST_SUITE_END()
