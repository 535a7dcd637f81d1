// Whose things our SQL means, where somebody may create operators, functions and types in a schema of the search path:
// always those of Postgres and our own. A stranger makes everything that could fit better, or as well; the catalogue,
// and what is executed, tell whether it is used.
#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <sstream>

#include "sql/embedded.h"
#include "support/paths.h"
#include "support/pool_bench.h"
#include "support/process.h"

BOOST_AUTO_TEST_SUITE(names, *boost::unit_test::precondition(dormouse::testing::has_postgres))

using namespace dormouse;
using namespace dormouse::testing;

namespace {

std::string text_of(const std::filesystem::path& file) {
    std::ostringstream text;
    text << std::ifstream(file).rdbuf();
    return text.str();
}

/// A file of sql/ without its comments.
std::string statement_of(const std::filesystem::path& file) {
    static const std::regex comment("--[^\n]*");
    std::string text = std::regex_replace(text_of(file), comment, "");
    text.erase(text.find_last_not_of(" \n;") + 1);
    return text.substr(text.find_first_not_of(" \n"));
}

/// The worker's and the relay's statements, and the commands': by name.
std::map<std::string, std::string> statements() {
    std::map<std::string, std::string> all;
    const std::string queries = std::string(source_directory) + "/sql/queries";
    for (const auto& file : std::filesystem::recursive_directory_iterator(queries)) {
        if (file.path().extension() != ".sql") continue;
        const std::string text = statement_of(file.path());
        if (!text.starts_with("COPY")) all[file.path().lexically_relative(queries)] = text;
    }
    return all;
}

/// All SQL there is: where names are taken from that are worth making.
std::string all_text() {
    std::string all;
    for (const auto& [name, text] : statements()) all += text + "\n";
    for (const sql::Migration& one : sql::migrations) all += std::string(one.text) + "\n";
    return all + std::string(sql::local_wake) + std::string(sql::roles);
}

/// What the stranger makes in public, for each operator and function of pg_catalog whose name our SQL has: $1. For
/// pairs of types that pg_catalog has nothing for; with `as well` also for those that it has. Nothing of it can be
/// executed.
constexpr const char* make_everything = R"~(
CREATE FUNCTION public.never() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'something of public is used'; END $$;
DO $make$
DECLARE
    source  CONSTANT text := current_setting('test.source');
    as_well CONSTANT boolean := current_setting('test.as_well');
    types   CONSTANT regtype[] := ARRAY['int2', 'int4', 'int8', 'float4', 'float8', 'numeric', 'text', 'name', 'bpchar', 'varchar', '"char"', 'uuid', 'timestamptz',
                                        'timestamp', 'date', 'interval', 'json', 'jsonb', 'oid', 'xid', 'tid', 'bool', 'regclass', 'regrole', 'text[]', 'uuid[]', 'int8[]', 'record'];
    body    CONSTANT text := $$ BEGIN PERFORM public.never(); RETURN NULL; END $$;
    one     record;
    n       integer := 0;
BEGIN
    FOR one IN
        SELECT DISTINCT o.oprname, l AS l, r AS r,
               CASE WHEN o.comparison THEN 'boolean'
                    ELSE coalesce((SELECT p.oprresult::regtype::text FROM pg_operator p WHERE p.oprname = o.oprname AND p.oprleft = l AND p.oprright = r),
                                  (SELECT p.oprresult::regtype::text FROM pg_operator p WHERE p.oprname = o.oprname AND p.oprleft = l ORDER BY p.oid LIMIT 1), l::text) END AS result
          FROM (SELECT oprname, bool_and(oprresult = 'bool'::regtype) AS comparison FROM pg_operator
                 WHERE oprnamespace = 'pg_catalog'::regnamespace AND strpos(source, oprname) > 0 OR oprname IN ('=', '~~', '>=', '<=') GROUP BY 1) o
         CROSS JOIN unnest(types) l CROSS JOIN unnest(types) r
         WHERE l <> 'record'::regtype AND r <> 'record'::regtype
           AND (as_well OR NOT EXISTS (SELECT FROM pg_operator p WHERE p.oprname = o.oprname AND p.oprleft = l AND p.oprright = r))
    LOOP
        n := n + 1;
        EXECUTE format('CREATE FUNCTION public.operator_%s(%s, %s) RETURNS %s LANGUAGE plpgsql AS %L', n, one.l, one.r,
                       CASE one.result WHEN 'record' THEN 'text' ELSE one.result END, body);
        EXECUTE format('CREATE OPERATOR public.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = public.operator_%s)', one.oprname, one.l, one.r, n);
    END LOOP;
    FOR one IN
        SELECT DISTINCT p.proname, p.prokind, p.proretset, p.prorettype::regtype AS result, made.arguments
          FROM pg_proc p
         CROSS JOIN LATERAL (
               SELECT array_to_string(ARRAY(SELECT CASE WHEN a.n = place.n THEN t::text ELSE a.type::regtype::text END
                                              FROM unnest(p.proargtypes) WITH ORDINALITY a (type, n) ORDER BY a.n), ', ') AS arguments
                 FROM generate_series(1, p.pronargs) place (n) CROSS JOIN unnest(types) t WHERE t <> 'record'::regtype
                UNION SELECT array_to_string(ARRAY(SELECT a.type::regtype::text FROM unnest(p.proargtypes) WITH ORDINALITY a (type, n) ORDER BY a.n), ', ')
                 WHERE as_well) made
         WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind IN ('f', 'a') AND p.provariadic = 0
           AND source ~ ('\m' || p.proname || '\(')
           AND NOT EXISTS (SELECT FROM unnest(p.proargtypes::oid[] || p.prorettype) a (type) JOIN pg_type t ON t.oid = a.type
                            WHERE t.typtype = 'p' AND t.typname NOT IN ('void', 'record', 'anyarray', 'anyelement', 'anynonarray'))
           AND NOT EXISTS (SELECT FROM pg_type t WHERE t.oid = p.prorettype AND t.typtype = 'p' AND t.typname <> 'void')
           AND (as_well OR NOT EXISTS (SELECT FROM pg_proc h WHERE h.pronamespace = p.pronamespace AND h.proname = p.proname
                                          AND pg_get_function_identity_arguments(h.oid) = made.arguments))
    LOOP
        n := n + 1;
        BEGIN
            IF one.prokind = 'a' THEN
                EXECUTE format('CREATE FUNCTION public.step_%s(%s) RETURNS %s LANGUAGE plpgsql AS %L', n,
                               concat_ws(', ', one.result::text, nullif(one.arguments, '')), one.result, body);
                EXECUTE format('CREATE AGGREGATE public.%I(%s) (SFUNC = public.step_%s, STYPE = %s)', one.proname,
                               coalesce(nullif(one.arguments, ''), '*'), n, one.result);
            ELSE
                EXECUTE format('CREATE FUNCTION public.%I(%s) RETURNS %s %s LANGUAGE plpgsql AS %L', one.proname, one.arguments,
                               CASE WHEN one.proretset THEN 'SETOF' ELSE '' END, one.result,
                               CASE WHEN one.proretset OR one.result = 'void'::regtype THEN ' BEGIN PERFORM public.never(); END ' ELSE body END);
            END IF;
        EXCEPTION WHEN duplicate_function OR invalid_function_definition THEN
            NULL;
        END;
    END LOOP;
    IF as_well THEN
        FOR one IN SELECT unnest(ARRAY['text', 'uuid', 'jsonb', 'json', 'timestamptz', 'regclass', 'regrole', 'name', 'oid', 'tid', 'float8']) AS type LOOP
            EXECUTE format('CREATE DOMAIN public.%I AS pg_catalog.%1$I CHECK (public.never())', one.type);
        END LOOP;
    END IF;
END $make$
)~";

/// A database that has ours, and in public all that `stranger` could put there.
struct Strange {
    explicit Strange(bool as_well, TestDatabase::Schema schema = TestDatabase::Schema::migrated) : database(schema) {
        if (schema == TestDatabase::Schema::migrated) apply_roles(database);
        database.exec(
            "DROP ROLE IF EXISTS stranger; CREATE ROLE stranger LOGIN; GRANT CREATE, USAGE ON SCHEMA public TO "
            "stranger");
        auto stranger = database.connect("stranger");
        BOOST_REQUIRE(
            stranger.script("path", "SET search_path = pg_catalog").has_value());  // what it makes is not for itself
        const auto told =
            stranger.ask("source", "SELECT set_config('test.source', $1, false), set_config('test.as_well', $2, false)",
                         {all_text(), as_well ? "on" : "off"});
        BOOST_REQUIRE(told.has_value());
        const Status made = stranger.script("everything", make_everything);
        BOOST_REQUIRE_MESSAGE(made.has_value(), (made ? "" : made.error().message));
    }
    /// For everybody who connects from now on.
    void put_public_first() {
        database.exec("ALTER DATABASE " + database.name() + " SET search_path = public, pg_catalog");
    }

    TestDatabase database;
};

/// What a statement would use of public, or the error that its words have become; "" for nothing.
std::string used_of_public(postgres::BlockingConnection& session, const std::string& statement) {
    const auto types_under = [&](const std::string& path) -> std::string {
        const Status prepared =
            session.script("prepare", "SET search_path = " + path + "; PREPARE ours AS " + statement);
        if (!prepared) return prepared.error().message;
        const auto types = session.ask(
            "types", "SELECT pg_catalog.array_to_string(parameter_types, ',') FROM pg_catalog.pg_prepared_statements");
        BOOST_TEST_REQUIRE(session.script("deallocate", "DEALLOCATE ours").has_value());
        return std::string(types->text(0, 0));
    };
    const std::string types = types_under("pg_catalog, pg_temp");
    if (types.starts_with("prepare")) return types;  // an error of its own
    if (const std::string others = types_under("pg_catalog, public"); others != types)
        return "parameters " + types + " became " + others;
    const bool has_rows = statement.find("SELECT") == 0 || statement.find("RETURNING") != std::string::npos ||
                          statement.rfind("\nSELECT") != std::string::npos;
    const Status made = session.script(
        "function", "CREATE FUNCTION dormouse.of_test(" + types + ") RETURNS " + (has_rows ? "SETOF record" : "void") +
                        " LANGUAGE sql BEGIN ATOMIC " + statement + "; END; SET search_path = pg_catalog");
    if (!made) return made.error().message;
    const auto used =
        session.ask("used",
                    "SELECT string_agg(DISTINCT pg_describe_object(d.refclassid, d.refobjid, 0), ', ') FROM pg_depend d"
                    " WHERE d.classid = 'pg_proc'::regclass AND d.objid = 'dormouse.of_test'::regproc AND"
                    " (d.refclassid = 'pg_operator'::regclass AND EXISTS (SELECT FROM pg_operator o WHERE o.oid = "
                    "d.refobjid AND o.oprnamespace = 'public'::regnamespace)"
                    " OR d.refclassid = 'pg_proc'::regclass AND EXISTS (SELECT FROM pg_proc p WHERE p.oid = d.refobjid "
                    "AND p.pronamespace = 'public'::regnamespace))");
    BOOST_REQUIRE_MESSAGE(used.has_value(), (used ? "" : used.error().message));
    BOOST_TEST_REQUIRE(session.script("drop", "DROP FUNCTION dormouse.of_test").has_value());
    return std::string(used->text(0, 0));
}

}  // namespace

BOOST_AUTO_TEST_CASE(no_statement_means_what_fits_better_in_public) {
    Strange strange(false);
    auto session = strange.database.connect();
    for (const auto& [name, statement] : statements()) {
        const std::string used = used_of_public(session, statement);
        BOOST_TEST(used == "", name << " uses " << used);
    }
    // and would this have been seen?
    BOOST_TEST(used_of_public(session, "SELECT now() + $1::bigint * interval '1 ms'")
                   .find("operator public.*(bigint,interval)") != std::string::npos);
    BOOST_TEST(used_of_public(session, "SELECT to_timestamp($1::bigint)") == "function public.to_timestamp(bigint)");
}

// A function that takes anything is passed over for one that takes what it is given. These are named with their schema.
BOOST_AUTO_TEST_CASE(functions_that_take_any_type_are_named_with_their_schema) {
    TestDatabase database;
    auto session = database.connect();
    const auto names = session.ask("names",
                                   "SELECT DISTINCT p.proname FROM pg_proc p, unnest(p.proargtypes::oid[]) a (type) "
                                   "JOIN pg_type t ON t.oid = a.type"
                                   " WHERE p.pronamespace = 'pg_catalog'::regnamespace AND t.typtype = 'p' AND "
                                   "t.typname ^@ 'any' AND p.proname ~ '^[a-z_]+$'");
    BOOST_REQUIRE(names.has_value());
    const std::regex several_arrays(
        R"(unnest\(\$\d+::\w+\[\], )");  // a construct of the grammar, which means pg_catalog's
    for (const auto& [name, statement] : statements()) {
        for (int row = 0; row < names->rows(); ++row) {
            const std::string function(names->text(row, 0));
            for (auto at = statement.find(function + "("); at != std::string::npos;
                 at = statement.find(function + "(", at + 1)) {
                const char before = at == 0 ? ' ' : statement[at - 1];
                if (std::isalnum(before) != 0 || before == '_') continue;  // another name that ends like this
                if (statement.compare(at + function.size(), 3, "(*)") == 0) continue;
                if (std::regex_search(statement.begin() + static_cast<std::ptrdiff_t>(at), statement.end(),
                                      several_arrays, std::regex_constants::match_continuous))
                    continue;
                const bool named = before == '.';
                BOOST_TEST(named, name << ": " << statement.substr(at, 40));
            }
        }
    }
}

BOOST_AUTO_TEST_CASE(casts_between_types_of_the_system_cannot_be_made_by_others) {
    TestDatabase database;
    database.exec(
        "DROP ROLE IF EXISTS stranger; CREATE ROLE stranger LOGIN; GRANT CREATE ON SCHEMA public TO stranger");
    auto stranger = database.connect("stranger");
    const Status made = stranger.script("cast", "CREATE CAST (jsonb AS text) WITH INOUT AS IMPLICIT");
    BOOST_REQUIRE(!made);
    BOOST_TEST((made.error().kind == ErrorKind::denied), made.error().message);
}

BOOST_AUTO_TEST_CASE(functions_without_a_pinned_path_are_few_and_known) {
    TestDatabase database;
    // called for each statement of a producer, by everybody: 1 to 2 us each for a SET; one, settings_are, would undo
    // what it does. They name the schema of all they use.
    BOOST_TEST(database.value("SELECT string_agg(p.proname, ' ' ORDER BY p.proname) FROM pg_proc p"
                              " WHERE p.pronamespace = 'dormouse'::regnamespace AND p.prosqlbody IS NULL"
                              " AND NOT coalesce('search_path=pg_catalog, pg_temp' = ANY (p.proconfig), false)") ==
               "nobody_listens notify_queue relies runs_inserted runs_updated settings_are");
}

BOOST_AUTO_TEST_CASE(whoever_inserts_or_updates_with_public_in_front_executes_nothing_of_public) {
    Strange strange(true);
    strange.put_public_first();
    auto listener = strange.database.connect();
    for (const bool somebody_listens : {false, true}) {
        auto session = strange.database.connect();
        const auto runs = [&](const std::string& sql) {
            const Status done = session.script("", sql);
            BOOST_TEST(done.has_value(), sql << (done ? "" : ": " + done.error().message));
            if (!done) static_cast<void>(session.script("", "ROLLBACK"));
        };
        if (somebody_listens) BOOST_TEST(listener.script("", "SELECT dormouse.listens('default')").has_value());
        runs("INSERT INTO dormouse.runs (task) VALUES ('t')");
        runs(
            "BEGIN; INSERT INTO dormouse.runs (task) VALUES ('t'); INSERT INTO dormouse.runs (task, queue) VALUES "
            "('t', 'other'); COMMIT");
        runs("SET dormouse.notify = 'off'; INSERT INTO dormouse.runs (task) VALUES ('t')");
        runs("SET dormouse.notify = 'always'; INSERT INTO dormouse.runs (task) VALUES ('t')");
        runs("SET dormouse.notify = ''; SELECT dormouse.enqueue('t', key => 'k', watched => true)");
        runs("UPDATE dormouse.runs SET run_at = '2026-01-01'");
        runs(
            "UPDATE dormouse.runs SET status = 'running', fence = 1, worker = '00000000-0000-0000-0000-000000000001', "
            "started_at = '2026-01-01',"
            " lease_until = '2026-01-01'");
        runs("UPDATE dormouse.runs SET status = 'queued'");
        runs("UPDATE dormouse.runs SET status = 'completed'");
        runs("UPDATE dormouse.runs SET status = 'queued'");
        runs("DELETE FROM dormouse.runs");
        runs("INSERT INTO dormouse.runs (task, key) VALUES ('t', 'k')");
        runs("TRUNCATE dormouse.runs");
        const Status refused = session.script("", "INSERT INTO dormouse.runs (task, status) VALUES ('t', 'done')");
        BOOST_REQUIRE(!refused);
        BOOST_TEST(refused.error().message.find("status \"done\" is not known") != std::string::npos,
                   refused.error().message);
        runs(
            "SELECT dormouse.notify_queue('other'); SELECT "
            "dormouse.notify_worker('00000000-0000-0000-0000-000000000001')");
    }
}

// What the programs say themselves, before a session's search_path is pinned or in whatever order.
BOOST_AUTO_TEST_CASE(statements_in_the_source_name_the_schema_of_the_function_they_begin_with) {
    const std::regex unqualified(R"~("SELECT [a-z_]+\()~");
    for (const auto& file : std::filesystem::recursive_directory_iterator(std::string(source_directory) + "/src")) {
        if (file.path().extension() != ".cpp") continue;
        const std::string text = text_of(file.path());
        for (std::sregex_iterator found(text.begin(), text.end(), unqualified), end; found != end; ++found)
            BOOST_ERROR(file.path().string() << ": " << found->str());
    }
}

BOOST_AUTO_TEST_CASE(migrate_and_every_other_command_execute_nothing_of_public) {
    Strange strange(true, TestDatabase::Schema::none);
    strange.put_public_first();
    const auto command = [&](const std::vector<std::string>& arguments) {
        const Ended ended = run(cli_program(arguments, {{"DATABASE_URL", strange.database.url()}}));
        std::string all;
        for (const std::string& one : arguments) all += one + " ";
        const bool about_pools = arguments.front() == "status";  // none serves the queue
        BOOST_TEST((ended.exit_code == 0 || (about_pools && ended.exit_code == 13)), all << ": " << ended.err);
        return ended.out;
    };
    command({"migrate"});
    command({"migrate", "--roles"});
    command({"migrate", "--check"});
    BOOST_TEST(strange.database.value(
                   "SELECT count(*) FROM pg_catalog.pg_depend d WHERE "
                   "d.refclassid::pg_catalog.regclass::pg_catalog.text OPERATOR(pg_catalog.=) 'pg_operator'"
                   " AND EXISTS (SELECT FROM pg_catalog.pg_operator o WHERE o.oid OPERATOR(pg_catalog.=) d.refobjid AND"
                   " o.oprnamespace OPERATOR(pg_catalog.=) 'public'::pg_catalog.regnamespace)") == "0");
    strange.database.exec("INSERT INTO dormouse.retention (pool) VALUES ('gone')");
    std::string id = command({"enqueue", "t", "{}", "--queue", "q", "--key", "k", "--json"});
    id = id.substr(id.find("-") - 8, 36);
    for (const std::vector<std::string>& arguments : {std::vector<std::string>{"runs"},
                                                      {"runs", "--json"},
                                                      {"show", id},
                                                      {"status"},
                                                      {"workers"},
                                                      {"logs", id},
                                                      {"cancel", id, "--reason", "because"},
                                                      {"runs"},
                                                      {"show", id},
                                                      {"retry", id},
                                                      {"cancel", id},
                                                      {"archive", id},
                                                      {"retry", "--task", "t", "--status", "canceled", "--yes"},
                                                      {"cancel", "--task", "t", "--yes"},
                                                      {"archive", "--task", "t", "--yes"},
                                                      {"reap"},
                                                      {"scale", "gone", "2", "--for", "1h"},
                                                      {"scale", "gone"},
                                                      {"scale", "gone", "--reset"},
                                                      {"history"},
                                                      {"history", id},
                                                      {"forget", "gone"}})
        command(arguments);
}

BOOST_AUTO_TEST_CASE(a_worker_executes_nothing_of_public) {
    Strange strange(true);
    strange.put_public_first();
    strange.database.exec("DROP ROLE IF EXISTS works; CREATE ROLE works LOGIN IN ROLE dormouse_worker");
    {
        PoolBench bench(strange.database.url("works"), {.starts = false});
        for (const char* const task : {"echo", "fail", "later", "nobody-knows-it"})
            strange.database.exec("SELECT dormouse.enqueue('" + std::string(task) + "', watched => true)");
        bench.worker().start();
        const auto status = [&] {
            return strange.database.value("SELECT status FROM dormouse.runs WHERE task OPERATOR(pg_catalog.=) 'echo'");
        };
        BOOST_TEST(bench.until([&] { return status() == "completed"; }), status());
    }
}

BOOST_AUTO_TEST_SUITE_END()
