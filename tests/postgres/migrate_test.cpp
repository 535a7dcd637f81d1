// The migrator: once, again, many at once, half, too new, changed.
#include <boost/test/unit_test.hpp>
#include <memory>
#include <thread>
#include <vector>

#include "cli/version.h"
#include "postgres/migrator.h"
#include "sql/embedded.h"
#include "support/cluster.h"
#include "support/paths.h"
#include "support/process.h"

using namespace dormouse;
using namespace dormouse::testing;
using namespace dormouse::postgres;

namespace {

constexpr const char* everything =
    "SELECT count(*) FROM pg_class WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = "
    "'dormouse')";

const std::vector<Migration> two{{1, "0001_a", "CREATE TABLE dormouse.a ();"},
                                 {2, "0002_b", "CREATE TABLE dormouse.b ();"}};

SchemaState state_of(TestDatabase& database, std::span<const Migration> migrations,
                     std::string_view release = "1.0.0") {
    auto connection = database.connect();
    const auto state = schema_state(connection, migrations, release);
    BOOST_REQUIRE(state.has_value());
    return *state;
}

Result<int> migrate_it(TestDatabase& database, std::span<const Migration> migrations,
                       std::string_view release = "1.0.0") {
    auto connection = database.connect();
    return migrate(connection, migrations, release);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(migrate, *boost::unit_test::precondition(has_postgres))

BOOST_AUTO_TEST_CASE(migrating_twice_does_it_once) {
    TestDatabase database(TestDatabase::Schema::none);
    BOOST_TEST((state_of(database, cli::migrations(), "0.1.0").fit == SchemaFit::missing));
    BOOST_TEST(migrate_it(database, cli::migrations(), "0.1.0").value() == static_cast<int>(cli::migrations().size()));
    const std::string before = database.value(everything);
    BOOST_TEST(migrate_it(database, cli::migrations(), "0.1.0").value() == 0);
    BOOST_TEST(database.value(everything) == before);
    BOOST_TEST((state_of(database, cli::migrations(), "0.1.0").fit == SchemaFit::right));
}

BOOST_AUTO_TEST_CASE(twenty_at_once_leave_one_schema) {
    TestDatabase database(TestDatabase::Schema::none);
    database.exec("BEGIN; CREATE SCHEMA dormouse");  // all have seen an empty database by then
    std::vector<std::unique_ptr<Process>> all;
    for (int i = 0; i < 20; ++i)
        all.push_back(std::make_unique<Process>(Program{
            {dormouse_binary, "migrate", "--json"}, "", {{"DATABASE_URL", database.url()}}, "", Millis{120'000}}));
    const auto end = BootClock::now() + std::chrono::seconds(60);
    auto watcher = database.connect();  // inside of a transaction the activity is seen once
    const std::string waiting =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while (watcher.ask("activity", waiting)->integer(0, 0) != 20) {
        BOOST_REQUIRE_MESSAGE(BootClock::now() < end, "they do not wait for each other");
        std::this_thread::yield();
    }
    database.exec("COMMIT");
    int applied = 0;
    for (const auto& one : all) {
        const Ended ended = one->wait();
        BOOST_TEST(ended.exit_code == 0, ended.err);
        const std::size_t at = ended.out.find("\"applied\":");
        BOOST_REQUIRE(at != std::string::npos);
        applied += std::stoi(ended.out.substr(at + 10));
    }
    BOOST_TEST(applied == static_cast<int>(cli::migrations().size()));
    BOOST_TEST(database.value("SELECT count(*) FROM dormouse.migrations") == std::to_string(cli::migrations().size()));
}

BOOST_AUTO_TEST_CASE(twenty_at_once_make_the_roles_once) {
    TestDatabase database;
    std::vector<std::unique_ptr<Process>> all;
    for (int i = 0; i < 20; ++i)
        all.push_back(std::make_unique<Process>(Program{
            {dormouse_binary, "migrate", "--roles"}, "", {{"DATABASE_URL", database.url()}}, "", Millis{120'000}}));
    for (const auto& one : all) {
        const Ended ended = one->wait();
        BOOST_TEST(ended.exit_code == 0, ended.err);
    }
    BOOST_TEST(database.value("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'dormouse\\_%'") == "4");
}

BOOST_AUTO_TEST_CASE(a_migration_that_fails_leaves_nothing_of_itself) {
    TestDatabase database(TestDatabase::Schema::none);
    std::vector<Migration> broken = two;
    broken[1].text = "CREATE TABLE dormouse.b ();\nCREATE TABLE dormouse.c (x nonsense);";
    const auto failed = migrate_it(database, broken);
    BOOST_REQUIRE(!failed);
    BOOST_TEST(failed.error().message.find("0002_b.sql, line 2") != std::string::npos, failed.error().message);
    BOOST_TEST(database.value("SELECT to_regclass('dormouse.b') IS NULL AND to_regclass('dormouse.a') IS NOT NULL") ==
               "t");
    BOOST_TEST(database.value("SELECT count(*) FROM dormouse.migrations") == "1");
    BOOST_TEST((state_of(database, two).fit == SchemaFit::older));
    BOOST_TEST(migrate_it(database, two).value() == 1);
}

BOOST_AUTO_TEST_CASE(an_older_schema_is_brought_up_and_refused_until_then) {
    TestDatabase database(TestDatabase::Schema::none);
    BOOST_TEST(migrate_it(database, std::span(two).first(1)).value() == 1);
    const SchemaState older = state_of(database, two);
    const Status refused = require_fit(older, "1.0.0");
    BOOST_REQUIRE(!refused);
    BOOST_TEST((refused.error().kind == ErrorKind::incompatible));
    BOOST_TEST(refused.error().message.find("dormouse migrate") != std::string::npos);
    BOOST_TEST(migrate_it(database, two).value() == 1);
    BOOST_TEST((state_of(database, two).fit == SchemaFit::right));
}

BOOST_AUTO_TEST_CASE(a_newer_schema_serves_the_releases_it_names) {
    TestDatabase database(TestDatabase::Schema::none);
    std::vector<Migration> later = two;
    later.push_back({3, "0003_c", "-- Adds c.\n-- oldest release: 0.9.0\nCREATE TABLE dormouse.c ();"});
    later.push_back({4, "0004_d", "CREATE TABLE dormouse.d ();"});  // says nothing: as before
    BOOST_TEST(migrate_it(database, later, "2.0.0").value() == 4);

    const SchemaState serves = state_of(database, two, "0.9.0");
    BOOST_TEST((serves.fit == SchemaFit::newer));
    BOOST_TEST(serves.version == 4);
    BOOST_TEST(serves.oldest_release == "0.9.0");
    BOOST_TEST(require_fit(serves, "0.9.0").has_value());
    BOOST_TEST(migrate_it(database, two, "0.9.0").value() == 0);

    const auto refused = migrate_it(database, two, "0.8.12");
    BOOST_REQUIRE(!refused);
    BOOST_TEST((refused.error().kind == ErrorKind::incompatible));
    BOOST_TEST(refused.error().message.find("install a later release") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_migration_that_was_edited_is_refused) {
    TestDatabase database(TestDatabase::Schema::none);
    BOOST_TEST(migrate_it(database, two).value() == 2);
    std::vector<Migration> edited = two;
    edited[0].text = "CREATE TABLE dormouse.a (x int);";
    const auto refused = migrate_it(database, edited);
    BOOST_REQUIRE(!refused);
    BOOST_TEST((refused.error().kind == ErrorKind::incompatible));
    BOOST_TEST(refused.error().message.find("0001_a") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(releases_are_compared_number_by_number) {
    BOOST_TEST(release_before("0.9.0", "0.10.0"));
    BOOST_TEST(!release_before("0.10.0", "0.9.0"));
    BOOST_TEST(!release_before("1.2", "1.2.0"));
    BOOST_TEST(release_before("1.2", "1.2.1"));
    BOOST_TEST(!release_before("1.2.0~rc1", "1.2.0"));
}

BOOST_AUTO_TEST_CASE(a_role_that_may_not_make_schemas_can_migrate_into_one_made_for_it) {
    TestDatabase database(TestDatabase::Schema::none);
    database.exec("DROP ROLE IF EXISTS schema_owner; CREATE ROLE schema_owner LOGIN");
    auto refused = database.connect("schema_owner");
    BOOST_TEST((postgres::migrate(refused, cli::migrations(), "0.1.0").error().kind == ErrorKind::denied));
    database.exec("CREATE SCHEMA dormouse AUTHORIZATION schema_owner");
    auto connection = database.connect("schema_owner");
    const auto done = postgres::migrate(connection, cli::migrations(), "0.1.0");
    BOOST_TEST(done.has_value(), (done ? "" : done.error().message));
}

BOOST_AUTO_TEST_CASE(roles_that_an_administrator_made_can_be_granted_by_the_schemas_owner) {
    TestDatabase database(TestDatabase::Schema::none);
    database.exec(std::string(sql::roles).substr(0, sql::roles.find("GRANT USAGE")));
    database.exec(
        "DROP ROLE IF EXISTS plain_owner; CREATE ROLE plain_owner LOGIN; CREATE SCHEMA dormouse "
        "AUTHORIZATION plain_owner");
    auto connection = database.connect("plain_owner");
    BOOST_REQUIRE(postgres::migrate(connection, cli::migrations(), "0.1.0").has_value());
    const Status done = postgres::apply_roles(connection, sql::roles);
    BOOST_TEST(done.has_value(), (done ? "" : done.error().message));
}

BOOST_AUTO_TEST_CASE(check_tells_by_its_exit_code_and_changes_nothing) {
    TestDatabase database(TestDatabase::Schema::none);
    const Ended missing = run({{dormouse_binary, "migrate", "--check"}, "", {{"DATABASE_URL", database.url()}}, ""});
    BOOST_TEST(missing.exit_code == 8);
    BOOST_TEST(missing.err.find("dormouse migrate") != std::string::npos, missing.err);
    BOOST_TEST(database.value("SELECT to_regnamespace('dormouse') IS NULL") == "t");
    TestDatabase migrated;
    const Ended right =
        run({{dormouse_binary, "migrate", "--check", "--json"}, "", {{"DATABASE_URL", migrated.url()}}, ""});
    BOOST_TEST(right.exit_code == 0);
    BOOST_TEST(right.out.starts_with("{\"schema\":\"right\",\"version\":"), right.out);
}

// Other releases write the same schema in other words.
boost::test_tools::assertion_result has_pg_dump_15(boost::unit_test::test_unit_id) {
    std::map<std::string, std::string> environment;
    if (const char* const chosen = std::getenv("DORMOUSE_POSTGRES")) environment["DORMOUSE_POSTGRES"] = chosen;
    const Ended asked =
        run({{std::string(source_directory) + "/tests/support/dump_schema.sh", "--major"}, "", environment, ""});
    boost::test_tools::assertion_result result(asked.out == "15\n15\n");
    if (!result)
        result.message() << "sql/schema.sql is written by pg_dump from a server, both of Postgres 15; here they are "
                         << asked.out;
    return result;
}

BOOST_AUTO_TEST_CASE(committed_schema_is_what_the_migrations_make, *boost::unit_test::precondition(has_pg_dump_15)) {
    TestDatabase database;
    const std::string source = source_directory;
    const Ended dump = run({{source + "/tests/support/dump_schema.sh", "--print", database.url()}, "", {}, ""});
    BOOST_REQUIRE_MESSAGE(dump.exit_code == 0, dump.err);
    const Ended difference =
        run({{"diff", "-u", "--ignore-matching-lines=^-- What the migrations make", source + "/sql/schema.sql", "-"},
             dump.out,
             {},
             ""});
    BOOST_TEST(difference.exit_code == 0,
               "sql/schema.sql is not what the migrations make; run tests/support/dump_schema.sh and commit "
               "the file with the migration:\n"
                   << difference.out);
}

BOOST_AUTO_TEST_SUITE_END()
