// Local wake: a commit that makes runs claimable writes the wake file of each pool that serves them, once, and nothing
// else does. What fires is counted: the wake file is removed before each step, and pg_stat_user_functions counts the
// calls.
#include "cli/local_wake.h"

#include <sys/stat.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>

#include "sql/embedded.h"
#include "support/cluster.h"

using namespace dormouse;
using namespace dormouse::testing;
namespace fs = std::filesystem;

namespace {

std::vector<std::string>& notices() {
    static std::vector<std::string> all;
    return all;
}

void on_notice(void* /*unused*/, const char* message) {
    notices().emplace_back(message);
}

struct Fixture {
    TestDatabase database;
    TemporaryDirectory directory;
    postgres::BlockingConnection producer = database.connect();

    Fixture() {
        ::chmod(directory.path().c_str(), 0777);  // the server is another user
        PQsetNoticeProcessor(producer.get(), on_notice, nullptr);
        notices().clear();
        install({wake("main", {"default"})});
    }
    ~Fixture() { static_cast<void>(apply({{}, {}, true})); }

    [[nodiscard]] std::string file(const std::string& pool) const { return directory.path() + "/" + pool; }
    [[nodiscard]] cli::WokenPool wake(const std::string& pool, std::vector<std::string> queues) const {
        return {pool, file(pool), std::move(queues)};
    }
    Result<cli::LocalWakeReport> apply(const cli::LocalWakeRequest& request, const std::string& user = "postgres") {
        auto connection = database.connect(user);
        return cli::apply_local_wake(connection, request);
    }
    cli::LocalWakeReport install(std::vector<cli::WokenPool> pools) {
        auto report = apply({std::move(pools), {}, false});
        BOOST_REQUIRE_MESSAGE(report.has_value(), (report ? "" : report.error().message));
        return *report;
    }
    /// Runs the script as the producer and tells which pools have been woken by it.
    std::string woken_by(const std::string& sql) { return woken_by(producer, sql); }
    std::string woken_by(postgres::BlockingConnection& session, const std::string& sql) {
        const Status done = session.script("producer", sql);
        BOOST_REQUIRE_MESSAGE(done.has_value(), (done ? "" : done.error().message));
        return take();
    }
    /// The wake files there are, and removes them, as the worker does.
    std::string take() const {
        std::vector<std::string> names;
        for (const auto& entry : fs::directory_iterator(directory.path())) {
            BOOST_TEST(fs::file_size(entry) == 0U);
            names.push_back(entry.path().filename());
            fs::remove(entry.path());
        }
        std::sort(names.begin(), names.end());
        std::string all;
        for (const std::string& name : names) all += (all.empty() ? "" : " ") + name;
        return all;
    }
    /// How often the pools' functions have run in the transaction that is about to be committed: the deferred
    /// events are made to fire now, and this session's counters, which are cumulative, are asked.
    std::string count_in(const std::string& sql) {
        require(producer.script("producer", "SET track_functions = 'all'; BEGIN"));
        const std::int64_t before = calls();
        require(producer.script("producer", sql + "; SET CONSTRAINTS ALL IMMEDIATE"));
        const std::int64_t count = calls() - before;
        require(producer.script("producer", "COMMIT"));
        take();
        return std::to_string(count);
    }
    std::int64_t calls() {
        const auto reply = producer.ask("calls",
                                        "SELECT coalesce(sum(calls), 0)::bigint FROM pg_stat_xact_user_functions"
                                        " WHERE funcname LIKE 'local\\_wake:%'");
        BOOST_REQUIRE(reply.has_value());
        return reply->integer(0, 0);
    }
    static void require(const Status& done) {
        BOOST_REQUIRE_MESSAGE(done.has_value(), (done ? "" : done.error().message));
    }
    bool took_lock(const std::string& before_commit) {
        require(producer.script("producer", "BEGIN; " + before_commit + "; SET CONSTRAINTS ALL IMMEDIATE"));
        const bool held = database.value(
                              "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = 1685024365 AND"
                              " objid = 1 AND mode = 'ShareLock' AND database = (SELECT oid FROM pg_database WHERE"
                              " datname = current_database())") == "1";
        require(producer.script("producer", "COMMIT"));
        return held;
    }
};

constexpr const char* insert_one = "INSERT INTO dormouse.runs (task) VALUES ('t')";
constexpr const char* insert_many = "INSERT INTO dormouse.runs (task) SELECT 't' FROM generate_series(1, 1000)";

}  // namespace

BOOST_FIXTURE_TEST_SUITE(local_wake, Fixture, *boost::unit_test::precondition(has_postgres))

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
    Fixture::require(worker.script("worker", "SET track_functions = 'all'"));
    BOOST_TEST(ask(sql::claim, {"{default}", "4", id, "60000", "1000000"}) == 4);
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

BOOST_AUTO_TEST_CASE(from_wake_to_commit_the_lock_can_be_seen) {
    BOOST_TEST(took_lock(insert_one));
    BOOST_TEST(!took_lock("INSERT INTO dormouse.runs (task, queue) VALUES ('t', 'other')"));
    BOOST_TEST(database.value("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == "0");
    database.exec("BEGIN; SELECT pg_advisory_xact_lock(1685024365, 1)");  // nobody can hold up a producer with it
    BOOST_TEST(woken_by(insert_one) == "main");
    database.exec("COMMIT");
}

BOOST_AUTO_TEST_CASE(a_producer_needs_no_right_but_execute) {
    apply_roles(database);
    database.exec("DROP ROLE IF EXISTS shop; CREATE ROLE shop LOGIN IN ROLE dormouse_producer");
    auto shop = database.connect("shop");
    BOOST_TEST(woken_by(shop, "SELECT dormouse.enqueue('t')") == "main");
    for (const std::string& refused :
         {std::string("SELECT dormouse.\"local_wake:main\"()"), "COPY (SELECT) TO '" + file("x") + "'",
          std::string("SET ROLE dormouse_local_wake"),
          std::string("INSERT INTO dormouse.local_wake_asked VALUES ('default')"),
          std::string("CREATE TEMP TABLE t (); CREATE TRIGGER t AFTER INSERT ON t EXECUTE FUNCTION "
                      "dormouse.\"local_wake:main\"()")})
        BOOST_TEST(!shop.script("shop", refused).has_value(), refused);
    BOOST_TEST(take() == "");
}

BOOST_AUTO_TEST_CASE(what_runs_with_the_roles_rights_names_nothing_of_the_schemas_owner) {
    BOOST_TEST(database.value(
                   "SELECT string_agg(proname, ' ') FROM pg_proc WHERE proowner = 'dormouse_local_wake'::regrole") ==
               "local_wake:main");
    const std::string source = database.value("SELECT prosrc FROM pg_proc WHERE proname = 'local_wake:main'");
    BOOST_TEST(source.find(" dormouse.") == std::string::npos, source);
    BOOST_TEST(source.find("NEW") == std::string::npos, source);
    BOOST_TEST(database.value("SELECT prosecdef AND proconfig = '{\"search_path=pg_catalog, pg_temp\"}' FROM pg_proc"
                              " WHERE proname = 'local_wake:main'") == "t");
    BOOST_TEST(database.value("SELECT count(*) FROM pg_roles WHERE rolname = 'dormouse_local_wake' AND (rolcanlogin OR"
                              " rolsuper)") == "0");
}

BOOST_AUTO_TEST_CASE(odd_names_stay_names) {
    const std::vector<std::string> queues{
        "it's",    R"(back\slash)", "two\nlines", R"("quoted")", "$function$",
        "%L %s %", "{a,b}",         "NULL",       "ünï",         "'); DROP TABLE dormouse.runs; --"};
    const std::string longest(63, 'x');
    const std::string neighbour = std::string(62, 'x') + "y";
    install({wake("a.b-c_D", queues),
             wake(longest, {"long"}),
             wake(neighbour, {"near"}),
             {"path", directory.path() + R"(/it's "%1$L" \a)", {"path"}}});
    for (const std::string& queue : queues) {
        const auto done = producer.ask("insert", "SELECT dormouse.enqueue('t', queue => $1)", {queue});
        BOOST_REQUIRE_MESSAGE(done.has_value(), (done ? "" : done.error().message));
        BOOST_TEST(take() == "a.b-c_D", queue);
    }
    BOOST_TEST(woken_by("SELECT dormouse.enqueue('t', queue => 'its')") == "");
    BOOST_TEST(woken_by("SELECT dormouse.enqueue('t', queue => 'long')") == longest);
    BOOST_TEST(woken_by("SELECT dormouse.enqueue('t', queue => 'near')") == neighbour);
    BOOST_TEST(woken_by("SELECT dormouse.enqueue('t', queue => 'path')") == R"(it's "%1$L" \a)");
    BOOST_TEST(woken_by("SET standard_conforming_strings = off; SELECT dormouse.enqueue('t', queue => 'path')") ==
               R"(it's "%1$L" \a)");
}

BOOST_AUTO_TEST_CASE(installing_again_replaces) {
    const std::string count = "SELECT count(*) FROM pg_proc WHERE pronamespace = 'dormouse'::regnamespace";
    const std::string before = database.value(count);
    const auto again = install({wake("main", {"mail"})});
    BOOST_TEST(database.value(count) == before);
    BOOST_TEST(again.removed.empty());
    BOOST_TEST(again.installed == std::vector<std::string>{"main"}, boost::test_tools::per_element());
    BOOST_TEST(woken_by(insert_one) == "");
    BOOST_TEST(woken_by("SELECT dormouse.enqueue('t', queue => 'mail')") == "main");
    const std::vector<std::string> two{"main", "second"};
    BOOST_TEST(install({wake("second", {"default"})}).installed == two, boost::test_tools::per_element());
    BOOST_TEST(woken_by(insert_one) == "second");
}

BOOST_AUTO_TEST_CASE(removing_leaves_nothing) {
    const std::string left =
        "SELECT (SELECT count(*) FROM pg_proc WHERE proname LIKE 'local\\_wake%') + (SELECT count(*) FROM pg_trigger "
        "WHERE"
        " tgname LIKE 'local\\_wake%') + (SELECT count(*) FROM pg_class WHERE relname LIKE 'local\\_wake%') + (SELECT"
        " count(*) FROM pg_roles WHERE rolname = 'dormouse_local_wake') + (SELECT count(*) FROM pg_description WHERE"
        " description LIKE 'pool %')";
    const std::string depends = "SELECT (SELECT count(*) FROM pg_depend) + (SELECT count(*) FROM pg_shdepend)";
    const auto removed = apply({{}, {}, true});
    BOOST_REQUIRE(removed.has_value());
    BOOST_TEST(removed->removed == std::vector<std::string>{"main"}, boost::test_tools::per_element());
    BOOST_TEST(removed->role_stays == "");
    BOOST_TEST(database.value(left) == "0");
    const std::string before = database.value(depends);
    install({wake("main", {"default"}), wake("second", {"default"})});
    BOOST_TEST(apply({{}, {"main"}, false})->installed == std::vector<std::string>{"second"},
               boost::test_tools::per_element());
    BOOST_TEST(woken_by(insert_one) == "second");
    BOOST_TEST(apply({{}, {"second"}, false})->role_stays == "");
    BOOST_TEST(database.value(left) == "0");
    BOOST_TEST(database.value(depends) == before);
    BOOST_TEST(woken_by(insert_one) == "");
    BOOST_TEST(apply({{}, {}, true})->removed.empty());
}

BOOST_AUTO_TEST_CASE(a_role_that_another_database_needs_stays) {
    TestDatabase other;
    auto connection = other.connect();
    BOOST_REQUIRE(cli::apply_local_wake(connection, {{wake("other", {"default"})}, {}, false}).has_value());
    const auto removed = apply({{}, {}, true});
    BOOST_REQUIRE(removed.has_value());
    BOOST_TEST(removed->role_stays.find(other.name()) != std::string::npos, removed->role_stays);
    other.exec("SELECT dormouse.enqueue('t')");
    BOOST_TEST(take() == "other");
    const auto last = cli::apply_local_wake(connection, {{}, {}, true});
    BOOST_REQUIRE(last.has_value());
    BOOST_TEST(last->role_stays == "");
}

BOOST_AUTO_TEST_CASE(who_cannot_make_the_role_is_told_who_can) {
    apply({{}, {}, true});
    database.exec("DROP ROLE IF EXISTS plain; CREATE ROLE plain LOGIN");
    for (const char* const with : {"SELECT 1",
                                   "ALTER SCHEMA dormouse OWNER TO plain; ALTER TABLE dormouse.runs"
                                   " OWNER TO plain; ALTER TABLE dormouse.runs_live OWNER TO plain"}) {
        database.exec(with);
        const auto refused = apply({{wake("main", {"default"})}, {}, false}, "plain");
        BOOST_REQUIRE(!refused);
        BOOST_TEST((refused.error().kind == ErrorKind::denied));
        BOOST_TEST(refused.error().message.find("superuser") != std::string::npos, refused.error().message);
        BOOST_TEST(refused.error().message.find("postgresql://postgres@/DATABASE") != std::string::npos);
    }
    BOOST_TEST(database.value("SELECT count(*) FROM pg_proc WHERE proname LIKE 'local\\_wake%'") == "0");
    TestDatabase empty(TestDatabase::Schema::none);
    auto connection = empty.connect();
    const auto none = cli::apply_local_wake(connection, {{wake("main", {"default"})}, {}, false});
    BOOST_TEST((none.error().kind == ErrorKind::incompatible));
    BOOST_TEST(none.error().message.find("run `dormouse migrate` first") != std::string::npos, none.error().message);
}

BOOST_AUTO_TEST_CASE(a_role_with_members_is_refused) {
    apply({{}, {}, true});
    database.exec("DROP ROLE IF EXISTS sly; CREATE ROLE sly LOGIN; CREATE ROLE dormouse_local_wake NOLOGIN ROLE sly");
    const auto refused = apply({{wake("main", {"default"})}, {}, false});
    BOOST_REQUIRE(!refused);
    BOOST_TEST(refused.error().message.find("members (sly)") != std::string::npos, refused.error().message);
    BOOST_TEST(database.value("SELECT pg_has_role('sly', 'pg_write_server_files', 'member')") == "f");
    database.exec("DROP ROLE dormouse_local_wake; DROP ROLE sly");
}

BOOST_AUTO_TEST_CASE(a_directory_that_the_server_does_not_see_is_told) {
    BOOST_TEST(install({wake("main", {"default"})}).missing.empty());
    const std::string nowhere = directory.path() + "/nowhere";
    BOOST_TEST(install({{"main", nowhere + "/main", {"default"}}}).missing == std::vector<std::string>{nowhere},
               boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()
