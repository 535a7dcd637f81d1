// A superuser's command and a schema that belongs to somebody else: it acts as that owner, or not at all, and never
// executes what the owner has put there.
#include "postgres/acting.h"

#include <boost/test/unit_test.hpp>
#include <csignal>
#include <fstream>

#include "cli/version.h"
#include "postgres/migrator.h"
#include "support/cluster.h"
#include "support/paths.h"
#include "support/pool_bench.h"
#include "support/process.h"

namespace acting {

using namespace dormouse;
using namespace dormouse::testing;

namespace {

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

const std::vector<std::vector<std::string>> uses{{"migrate", "--check"},
                                                 {"migrate"},
                                                 {"status"},
                                                 {"runs"},
                                                 {"workers"},
                                                 {"reap"},
                                                 {"enqueue", "t"},
                                                 {"show", "0190a0a0-0000-7000-8000-000000000000"},
                                                 {"cancel", "0190a0a0-0000-7000-8000-000000000000"},
                                                 {"retry", "--task", "t", "--yes"}};

struct Fixture {
    TestDatabase database{TestDatabase::Schema::none};
    TemporaryDirectory directory;
    PoolTasks tasks;
    std::string file = directory.path() + "/p.toml";

    Fixture() {
        tasks.make_ghost();
        std::ofstream(file) << pool_toml(database.url(), {}, tasks);
        database.exec(
            "DO $$ BEGIN IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'landlord') THEN ALTER ROLE landlord "
            "NOSUPERUSER; END IF; END $$;"
            "DROP ROLE IF EXISTS landlord, lodger; CREATE ROLE landlord; CREATE ROLE lodger LOGIN");
    }
    Ended cli(std::vector<std::string> arguments, const std::string& user = "postgres") const {
        return run(cli_program(std::move(arguments), {{"DATABASE_URL", database.url(user)}}));
    }
    void works(const std::vector<std::string>& arguments, const std::string& user = "postgres") const {
        const Ended ended = cli(arguments, user);
        const bool about_pools = arguments.front() == "status";  // none serves the queue
        BOOST_TEST((ended.exit_code == 0 || (about_pools && ended.exit_code == 13)), arguments.front()
                                                                                         << ": " << ended.err);
    }
    /// And nothing was executed that makes a superuser of the owner.
    void refused(const std::vector<std::string>& arguments, const std::string& why) {
        const Ended ended = cli(arguments);
        BOOST_TEST(ended.exit_code != 0, arguments.front());
        BOOST_TEST(has(ended.err, why), arguments.front() << ": " << ended.err);
        BOOST_TEST(database.value("SELECT rolsuper FROM pg_roles WHERE rolname = 'landlord'") == "f",
                   arguments.front());
        BOOST_TEST(database.value("SELECT to_regclass('public.executed') IS NULL") == "t", arguments.front());
    }
    /// By everything that uses the schema: a worker and a relay stay, and say why they do nothing.
    void all_refused(const std::string& why) {
        for (const auto& command : uses) refused(command, why);
        refused({"worker", "--check", "--config", file}, why);
        for (const std::vector<std::string>& command :
             {std::vector<std::string>{"worker", "p", "--drain", "--config", file},
              {"relay", "--set", "paths.runtime_directory=/nonexistent"}}) {
            Process stays(cli_program(command, {{"DATABASE_URL", database.url()}}));
            BOOST_TEST(stays.saw_error(why), command.front());
            stays.signal(SIGTERM);
            static_cast<void>(stays.wait());
            BOOST_TEST(database.value("SELECT rolsuper FROM pg_roles WHERE rolname = 'landlord'") == "f",
                       command.front());
        }
    }
    void owned_by_landlord() {
        database.exec(
            "ALTER ROLE landlord LOGIN; CREATE SCHEMA dormouse AUTHORIZATION landlord; GRANT CREATE ON SCHEMA public "
            "TO landlord");
        works({"migrate"}, "landlord");
        works({"migrate", "--roles"});
    }
    /// A function that does what it can as a superuser, also one that acts as somebody else for the moment.
    static constexpr const char* trap =
        "CREATE FUNCTION dormouse.trap() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN"
        " BEGIN EXECUTE 'RESET ROLE'; EXECUTE 'RESET SESSION AUTHORIZATION'; EXCEPTION WHEN OTHERS THEN NULL; END;"
        " BEGIN EXECUTE 'CREATE TABLE public.executed ()'; EXCEPTION WHEN OTHERS THEN NULL; END;"
        " BEGIN EXECUTE 'ALTER ROLE landlord SUPERUSER'; EXCEPTION WHEN OTHERS THEN NULL; END;"
        " RETURN true; END $$;";
    std::string owners() {
        return database.value(
            "SELECT string_agg(DISTINCT owner::regrole::text, ' ') FROM (SELECT relowner AS owner FROM pg_class WHERE "
            "relnamespace = 'dormouse'::regnamespace"
            " UNION SELECT proowner FROM pg_proc WHERE pronamespace = 'dormouse'::regnamespace) o");
    }
};

}  // namespace

}  // namespace acting

BOOST_FIXTURE_TEST_SUITE(acting, Fixture, *boost::unit_test::precondition(has_postgres))

BOOST_AUTO_TEST_CASE(a_superuser_migrates_and_works_as_an_owner_that_is_nobodys_login) {
    database.exec("CREATE SCHEMA dormouse AUTHORIZATION landlord");
    refused({"migrate"}, "--adopt");
    refused({"runs"}, "dormouse migrate");
    works({"migrate", "--adopt"});
    BOOST_TEST(owners() == "landlord");
    works({"migrate"});
    works({"migrate", "--check"});
    works({"migrate", "--roles"});
    works({"worker", "--check", "--config", file});
    works({"enqueue", "t"});
    for (const char* const command : {"status", "runs", "workers", "reap"}) works({command});
    works({"retry", "--task", "t", "--yes"});
    BOOST_TEST(owners() == "landlord");
    // what it makes later is the owner's, too
    BOOST_TEST(database.value("SELECT did FROM dormouse.retain('p', NULL, now())") != "");
    BOOST_TEST(owners() == "landlord");
}

BOOST_AUTO_TEST_CASE(an_owner_who_can_log_in_gets_no_superusers_command) {
    owned_by_landlord();
    all_refused("belongs to landlord, who can log in");
    works({"runs"}, "landlord");
    database.exec("GRANT dormouse_worker TO lodger");
    works({"runs"}, "lodger");
    works({"worker", "--check", "--config", file}, "lodger");
    works({"migrate", "--adopt"});
    BOOST_TEST(owners() == "landlord");
    database.exec("ALTER ROLE landlord NOLOGIN; GRANT landlord TO lodger");
    all_refused("belongs to landlord");
    database.exec("REVOKE landlord FROM lodger");
    works({"runs"});
}

BOOST_AUTO_TEST_CASE(what_the_owner_put_in_place_of_ours_is_not_executed) {
    owned_by_landlord();
    auto landlord = database.connect("landlord");
    const Status laid =
        landlord.script("trap", std::string(trap) +
                                    "ALTER TABLE dormouse.migrations RENAME TO m;"
                                    "CREATE VIEW dormouse.migrations AS SELECT version, name, checksum, "
                                    "oldest_release, applied_at FROM dormouse.m WHERE dormouse.trap()");
    BOOST_REQUIRE_MESSAGE(laid.has_value(), (laid ? "" : laid.error().message));
    all_refused("view dormouse.migrations, which is no table");
    for (const char* const command : {"--adopt", "--roles", "--no-local-wake"})
        refused({"migrate", command}, "view dormouse.migrations, which is no table");
    // neither where nobody can log in as the owner any more
    database.exec("ALTER ROLE landlord NOLOGIN");
    refused({"runs"}, "view dormouse.migrations, which is no table");
}

BOOST_AUTO_TEST_CASE(functions_and_triggers_of_the_owner_are_not_executed_by_a_superusers_worker_or_relay) {
    owned_by_landlord();
    auto landlord = database.connect("landlord");
    const Status laid = landlord.script(
        "trap", std::string(trap) +
                    "CREATE FUNCTION dormouse.fires() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM "
                    "dormouse.trap(); RETURN NULL; END $$;"
                    "CREATE TRIGGER fires AFTER INSERT OR UPDATE ON dormouse.worker_registry EXECUTE FUNCTION "
                    "dormouse.fires();"
                    "CREATE OR REPLACE FUNCTION dormouse.listen(topics text[]) RETURNS text[] LANGUAGE plpgsql AS $$ "
                    "BEGIN PERFORM dormouse.trap(); RETURN topics; END $$");
    BOOST_REQUIRE_MESSAGE(laid.has_value(), (laid ? "" : laid.error().message));
    all_refused("belongs to landlord, who can log in");
}

BOOST_AUTO_TEST_CASE(a_view_or_foreign_table_that_is_not_ours_is_refused_whatever_its_name) {
    owned_by_landlord();
    auto landlord = database.connect("landlord");
    const Status laid = landlord.script("view",
                                        "ALTER TABLE dormouse.pool_scale RENAME TO p;"
                                        "CREATE VIEW dormouse.pool_scale AS SELECT * FROM dormouse.p;"
                                        "CREATE MATERIALIZED VIEW dormouse.of_mine AS SELECT 1");
    BOOST_REQUIRE_MESSAGE(laid.has_value(), (laid ? "" : laid.error().message));
    database.exec("ALTER ROLE landlord NOLOGIN");
    refused({"runs"},
            "materialized view dormouse.of_mine, which is no table, view dormouse.pool_scale, which is no table");
}

BOOST_AUTO_TEST_CASE(what_others_own_in_the_schema_is_refused_by_name) {
    database.exec("GRANT CREATE ON SCHEMA public TO lodger");
    works({"migrate"});
    works({"runs"});
    database.exec("ALTER TABLE dormouse.keys OWNER TO lodger; ALTER FUNCTION dormouse.retain OWNER TO lodger");
    refused({"runs"}, "function dormouse.retain of lodger, table dormouse.keys of lodger");
    database.exec(
        "ALTER TABLE dormouse.keys OWNER TO postgres; ALTER FUNCTION dormouse.retain OWNER TO postgres; GRANT TRIGGER "
        "ON dormouse.runs TO lodger;"
        "GRANT USAGE ON SCHEMA dormouse TO lodger");
    auto lodger = database.connect("lodger");
    const Status made = lodger.script(
        "trigger",
        "CREATE FUNCTION public.mine() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;"
        "CREATE TRIGGER mine AFTER INSERT ON dormouse.runs FOR EACH STATEMENT EXECUTE FUNCTION public.mine()");
    BOOST_REQUIRE_MESSAGE(made.has_value(), (made ? "" : made.error().message));
    refused({"enqueue", "t"}, "trigger mine on dormouse.runs of lodger");
}

BOOST_AUTO_TEST_CASE(a_schema_that_somebody_prepared_is_refused_also_if_it_is_adopted_with_things_in_it) {
    database.exec("ALTER ROLE landlord LOGIN; GRANT CREATE ON DATABASE " + database.name() + " TO landlord");
    auto landlord = database.connect("landlord");
    const Status laid = landlord.script(
        "trap",
        std::string("CREATE SCHEMA dormouse;") + trap +
            "CREATE TABLE dormouse.runs (id uuid DEFAULT CASE WHEN dormouse.trap() THEN gen_random_uuid() END)");
    BOOST_REQUIRE_MESSAGE(laid.has_value(), (laid ? "" : laid.error().message));
    refused({"migrate"}, "who has made it before dormouse did");
    refused({"migrate", "--adopt"}, "is not empty: function dormouse.trap, table dormouse.runs");
    const Status more = landlord.script("trap",
                                        "CREATE TABLE dormouse.migrations (version integer PRIMARY KEY, name text NOT "
                                        "NULL, checksum text NOT NULL, oldest_release text NOT NULL,"
                                        " applied_at timestamptz NOT NULL DEFAULT now(), CHECK (dormouse.trap()))");
    BOOST_REQUIRE_MESSAGE(more.has_value(), (more ? "" : more.error().message));
    refused({"migrate"}, "belongs to landlord, who can log in");
    refused({"migrate", "--check"}, "belongs to landlord, who can log in");
}

BOOST_AUTO_TEST_CASE(a_schema_that_comes_while_a_superuser_migrates_is_not_used) {
    auto superuser = database.connect();
    const auto ground = postgres::take_ground(superuser, postgres::Act::migrates);
    BOOST_REQUIRE(ground.has_value());
    BOOST_TEST(!ground->schema_exists);
    database.exec(std::string("CREATE SCHEMA dormouse AUTHORIZATION landlord; SET ROLE landlord;") + trap +
                  "CREATE TABLE dormouse.migrations (version integer PRIMARY KEY, name text NOT NULL, checksum text "
                  "NOT NULL, oldest_release text NOT NULL,"
                  " applied_at timestamptz NOT NULL DEFAULT now(), CHECK (dormouse.trap())); RESET ROLE");
    const auto done = postgres::migrate(superuser, cli::migrations(), "0.1.0", ground->schema_exists);
    BOOST_REQUIRE(!done);
    BOOST_TEST(has(done.error().message, "somebody else has made schema dormouse"), done.error().message);
    BOOST_TEST(database.value("SELECT rolsuper FROM pg_roles WHERE rolname = 'landlord'") == "f");
}

BOOST_AUTO_TEST_SUITE_END()
