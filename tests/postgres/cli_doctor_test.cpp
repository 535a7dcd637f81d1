// dormouse doctor, as a program: each thing that it can find wrong is made wrong once, in a real server or a real file.
#include <sys/stat.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <csignal>
#include <fstream>
#include <nlohmann/json.hpp>

#include "sql/embedded.h"
#include "support/cluster.h"
#include "support/foreground_worker.h"
#include "support/process.h"

namespace cli_doctor {

using namespace dormouse::testing;
using nlohmann::json;

namespace {

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

struct Doctor {
    TestDatabase& database;
    TemporaryDirectory directory;
    std::string rest = "[task.echo]\ncommand = [\"/bin/cat\"]\n";
    std::string url = database.url();

    void write() const {
        const std::string file = directory.path() + "/mail.toml";
        std::ofstream(file) << "[database]\nurl = \"" << url
                            << "\"\n[worker]\nqueues = [\"mail\"]\n[paths]\nruntime_directory = \"" << directory.path()
                            << "/run\"\nspool_directory = \"" << directory.path() << "/spool\"\n"
                            << rest;
        ::chmod(file.c_str(), 0600);
    }
    [[nodiscard]] Ended ended(std::vector<std::string> arguments) const {
        write();
        arguments.insert(arguments.begin(), "doctor");
        return run(cli_program(std::move(arguments), {{"DORMOUSE_CONFIG_DIR", directory.path()}}));
    }
    [[nodiscard]] json findings() const {
        const Ended end = ended({"--json"});
        const json document = json::parse(end.out);
        BOOST_TEST((document.at("ok") == true ? 0 : 13) == end.exit_code, end.err);
        return document.at("findings");
    }
    /// One of that grade says so, and names what mends it.
    void finds(const std::string& grade, const std::string& about, const std::string& text,
               const std::string& remedy) const {
        const json all = findings();
        const bool found = std::any_of(all.begin(), all.end(), [&](const json& one) {
            return one.at("grade") == grade && one.at("about") == about && has(one.at("text"), text) &&
                   (remedy.empty() || (one.at("remedy").is_string() && has(one.at("remedy"), remedy)));
        });
        BOOST_TEST(found, grade << " " << about << ": " << text << "; " << remedy << " is not in " << all.dump(1));
    }
};

struct Fixture {
    TestDatabase database;
    Doctor doctor{database, {}};
};

/// The first finding of a statement.
std::string first_of(TestDatabase& database, const char* sql, const std::string& parameter) {
    return database.value("SELECT concat_ws(': ', q.grade, q.about, q.text, q.remedy) FROM (" + std::string(sql) +
                              ") AS q (grade, about, text, remedy) LIMIT 1",
                          {parameter});
}

}  // namespace

}  // namespace cli_doctor

BOOST_FIXTURE_TEST_SUITE(cli_doctor, Fixture, *boost::unit_test::precondition(has_postgres))

BOOST_AUTO_TEST_CASE(all_is_well_and_each_line_says_of_what) {
    Cluster ordinary(ClusterOptions{.settings = {"autovacuum = on"}});
    TestDatabase there(TestDatabase::Schema::migrated, ordinary);
    doctor.url = there.url();
    const Ended end = doctor.ended({});
    BOOST_TEST(end.exit_code == 0, end.out << end.err);
    for (const char* const line :
         {"ok       pool mail: configuration: ", "ok       pool mail: database: ", "ok       pool mail: task echo: ",
          "ok       server: PostgreSQL ", "ok       TLS: not needed", "ok       clock: ", "ok       schema: fits",
          "ok       triggers: dormouse's are enabled",
          "ok       locks: ", "ok       snapshots: ", "ok       publications: ", "ok       version: "})
        BOOST_TEST(has(end.out, line), line << " is not in " << end.out);
    const json all = doctor.findings();
    for (const json& one : all)
        BOOST_TEST((one.at("grade") == "ok") == one.at("remedy").is_null(),
                   one.dump());  // who is not well has a remedy
}

BOOST_AUTO_TEST_CASE(a_server_that_is_not_there_and_a_schema_that_is_missing) {
    doctor.url = "postgresql://postgres@/nothing?host=/nowhere";
    doctor.finds("failed", "database", "/nowhere", "pg_isready");
    doctor.finds("failed", "pool mail: database", "/nowhere", "dormouse worker mail --check");
    doctor.finds("note", "pool mail: handlers", "not tried", "");
    TestDatabase empty(TestDatabase::Schema::none);
    doctor.url = empty.url();
    doctor.finds("failed", "schema", "no schema dormouse", "dormouse migrate");
}

BOOST_AUTO_TEST_CASE(what_a_pool_names_and_cannot_start_or_read) {
    doctor.rest = "[task.ghost]\ncommand = [\"/no/such/program\"]\n";
    doctor.finds("failed", "pool mail: task ghost", "/no/such/program", "dormouse try ghost --pool mail");
    doctor.rest = "[worker\n";
    doctor.finds("failed", "pool mail: configuration", "mail.toml", "dormouse config mail");
    const Ended none = doctor.ended({"--pool", "nobody"});
    BOOST_TEST(none.exit_code == 13);
    BOOST_TEST(has(none.out, "failed   pool nobody: there is no file for it"), none.out);
}

BOOST_AUTO_TEST_CASE(secrets_that_others_may_read_and_files_that_were_put_aside) {
    const auto file = [&](const std::string& name, mode_t mode) {
        const std::string path = doctor.directory.path() + "/" + name;
        std::ofstream(path) << "A=b\n";
        ::chmod(path.c_str(), mode);
        return path;
    };
    const std::string passfile = file("pass", 0640);
    const std::string environment = file("env", 0644);
    doctor.url += "&passfile=" + passfile;
    doctor.rest = "[task.echo]\ncommand = [\"/bin/cat\"]\nenvironment_file = \"" + environment + "\"\n";
    doctor.finds("failed", "pool mail: passfile", "libpq does not use it", "chmod 600 " + passfile);
    doctor.finds("failed", "pool mail: environment of echo", "others may read it", "chmod o= " + environment);
    const std::string spool = doctor.directory.path() + "/spool";
    for (const std::string& made : {spool, spool + "/mail", spool + "/mail.rejected"}) ::mkdir(made.c_str(), 0755);
    doctor.finds("ok", "pool mail: spool", "inodes are free", "");
    std::ofstream(spool + "/mail.rejected/x.json") << "x";
    doctor.finds("warning", "spool of pool mail", "1 file has been put aside", "find " + spool + "/mail.rejected ");
}

BOOST_AUTO_TEST_CASE(what_others_have_put_onto_our_tables) {
    database.exec(
        "CREATE FUNCTION public.note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;"
        "CREATE TRIGGER theirs AFTER INSERT ON dormouse.runs FOR EACH ROW EXECUTE FUNCTION public.note()");
    doctor.finds("note", "triggers", "theirs on dormouse.runs is not ours", "DROP TRIGGER theirs ON dormouse.runs");
    const std::string unpinned = "function public.note of theirs on dormouse.runs has no search_path of its own";
    doctor.finds("note", "triggers", unpinned, "ALTER FUNCTION public.note() SET search_path");
    database.exec("ALTER FUNCTION public.note() SET search_path = public");
    BOOST_TEST(!has(doctor.findings().dump(), unpinned));
    database.exec("ALTER TABLE dormouse.runs DISABLE TRIGGER runs_inserted");
    doctor.finds("failed", "triggers", "runs_inserted on dormouse.runs is disabled", "ENABLE TRIGGER runs_inserted");
    database.exec("CREATE RULE twice AS ON DELETE TO dormouse.worker_registry DO ALSO NOTHING");
    doctor.finds("warning", "rules", "twice on dormouse.worker_registry", "DROP RULE twice");
    database.exec("ALTER TABLE dormouse.runs_live ENABLE ROW LEVEL SECURITY");
    doctor.finds("warning", "row security", "dormouse.runs_live", "DISABLE ROW LEVEL SECURITY");
}

BOOST_AUTO_TEST_CASE(roles_that_may_more_than_dormouse_grants_and_a_database_for_everybody) {
    apply_roles(database);
    doctor.finds("note", "roles", "everybody may connect to database " + database.name(), "REVOKE CONNECT");
    database.exec("REVOKE CONNECT ON DATABASE " + database.name() + " FROM PUBLIC");
    BOOST_TEST(!has(doctor.findings().dump(), "everybody may connect"));
    database.exec("ALTER ROLE dormouse_reader SUPERUSER LOGIN");
    doctor.finds("warning", "roles", "dormouse_reader is a superuser, can log in",
                 "ALTER ROLE dormouse_reader NOLOGIN");
    const Ended refused = run(cli_program({"migrate", "--roles"}, {{"DATABASE_URL", database.url()}}));
    database.exec("ALTER ROLE dormouse_reader NOSUPERUSER NOLOGIN");
    BOOST_TEST(refused.exit_code != 0);
    BOOST_TEST(has(refused.err, "role dormouse_reader is there already, and may more"), refused.err);
    BOOST_TEST(run(cli_program({"migrate", "--roles"}, {{"DATABASE_URL", database.url()}})).exit_code == 0);
}

// "0" is this host by a name that does not say so.
BOOST_AUTO_TEST_CASE(a_server_on_another_host_that_proves_nothing_is_told_by_each_that_connects) {
    Cluster remote(ClusterOptions{.tcp = true, .settings = {}});
    TestDatabase there(TestDatabase::Schema::migrated, remote);
    const std::string loopback = remote.tcp_url(there.name());
    doctor.url = loopback;
    doctor.url.replace(doctor.url.find("127.0.0.1"), 9, "0").append("?sslmode=disable");
    there.exec(std::string("GRANT ALL ON SCHEMA dormouse TO ") + password_user);
    const std::string said = "sslmode=disable sends password and payloads to 0";
    doctor.finds("warning", "TLS", said, "write ?sslmode=verify-full&sslrootcert=");
    const std::string file = doctor.directory.path() + "/mail.toml";
    const auto command = [&](std::vector<std::string> words) {
        words.insert(words.end(), {"--config", file});
        return run(cli_program(std::move(words), {}));
    };
    const Ended check = command({"worker", "mail", "--check"});
    BOOST_TEST(has(check.out + check.err, said), check.out << check.err);
    const Ended config = command({"config", "mail"});
    BOOST_TEST(has(config.out + config.err, said), config.out << config.err);
    Process worker(cli_program({"worker", "mail", "--config", file}, {}));
    BOOST_TEST(worker.saw_error(said));
    worker.signal(SIGTERM);
    static_cast<void>(worker.wait());
}

BOOST_AUTO_TEST_CASE(a_login_without_rights_and_one_that_does_not_see_row_security) {
    const std::string login = "doctor_" + database.name();
    database.exec("CREATE ROLE " + login + " LOGIN; GRANT USAGE ON SCHEMA dormouse TO " + login +
                  "; GRANT SELECT ON ALL TABLES IN SCHEMA dormouse TO " + login);
    doctor.url = database.url(login);
    doctor.finds("failed", "login", "may not do what a worker does", "GRANT dormouse_worker TO " + login);
    doctor.finds("note", "login", "not told whose sessions", "GRANT pg_read_all_stats TO " + login);
    database.exec("ALTER TABLE dormouse.runs_live ENABLE ROW LEVEL SECURITY");
    doctor.finds("failed", "row security", "does not see all runs", "DISABLE ROW LEVEL SECURITY");
    database.exec("ALTER TABLE dormouse.runs_live DISABLE ROW LEVEL SECURITY; ALTER ROLE " + login +
                  " SET default_transaction_read_only = on");
    doctor.finds("failed", "server", "read only", "ALTER ROLE " + login);
    database.exec("DROP OWNED BY " + login + "; DROP ROLE " + login);
}

BOOST_AUTO_TEST_CASE(a_table_of_another_owner_and_publications_that_choose) {
    const std::string other = "owner_" + database.name();  // its eyes, too
    database.exec("CREATE ROLE " + other + " LOGIN; GRANT USAGE ON SCHEMA dormouse TO " + other +
                  "; GRANT SELECT ON ALL TABLES IN SCHEMA dormouse TO " + other +
                  "; CREATE TABLE dormouse.runs_finished_2020 PARTITION OF dormouse.runs_finished FOR VALUES FROM "
                  "('2020-01-01') TO ('2020-02-01'); ALTER TABLE dormouse.runs_finished_2020 OWNER TO " +
                  other);
    doctor.url = database.url(other);
    doctor.finds("failed", "roles", "table dormouse.runs_finished_2020 belongs to " + other,
                 "ALTER TABLE dormouse.runs_finished_2020 OWNER TO postgres");
    doctor.url = database.url();
    database.exec("DROP TABLE dormouse.runs_finished_2020; DROP OWNED BY " + other + "; DROP ROLE " + other);
    database.exec("ALTER TABLE dormouse.keys REPLICA IDENTITY NOTHING");
    database.exec("CREATE PUBLICATION whole FOR TABLE dormouse.keys");
    doctor.finds("failed", "publication", "whole publishes dormouse.keys, which has no replica identity",
                 "ALTER TABLE dormouse.keys REPLICA IDENTITY DEFAULT");
    database.exec("ALTER TABLE dormouse.keys REPLICA IDENTITY DEFAULT; DROP PUBLICATION whole");
    if (std::stoi(database.value("SHOW server_version_num")) < 150'000) return;
    database.exec("CREATE PUBLICATION chosen FOR TABLE dormouse.runs_live WHERE (task = 'a')");
    doctor.finds("warning", "publication", "chosen publishes only some rows or columns of dormouse.runs_live",
                 "ALTER PUBLICATION chosen DROP TABLE dormouse.runs_live");
    database.exec("DROP PUBLICATION chosen");
}

BOOST_AUTO_TEST_CASE(autovacuum_that_does_not_come_and_dead_rows) {
    doctor.finds("warning", "autovacuum", "autovacuum is off", "ALTER SYSTEM SET autovacuum = on");  // this cluster's
    database.exec("ALTER TABLE dormouse.keys SET (autovacuum_enabled = off)");
    doctor.finds("warning", "autovacuum", "dormouse.keys is left out", "RESET (autovacuum_enabled)");
    database.exec("SELECT dormouse.enqueue('echo') FROM generate_series(1, 20); DELETE FROM dormouse.runs");
    BOOST_TEST(eventually([&] {
        return has(first_of(database,
                            ("SELECT * FROM (" + std::string(dormouse::sql::cli::doctor_vacuum) +
                             ") AS d (a, b, c, d) WHERE b = 'dead rows'")
                                .c_str(),
                            "20"),
                   "VACUUM (VERBOSE) dormouse.runs_live");
    }));
}

BOOST_AUTO_TEST_CASE(who_holds_an_old_snapshot_is_named) {
    TestDatabase& same = database;
    const auto holds = [&] { return first_of(same, dormouse::sql::cli::doctor_snapshots, "0"); };
    BOOST_TEST(holds() == "");
    auto other =
        dormouse::postgres::BlockingConnection::open(database.url(), {"a report", {}, dormouse::Millis{10'000}});
    BOOST_REQUIRE(other->script("begin", "BEGIN; SELECT count(*) FROM dormouse.runs"));
    BOOST_TEST(has(holds(), "a report, idle in transaction) has a transaction open for "), holds());
    BOOST_TEST(has(holds(), "SELECT pg_terminate_backend("), holds());
    BOOST_REQUIRE(other->script("prepare", "PREPARE TRANSACTION 'left_behind'"));
    BOOST_TEST(has(holds(), "ROLLBACK PREPARED 'left_behind'"), holds());
    BOOST_REQUIRE(other->script("rollback", "ROLLBACK PREPARED 'left_behind'"));
    BOOST_REQUIRE(other->script("slot", "SELECT pg_create_physical_replication_slot('" + database.name() + "')"));
    doctor.finds("warning", "replication slot", database.name(), "SELECT pg_drop_replication_slot('" + database.name());
    BOOST_REQUIRE(other->script("slot", "SELECT pg_drop_replication_slot('" + database.name() + "')"));
}

BOOST_AUTO_TEST_CASE(who_holds_up_others_is_named_and_not_who_waits_himself) {
    const auto connect = [&](const char* name) {
        return dormouse::postgres::BlockingConnection::open(database.url(), {name, {}, dormouse::Millis{10'000}});
    };
    TestDatabase& same = database;
    const auto all = [&] {
        return same.value("SELECT string_agg(concat_ws(': ', q.grade, q.text, q.remedy), '; ') FROM (" +
                              std::string(dormouse::sql::cli::doctor_locks) + ") AS q (grade, about, text, remedy)",
                          {"3600"});
    };
    BOOST_TEST(all() == "");
    auto reader = connect("a report");
    BOOST_REQUIRE(reader->script("begin", "BEGIN; SELECT count(*) FROM dormouse.runs"));
    const std::string pid = database.value("SELECT pid FROM pg_stat_activity WHERE application_name = 'a report'");
    const std::string psql = "psql -X -q -d '" + database.url() + "' -c ";
    const std::string alter = psql + "'ALTER TABLE dormouse.runs ADD tenant text'";
    const std::string insert = psql + "\"INSERT INTO dormouse.runs (task) VALUES ('t')\"";
    Process first({{"/bin/sh", "-c", alter}, "", {}, "", dormouse::Millis{30'000}});
    const auto waiting = [&] { return same.value("SELECT count(*) FROM pg_locks WHERE NOT granted"); };
    BOOST_TEST_REQUIRE(eventually([&] { return waiting() == "1"; }));
    Process second({{"/bin/sh", "-c", insert}, "", {}, "", dormouse::Millis{30'000}});
    BOOST_TEST_REQUIRE(eventually([&] { return waiting() == "2"; }));
    BOOST_TEST(eventually([&] { return has(all(), "holds up 2 sessions"); }), all());
    BOOST_TEST(has(all(), "(pid " + pid + ", a report, idle in transaction) holds up 2 sessions of dormouse's tables"));
    BOOST_TEST(has(all(), "SELECT pg_terminate_backend(" + pid + ")"));
    BOOST_TEST(!has(all(), "; "), all());  // the ALTER TABLE waits as well: to end it alone is no remedy
    doctor.finds("warning", "lock", "holds up 2 sessions", "SELECT pg_terminate_backend(" + pid + ")");
    BOOST_REQUIRE(reader->script("end", "COMMIT"));
    BOOST_TEST(first.wait().exit_code == 0);
    BOOST_TEST(second.wait().exit_code == 0);
    BOOST_TEST(all() == "");
}

// Nobody waits for such a row: workers pass it over.
BOOST_AUTO_TEST_CASE(who_has_locked_rows_and_is_not_waited_for_is_named) {
    TestDatabase& same = database;
    const auto holds = [&] { return first_of(same, dormouse::sql::cli::doctor_locks, "0"); };
    database.exec("SELECT dormouse.enqueue('echo')");
    auto other = dormouse::postgres::BlockingConnection::open(database.url(), {"a look", {}, dormouse::Millis{10'000}});
    BOOST_REQUIRE(other->script("begin", "BEGIN; SELECT FROM dormouse.runs"));
    BOOST_TEST(holds() == "");
    BOOST_REQUIRE(other->script("lock", "SELECT FROM dormouse.runs FOR UPDATE"));
    BOOST_TEST(has(holds(), "a look, idle in transaction) may hold rows of dormouse.runs for "), holds());
    BOOST_TEST(has(holds(), "SELECT pg_terminate_backend("), holds());
    const std::string login = "doctor_" + database.name();
    database.exec("CREATE ROLE " + login + " LOGIN; GRANT USAGE ON SCHEMA dormouse TO " + login +
                  "; GRANT SELECT ON ALL TABLES IN SCHEMA dormouse TO " + login);
    doctor.url = database.url(login);
    doctor.finds("note", "lock", "a look) may hold rows of dormouse.runs, for how long is not told",
                 "SELECT pg_terminate_backend(");
    BOOST_REQUIRE(other->script("end", "ROLLBACK"));
    database.exec("DROP OWNED BY " + login + "; DROP ROLE " + login);
}

// It has no session that could be ended.
BOOST_AUTO_TEST_CASE(a_prepared_transaction_that_holds_rows_or_holds_up_others_is_named_with_what_ends_it) {
    TestDatabase& same = database;
    const auto holds = [&] { return first_of(same, dormouse::sql::cli::doctor_locks, "0"); };
    const std::string quoted = "'it''s " + database.name() + "'";
    database.exec("SELECT dormouse.enqueue('echo')");
    auto other = dormouse::postgres::BlockingConnection::open(database.url(), {"a look", {}, dormouse::Millis{10'000}});
    BOOST_REQUIRE(
        other->script("prepare", "BEGIN; SELECT FROM dormouse.runs FOR UPDATE; PREPARE TRANSACTION " + quoted));
    BOOST_TEST(
        has(holds(), "the prepared transaction " + quoted + " of postgres may hold rows of dormouse.runs since "),
        holds());
    BOOST_TEST(has(holds(), "COMMIT PREPARED " + quoted + ", or ROLLBACK PREPARED " + quoted), holds());
    const auto up = [&] {
        return same.value("SELECT q.text || ': ' || q.remedy FROM (" + std::string(dormouse::sql::cli::doctor_locks) +
                              ") AS q (grade, about, text, remedy) WHERE q.text LIKE '%holds up%'",
                          {"3600"});
    };
    BOOST_TEST(up() == "");
    Process waits(
        {{"/bin/sh", "-c", "psql -X -q -d '" + database.url() + "' -c 'ALTER TABLE dormouse.runs ADD tenant text'"},
         "",
         {},
         "",
         dormouse::Millis{30'000}});
    BOOST_TEST(eventually([&] { return !up().empty(); }));
    BOOST_TEST(has(up(), "COMMIT PREPARED or ROLLBACK PREPARED, with its gid: " + quoted), up());
    // one that has only read the table holds no rows
    BOOST_REQUIRE(other->script("rollback", "ROLLBACK PREPARED " + quoted));
    BOOST_TEST(waits.wait().exit_code == 0);
    BOOST_REQUIRE(other->script("prepare", "BEGIN; SELECT FROM dormouse.runs; PREPARE TRANSACTION " + quoted));
    BOOST_TEST(holds() == "");
    BOOST_REQUIRE(other->script("rollback", "ROLLBACK PREPARED " + quoted));
}

BOOST_AUTO_TEST_CASE(a_publication_a_provider_and_a_worker_of_another_release) {
    database.exec("CREATE PUBLICATION everything FOR ALL TABLES");
    doctor.finds("note", "publication", "everything publishes", "FOR ALL TABLES");
    database.exec("ALTER DATABASE " + database.name() + " SET neon.timeline_id = 'x'");
    doctor.finds("ok", "server", "of Neon, which can suspend itself", "");
    doctor.finds("note", "server", "keeps it from suspending", "database.close_after");
    database.exec(
        "INSERT INTO dormouse.worker_registry (id, pool, queues, host, pid, pid_start, boot_id, version, session_pid, "
        "session_login) SELECT gen_random_uuid(), 'mail', '{mail}', 'another-host', 1, 1, gen_random_uuid(), '0.0.9', "
        "pid, "
        "usesysid FROM pg_stat_activity WHERE pid = pg_backend_pid()");
    doctor.finds("warning", "version", "on another-host is 0.0.9",
                 "systemctl try-reload-or-restart dormouse@mail.service");
}

BOOST_AUTO_TEST_CASE(what_status_calls_for_attention_is_a_finding) {
    database.exec("SELECT dormouse.enqueue('unheard_of', queue => 'mail')");
    doctor.finds("failed", "task unheard_of", "no pool of this machine knows it", "add [task.\"unheard_of\"]");
}

BOOST_AUTO_TEST_SUITE_END()
