// Columns of somebody's own on dormouse.runs: what is in them is there whatever way a run goes, also when they are
// added, renamed or dropped while a worker is awake.
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "sql/embedded.h"
#include "store/columns.h"
#include "support/pool_bench.h"

BOOST_AUTO_TEST_SUITE(own_columns, *boost::unit_test::precondition(dormouse::testing::has_postgres))

using namespace dormouse;
using namespace dormouse::testing;

namespace {

struct Scene {
    TestDatabase database;
    PoolBench bench;

    Scene() : bench(database.url(), {.worker = "concurrency = 4"}) {}
    std::string insert(const std::string& task, const std::string& columns = "tenant",
                       const std::string& values = "'acme'") {
        return database.value("INSERT INTO dormouse.runs (task, max_attempts, " + columns + ") VALUES ('" + task +
                              "', 2, " + values + ") RETURNING id");
    }
    std::string of(const std::string& id, const std::string& what) {
        return database.value("SELECT " + what + " FROM dormouse.runs WHERE id = '" + id + "'");
    }
    void until(const std::string& id, const std::string& status) {
        BOOST_TEST(bench.until([&] { return of(id, "status") == status; }),
                   of(id, "status || coalesce(error::text, '')"));
    }
    /// The run's tenant once it has this status.
    std::string at(const std::string& id, const std::string& status) {
        until(id, status);
        return of(id, "tenant");
    }
};

}  // namespace

BOOST_AUTO_TEST_CASE(the_statements_name_all_columns_that_a_migration_makes) {
    TestDatabase database;
    const std::string all = database.value(
        "SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = "
        "'dormouse.runs_live'::regclass AND attnum > 0 AND NOT attisdropped");
    store::Columns columns;
    BOOST_TEST(!columns.read(all, all));
    BOOST_TEST(columns.missing() == "");
    for (const char* const sql : {sql::finish, sql::finish_fast, sql::refuse_waiting})
        BOOST_TEST(columns.fit(sql) == sql);
}

BOOST_AUTO_TEST_CASE(names_are_read_as_sql_has_them) {
    const std::string text = sql::finish;
    const std::size_t begin = text.find("/*columns*/") + 11;
    const std::string known = text.substr(begin, text.find("/*end*/") - begin);
    store::Columns columns;
    BOOST_TEST(columns.read(known + ", \"a, b\", made, \"say \"\"it\"\"\"", known + ", \"a, b\", \"say \"\"it\"\"\""));
    const std::string fitted = columns.fit(sql::finish);
    BOOST_TEST(fitted.find("cut_off, \"a, b\", \"say \"\"it\"\"\") OVERRIDING") != std::string::npos, fitted);
    const char* const first = columns.fit(sql::finish);
    BOOST_TEST(columns.read(known, known));
    BOOST_TEST(columns.read(known + ", tenant", known + ", tenant"));
    BOOST_TEST(columns.fit(sql::finish) != first);
    BOOST_TEST(columns.missing() == "");
    columns.read(known.substr(4), known.substr(4));
    BOOST_TEST(columns.missing() == "id");
}

/// One column for each word in our functions that none is named like: what they declare is meant wherever it could be
/// taken for a column.
const char* const every_word = "each word";

std::string columns_like_words(TestDatabase& database) {
    return database.value(
        "SELECT 'tenant text' || string_agg(format(', ADD COLUMN %I text', word), '') FROM (SELECT DISTINCT m[1] "
        "FROM pg_proc p, regexp_matches(p.prosrc, '\\m([a-z][a-z_]*)\\M', 'g') m WHERE pronamespace = "
        "'dormouse'::regnamespace) w (word) WHERE word <> 'tenant' AND word NOT IN (SELECT attname FROM pg_attribute "
        "WHERE attrelid = 'dormouse.runs'::regclass)");
}

const std::vector<const char*> tenants{
    every_word,
    "tenant text",
    "tenant text DEFAULT 'nobody'",
    "tenant text NOT NULL DEFAULT 'nobody'",
    "tenant text CHECK (tenant IS NULL OR length(tenant) < 9)",
    "tenant text REFERENCES public.tenants (name)",
    "tenant text, ADD COLUMN \"a, \"\"b\" int DEFAULT 7",
    "tenant text, ADD COLUMN new_status text, ADD COLUMN counts int",
    "tenant text, ADD COLUMN \"ending.status\" text DEFAULT 'mine', ADD COLUMN \"ending..result\" jsonb",
    "tenant text, ADD COLUMN tid int, ADD COLUMN held uuid[] DEFAULT '{}', ADD COLUMN before timestamptz DEFAULT "
    "'-infinity', ADD COLUMN statuses text[] "
    "DEFAULT '{}', ADD COLUMN found_ids uuid[] DEFAULT '{}', ADD COLUMN finished text[] DEFAULT '{}', ADD COLUMN seen "
    "text, ADD COLUMN run text, ADD "
    "COLUMN owner uuid, ADD COLUMN new_id uuid, ADD COLUMN due timestamptz, ADD COLUMN ids uuid[], ADD COLUMN owners "
    "uuid[]",
    "tenant text, ADD COLUMN length int GENERATED ALWAYS AS (length(tenant)) STORED"};

BOOST_DATA_TEST_CASE(a_value_is_there_whatever_becomes_of_the_run, boost::unit_test::data::make(tenants), column) {
    Scene scene;
    TestDatabase& database = scene.database;
    BOOST_TEST_REQUIRE(scene.bench.until_idle());
    database.exec(
        "CREATE TABLE public.tenants (name text PRIMARY KEY); INSERT INTO public.tenants VALUES ('acme'), ('nobody')");
    // the statements have been prepared without it
    const std::string early = database.value("SELECT dormouse.enqueue('echo')");
    scene.until(early, "completed");
    database.exec("ALTER TABLE dormouse.runs ADD COLUMN " +
                  (column == every_word ? columns_like_words(database) : std::string(column)));

    for (int i = 0; i < 12; ++i)
        BOOST_TEST(database.value("SELECT trouble FROM dormouse.retain('p', 86400000, now())") == "");
    BOOST_TEST(database.value(
                   "SELECT count(*) > 8 FROM pg_inherits WHERE inhparent = 'dormouse.runs_finished'::regclass") == "t");

    const std::string good = scene.insert("echo");
    const std::string bad = scene.insert("fail");    // twice: put back, then failed
    const std::string late = scene.insert("later");  // put off, then completed
    BOOST_TEST(scene.at(good, "completed") == "acme");
    BOOST_TEST(scene.at(bad, "failed") == "acme");
    BOOST_TEST(scene.at(late, "completed") == "acme");

    BOOST_TEST(database.value("SELECT dormouse.retry('" + bad + "') LIKE 'queued%'") == "t");
    BOOST_TEST(scene.at(bad, "failed") == "acme");
    BOOST_TEST(database.value("SELECT dormouse.archive('" + bad + "') LIKE 'archived%'") == "t");
    BOOST_TEST(scene.of(bad, "tenant") == "acme");
    database.exec("UPDATE dormouse.runs SET run_at = 'infinity' WHERE status = 'queued'");
    const std::string held = scene.insert("hold");
    BOOST_TEST(scene.at(held, "running") == "acme");
    BOOST_TEST(database.value("SELECT dormouse.cancel('" + held + "') LIKE 'canceled%'") == "t");
    BOOST_TEST(scene.at(held, "canceled") == "acme");
    BOOST_TEST(database.value("SELECT changed FROM dormouse.retry_runs(task => 'echo', status => 'completed')") == "2");
    BOOST_TEST(scene.at(good, "completed") == "acme");
    BOOST_TEST(database.value("SELECT changed FROM dormouse.archive_runs(task => 'later')") == "1");
    BOOST_TEST(scene.of(late, "tenant || (archived_at IS NOT NULL)") == "acmetrue");
    const std::string parked = scene.insert("echo", "run_at, tenant", "'infinity', 'acme'");
    BOOST_TEST(database.value("SELECT changed FROM dormouse.cancel_runs(status => 'queued', older_than => '0')") ==
               "1");
    BOOST_TEST(scene.of(parked, "status || ' ' || tenant") == "canceled acme");
    BOOST_TEST(
        database.value(
            "SELECT count(*) FROM dormouse.enqueue_many('echo', ARRAY['1','2']::jsonb[], keys => ARRAY['a','b'])") ==
        "2");
}

BOOST_AUTO_TEST_CASE(a_run_that_cannot_be_claimed_keeps_it_too) {
    Scene scene;
    scene.database.exec(
        "ALTER TABLE dormouse.runs ADD COLUMN tenant text; CREATE FUNCTION public.no() RETURNS trigger LANGUAGE "
        "plpgsql AS $$ BEGIN "
        "RAISE 'no'; END $$; CREATE TRIGGER no BEFORE UPDATE ON dormouse.runs_live FOR EACH ROW WHEN (NEW.status = "
        "'running') "
        "EXECUTE FUNCTION public.no()");
    BOOST_TEST(scene.at(scene.insert("echo"), "failed") == "acme");
}

BOOST_AUTO_TEST_CASE(columns_come_and_go_under_a_worker_that_is_awake) {
    Scene scene;
    BOOST_TEST_REQUIRE(scene.bench.until_idle());
    const std::string session =
        "SELECT string_agg(pid::text, ' ') FROM pg_stat_activity WHERE application_name LIKE 'dormouse worker%' AND "
        "datname = current_database()";
    const std::string before = scene.database.value(session);
    for (const char* const change :
         {"ADD COLUMN tenant text", "RENAME tenant TO customer", "RENAME customer TO tenant",
          "ADD COLUMN more int DEFAULT 3", "DROP COLUMN more", "ALTER tenant TYPE varchar(40)",
          "DROP COLUMN tenant, ADD COLUMN tenant jsonb",
          "DROP COLUMN tenant, ADD COLUMN tenant text, ADD COLUMN made text GENERATED ALWAYS AS (tenant) STORED",
          "DROP COLUMN made, ADD COLUMN made text"}) {
        BOOST_TEST_CONTEXT(change) {
            scene.database.exec("ALTER TABLE dormouse.runs " + std::string(change));
            const std::string name = std::string(change) == "RENAME tenant TO customer" ? "customer" : "tenant";
            const std::string id = scene.insert("echo", name, "'7'");
            scene.until(id, "completed");
            BOOST_TEST(scene.of(id, name) == "7");
        }
    }
    BOOST_TEST(scene.database.value(session) == before);
    BOOST_TEST(scene.database.value("SELECT count(*) FROM dormouse.attempt_log") == "0");
}

BOOST_AUTO_TEST_CASE(a_column_of_ours_that_is_renamed_is_named) {
    TestDatabase database;
    database.exec("ALTER TABLE dormouse.runs RENAME task TO job");
    loop::Loop loop;
    std::string said;
    store::Wire::Terms terms;
    terms.place.url = database.url();
    terms.identity.version = "0.1.0";
    terms.opens_again = false;
    store::Wire::Events events;
    events.on_lost = [&](const Error& error) {
        said = error.message;
        loop.stop();
    };
    store::Wire wire(loop, terms, events);
    wire.open();
    loop.run();
    BOOST_TEST(said.find("dormouse.runs has no column task any more") != std::string::npos, said);
}

BOOST_AUTO_TEST_CASE(columns_may_have_the_names_of_what_functions_declare) {
    TestDatabase database;
    database.exec("ALTER TABLE dormouse.runs ADD COLUMN " + columns_like_words(database));
    const auto said = [&](const std::string& call) { return database.value("SELECT dormouse." + call); };
    for (const std::string key : {"NULL", "'k'"}) {
        const std::string id = said("enqueue('t', key => " + key + ")");
        BOOST_TEST(said("cancel('" + id + "')") == "canceled: it was queued");
        BOOST_TEST(said("retry('" + id + "')") == "queued: it was canceled");
        BOOST_TEST(said("archive('" + id + "')") == "archived: it was queued and is canceled");
        BOOST_TEST(said("retry('" + id + "')") == "queued: it was canceled");
        BOOST_TEST(said("watch('" + id + "')") == "t");
        BOOST_TEST(database.value("SELECT status FROM dormouse.run('" + id + "')") == "queued");
        BOOST_TEST(database.value("SELECT count(*) FROM dormouse.attempts_of('" + id + "')") == "0");
    }
    const auto changed = [&](const std::string& call) {
        return database.value("SELECT changed || ' ' || locked || ' ' || refused FROM dormouse." + call);
    };
    BOOST_TEST(changed("cancel_runs(task => 't')") == "2 0 0");
    BOOST_TEST(changed("retry_runs('canceled')") == "2 0 0");
    BOOST_TEST(changed("cancel_runs('queued')") == "2 0 0");
    BOOST_TEST(changed("archive_runs('canceled')") == "2 0 0");
    BOOST_TEST(database.value("SELECT count(*) FROM dormouse.enqueue_many('t', '{1,2}'::jsonb[], keys => '{k,n}')") ==
               "2");
    for (int step = 0; step < 5; ++step)
        database.exec("SELECT dormouse.retain('p', 86400000, now() + interval '3 days')");
    BOOST_TEST(database.value("SELECT trouble FROM dormouse.retention") == "");
}

BOOST_AUTO_TEST_SUITE_END()
