// Installing local wake, again and away; who may do it, and what nobody may do with it.
#include <boost/test/unit_test.hpp>

#include "postgres/local_wake_fixture.h"

namespace local_wake_install {

using namespace dormouse;
using namespace dormouse::testing;

}  // namespace local_wake_install

BOOST_FIXTURE_TEST_SUITE(local_wake_install, LocalWake, *boost::unit_test::precondition(has_postgres))

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
    const std::string source = database.value(  // without its texts
        "SELECT regexp_replace(prosrc, $$'[^']*'$$, '', 'g') FROM pg_proc WHERE proname = 'local_wake:main'");
    BOOST_TEST(source.find("pg_try_advisory") != std::string::npos, source);
    BOOST_TEST(source.find(" dormouse.") == std::string::npos, source);
    BOOST_TEST(source.find("NEW") == std::string::npos, source);
    BOOST_TEST(database.value("SELECT prosecdef AND proconfig = '{\"search_path=pg_catalog, pg_temp\"}' FROM pg_proc"
                              " WHERE proname = 'local_wake:main'") == "t");
    BOOST_TEST(database.value("SELECT count(*) FROM pg_roles WHERE rolname = 'dormouse_local_wake' AND (rolcanlogin OR"
                              " rolsuper)") == "0");
}

BOOST_AUTO_TEST_CASE(odd_names_stay_names) {
    const std::vector<std::string> queues{
        "it's",    R"(back\slash)", "two  words", R"("quoted")", "$function$",
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

BOOST_AUTO_TEST_CASE(tables_and_functions_that_are_not_ours_are_refused_by_name) {
    database.exec("DROP ROLE IF EXISTS other; CREATE ROLE other");
    const auto refused = [&](const std::string& name) {
        const auto report = apply({{wake("main", {"default"})}, {}, false});
        BOOST_REQUIRE(!report);
        BOOST_TEST(report.error().message.find("not owned by the owner of its schema: " + name) != std::string::npos,
                   report.error().message);
    };
    database.exec("ALTER TABLE dormouse.local_wake_asked OWNER TO other");
    refused("dormouse.local_wake_asked");
    database.exec(
        "ALTER TABLE dormouse.local_wake_asked OWNER TO postgres; ALTER FUNCTION dormouse.local_wake_wanted OWNER TO "
        "other");
    refused("dormouse.local_wake_wanted");
    database.exec(
        "ALTER FUNCTION dormouse.local_wake_wanted OWNER TO postgres; ALTER TABLE dormouse.runs_live OWNER TO other");
    refused("dormouse.runs_live");
    database.exec(
        "ALTER TABLE dormouse.runs_live OWNER TO postgres; ALTER TABLE dormouse.runs RENAME TO r; CREATE VIEW "
        "dormouse.runs AS SELECT * FROM dormouse.r");
    refused("dormouse.runs");
    database.exec("DROP VIEW dormouse.runs; ALTER TABLE dormouse.r RENAME TO runs");
    BOOST_TEST(apply({{wake("main", {"default"})}, {}, false}).has_value());
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
