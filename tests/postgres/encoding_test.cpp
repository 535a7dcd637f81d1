// Databases that are not UTF-8 are refused before anything is stored in them; row level security that hides runs is an
// error and not an empty queue.
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <string_view>

#include "sql/embedded.h"
#include "support/cluster.h"
#include "support/paths.h"
#include "support/process.h"

BOOST_AUTO_TEST_SUITE(encoding, *boost::unit_test::precondition(dormouse::testing::has_postgres))

using namespace dormouse;
using namespace dormouse::testing;

namespace {

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

/// A database of another encoding.
class Encoded {
  public:
    explicit Encoded(const std::string& encoding, const std::string& order = "LC_COLLATE 'C' LC_CTYPE 'C'")
        : name_("encoded_" + encoding) {
        server_.exec("CREATE DATABASE \"" + name_ + "\" ENCODING '" + encoding + "' TEMPLATE template0 " + order);
    }
    ~Encoded() { server_.exec("DROP DATABASE \"" + name_ + "\" WITH (FORCE)"); }
    Encoded(const Encoded&) = delete;
    Encoded& operator=(const Encoded&) = delete;

    [[nodiscard]] std::string url() const { return Cluster::shared().url(name_); }

  private:
    TestDatabase server_{TestDatabase::Schema::none};
    std::string name_;
};

/// The file of a pool of this database.
std::string pool_file(const TemporaryDirectory& directory, const std::string& url) {
    std::string file = directory.path() + "/p.toml";
    std::ofstream(file) << "[database]\nurl = \"" << url << "\"\n[paths]\nruntime_directory = \"" << directory.path()
                        << "\"\nspool_directory = \"" << directory.path() << "\"\nwake_directory = \""
                        << directory.path() << "\"\n[task.t]\ncommand = [\"/bin/true\"]\n";
    return file;
}

Ended dormouse_does(const std::string& url, std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), dormouse_binary);
    Process process(Program{std::move(arguments), "", {{"DATABASE_URL", url}}, "", Millis{60'000}});
    return process.wait();
}

/// Whether a database can have an order that is not the system's (Postgres 15).
boost::test_tools::assertion_result has_icu_databases(boost::unit_test::test_unit_id /*test*/) {
    TestDatabase server(TestDatabase::Schema::none);
    boost::test_tools::assertion_result has(
        server.value("SELECT current_setting('server_version_num')::int >= 150000") == "t");
    if (!has) has.message() << "a database in the order of ICU needs Postgres 15";
    return has;
}

}  // namespace

// An index in the order of a language is out of order after an upgrade of the host's libraries, and runs are not found
// in it.
BOOST_AUTO_TEST_CASE(no_index_is_in_the_order_of_a_language) {
    TestDatabase database;
    BOOST_TEST(database.value("SELECT string_agg(DISTINCT i.indexrelid::regclass || ' (' || l.collname || ')', ', ') "
                              "FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid CROSS JOIN LATERAL "
                              "unnest(i.indcollation) AS u (id) JOIN pg_collation l ON l.oid = u.id "
                              "WHERE c.relnamespace = 'dormouse'::regnamespace AND l.collname <> 'C'") == "");
}

BOOST_AUTO_TEST_CASE(a_claim_finds_each_task_whatever_the_order_of_the_database,
                     *boost::unit_test::precondition(has_icu_databases)) {
    const Encoded database("UTF8", "LOCALE_PROVIDER icu ICU_LOCALE 'en-US'");
    BOOST_TEST_REQUIRE(dormouse_does(database.url(), {"migrate"}).exit_code == 0);
    auto session = postgres::BlockingConnection::open(database.url(), {});
    BOOST_TEST_REQUIRE(session.has_value(), (session ? "" : session.error().message));
    const auto value = [&](const std::string& sql) {
        const auto reply = session->ask("", sql);
        BOOST_TEST_REQUIRE(reply.has_value(), (reply ? "" : reply.error().message));
        return std::string(reply->text(0, 0));
    };
    BOOST_TEST(value("SELECT 'B' > 'a'") == "t");  // and not so as bytes
    value(
        "WITH made AS (INSERT INTO dormouse.runs (task) SELECT t FROM "
        "unnest('{B,a,c-d,cc,Z,_x,é,unknown,A b,Unknown}'::text[]) t RETURNING 1) SELECT count(*) FROM made");
    const std::string known = "'{é,cc,a,_x,Z,c-d,A b,B}'::text[]";
    BOOST_TEST(value("SELECT cardinality(dormouse.next_runs('{default}', 100, " + known +
                     ", array_fill(9::bigint, ARRAY[8]), '{}', true))") == "8");
    BOOST_TEST(
        value("SELECT count(*) FROM unnest(" + known +
              ") t (task) WHERE dormouse.next_runs('{default}', 1, "
              "ARRAY[t.task], '{1}', '{}', false) = ARRAY(SELECT l.ctid FROM dormouse.runs_live l WHERE l.task = "
              "t.task)") == "8");
}

BOOST_AUTO_TEST_CASE(a_database_of_another_encoding_is_refused_with_the_remedy) {
    for (const char* const name : {"LATIN1", "SQL_ASCII", "WIN1252", "EUC_JP"}) {
        const Encoded database(name);
        const std::string said = std::string("the database has the encoding ") + name;
        const Ended migrated = dormouse_does(database.url(), {"migrate"});
        BOOST_TEST(migrated.exit_code != 0, name);
        BOOST_TEST(has(migrated.err, said), migrated.err);
        BOOST_TEST(has(migrated.err, "createdb --encoding=UTF8 --template=template0"), migrated.err);
        // where there is a schema all the same: restored from elsewhere
        auto connection = postgres::BlockingConnection::open(database.url(), {});
        BOOST_TEST_REQUIRE(connection.has_value());
        BOOST_TEST(connection->ask("", "SELECT to_regnamespace('dormouse') IS NULL")->text(0, 0) == "t", name);
        BOOST_TEST_REQUIRE(
            connection
                ->script(
                    "restore",
                    "CREATE SCHEMA dormouse; CREATE TABLE dormouse.migrations (version integer, name text, "
                    "checksum text, oldest_release text); INSERT INTO dormouse.migrations VALUES (1, 'a', 'b', '0')")
                .has_value());
        const TemporaryDirectory directory;
        for (const auto& arguments : std::vector<std::vector<std::string>>{
                 {"worker", "p", "--check", "--config", pool_file(directory, database.url())},
                 {"worker", "p", "--drain", "--timeout", "2s", "--config", pool_file(directory, database.url())},
                 {"migrate", "--check"}}) {
            const Ended ended = dormouse_does(database.url(), arguments);
            BOOST_TEST(ended.exit_code != 0, name);
            BOOST_TEST(has(ended.err + ended.out, said), arguments.front() << ": " << ended.err << ended.out);
        }
    }
}

BOOST_AUTO_TEST_CASE(the_sql_is_ascii) {
    const auto odd = [](std::string_view text) {
        for (const char c : text)
            if (static_cast<unsigned char>(c) > 127) return true;
        return false;
    };
    for (const sql::Migration& one : sql::migrations) BOOST_TEST(!odd(one.text), one.name);
    BOOST_TEST(!odd(sql::roles));
}

BOOST_AUTO_TEST_CASE(row_level_security_that_hides_runs_is_named) {
    TestDatabase database;
    apply_roles(database);
    database.exec(
        "DO $$ BEGIN CREATE ROLE hidden_worker LOGIN IN ROLE dormouse_worker; EXCEPTION WHEN duplicate_object THEN "
        "NULL; "
        "END $$; SELECT dormouse.enqueue('t')");
    const TemporaryDirectory directory;
    const auto check = [&](const std::string& user) {
        return dormouse_does(database.url(user),
                             {"worker", "p", "--check", "--config", pool_file(directory, database.url(user))});
    };
    BOOST_TEST(check("hidden_worker").exit_code == 0);
    for (const char* const table : {"runs", "runs_live", "migrations"}) {
        database.exec(std::string("ALTER TABLE dormouse.") + table + " ENABLE ROW LEVEL SECURITY");
        // of the table that every session reads first Postgres says so itself
        const bool first = table == std::string_view("migrations");
        const std::string said =
            std::string("row level security hides rows of schema dormouse from this user (") + table + ")";
        const Ended checked = check("hidden_worker");
        BOOST_TEST(checked.exit_code != 0, table);
        BOOST_TEST(has(checked.err + checked.out,
                       first ? "affected by row-level security policy for table \"migrations\"" : said),
                   checked.err << checked.out);
        const Ended status = dormouse_does(database.url("hidden_worker"), {"status"});
        BOOST_TEST(status.exit_code != 0, table);
        BOOST_TEST(has(status.err, said), status.err);
        BOOST_TEST(check("postgres").exit_code == 0, table);
        database.exec(std::string("ALTER TABLE dormouse.") + table + " DISABLE ROW LEVEL SECURITY");
    }
}

BOOST_AUTO_TEST_SUITE_END()
