#include "postgres/acting.h"

#include "postgres/sqlstate.h"

namespace dormouse::postgres {

namespace {

/// As in sql/queries/open_session.sql: what the protocol told us of the backend is not true of what is behind a pooler.
constexpr const char* pin_sql =
    "SELECT pg_catalog.pg_backend_pid() OPERATOR(pg_catalog.=) $1::integer,"
    " CASE WHEN pg_catalog.pg_backend_pid() OPERATOR(pg_catalog.=) $1::integer"
    " THEN pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', false) END,"
    " (SELECT r.rolsuper FROM pg_catalog.pg_roles r WHERE r.rolname OPERATOR(pg_catalog.=) session_user),"
    " CASE WHEN pg_catalog.pg_backend_pid() OPERATOR(pg_catalog.=) $1::integer"
    " THEN pg_catalog.set_config('dormouse.person', $2::pg_catalog.text, false) END";

constexpr const char* begin_reading_sql = "BEGIN READ ONLY; SET LOCAL search_path = pg_catalog, pg_temp";

/// The schema's owner; whether that is this superuser or another one; whether somebody else can act as it; what is not
/// as we made it, and what there is at all. Reads pg_catalog alone. A macro, since two statements are made of it.
#define DORMOUSE_LOOK                                                                                                  \
    "WITH ours AS (SELECT s.oid, s.nspowner, o.rolsuper, o.rolcanlogin FROM pg_namespace s"                            \
    "                JOIN pg_roles o ON o.oid = s.nspowner WHERE s.nspname = 'dormouse'),"                             \
    " things AS ("                                                                                                     \
    "   SELECT format('%s dormouse.%I', CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view'"         \
    "                 WHEN 'f' THEN 'foreign table' WHEN 'S' THEN 'sequence' ELSE 'table' END, c.relname) AS name,"    \
    "          c.relowner AS owner,"                                                                                   \
    "          c.relkind IN ('m', 'f') OR c.relkind = 'v' AND c.relname NOT IN ('attempts', 'queue_stats',"            \
    "          'stuck_runs', 'logs', 'scaled', 'workers', 'live_workers', 'idle_workers', 'dead_workers') AS no_table" \
    "     FROM pg_class c JOIN ours ON c.relnamespace = ours.oid WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')"    \
    "   UNION ALL"                                                                                                     \
    "   SELECT format('function dormouse.%I', p.proname), p.proowner, false"                                           \
    "     FROM pg_proc p JOIN ours ON p.pronamespace = ours.oid"                                                       \
    "    WHERE NOT (p.proname ^@ 'local_wake:' AND p.proowner::regrole::text = 'dormouse_local_wake')"                 \
    "   UNION ALL"                                                                                                     \
    "   SELECT format('trigger %I on dormouse.%I', t.tgname, c.relname), p.proowner, false"                            \
    "     FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN ours ON c.relnamespace = ours.oid"               \
    "     JOIN pg_proc p ON p.oid = t.tgfoid"                                                                          \
    "    WHERE NOT t.tgisinternal AND p.proowner::regrole::text <> 'dormouse_local_wake')"                             \
    " SELECT ours.nspowner::regrole::text AS owner, ours.rolsuper AS owner_is_superuser,"                              \
    "        ours.rolcanlogin OR EXISTS (SELECT FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.member"            \
    "                                     WHERE m.roleid = ours.nspowner AND NOT r.rolsuper) AS somebody,"             \
    "        to_regclass('dormouse.migrations') IS NOT NULL AS migrated,"                                              \
    "        (SELECT string_agg(odd.name, ', ') FROM ("                                                                \
    "            SELECT t.name || CASE WHEN t.no_table THEN ', which is no table' ELSE '' END ||"                      \
    "                   CASE WHEN t.no_table AND t.owner = ours.nspowner THEN ''"                                      \
    "                        ELSE ' of ' || t.owner::regrole END AS name"                                              \
    "              FROM things t JOIN pg_roles r ON r.oid = t.owner"                                                   \
    "             WHERE (t.no_table OR t.owner <> ours.nspowner) AND NOT r.rolsuper ORDER BY 1 LIMIT 5) odd) AS odd,"  \
    "        (SELECT string_agg(here.name, ', ') FROM (SELECT t.name FROM things t ORDER BY 1 LIMIT 5) here) AS here"  \
    "   FROM ours"

constexpr const char* without = "a superuser's command does not execute other roles' code; ";

/// Why a superuser must not go on; ok if it may.
Status judge(const Reply& look, Act act) {
    const std::string owner(look.text(0, 0));
    const bool owner_is_superuser = look.boolean(0, 1);
    const bool somebody = look.boolean(0, 2);
    const bool migrated = look.boolean(0, 3);
    const std::string schema = "schema dormouse belongs to " + owner;
    if (!look.is_null(0, 4))
        return fail(ErrorKind::denied,
                    schema + ", and this in it is not what dormouse made there: " + std::string(look.text(0, 4)) +
                        "; " + without + "give it back to " + owner + " (ALTER ... OWNER TO), or drop it");
    if (owner_is_superuser || act == Act::administers) return {};
    if (!migrated && act == Act::migrates)
        return fail(ErrorKind::denied, schema + ", who has made it before dormouse did; if that is intended, and " +
                                           owner + " is trusted, migrate with --adopt, or as " + owner);
    if (!migrated && act == Act::adopts && !look.is_null(0, 5))
        return fail(ErrorKind::denied, schema + " and is not empty: " + std::string(look.text(0, 5)) + "; " + without +
                                           "drop that, or migrate as " + owner);
    if (somebody && act == Act::migrates)
        return fail(ErrorKind::denied, schema + ", who can log in or has members; " + without + "migrate as " + owner +
                                           " (--database-url postgresql://" + owner +
                                           "@HOST/DATABASE), or with --adopt if " + owner + " is trusted");
    if (somebody && (act == Act::uses || act == Act::works))
        return fail(ErrorKind::denied,
                    schema + ", who can log in or has members; " + without + "connect as " + owner +
                        (act == Act::works ? ", or as a login with the role dormouse_worker (database.url)"
                                           : ", or as a login with the role dormouse_operator (--database-url "
                                             "postgresql://LOGIN@HOST/DATABASE)") +
                        "; to take the login away from " + owner +
                        " is not enough: functions and triggers it laid stay");
    return {};
}

Result<Ground> act_as_owner(BlockingConnection& connection, Act act, bool direct) {
    const std::string what = "schema dormouse";
    if (const Status begun = connection.script(what, begin_reading_sql); !begun) return tl::unexpected(begun.error());
    const auto look = connection.ask(what, DORMOUSE_LOOK);
    if (const Status done = connection.script(what, "ROLLBACK"); look && !done) return tl::unexpected(done.error());
    if (!look) return tl::unexpected(look.error());
    if (look->rows() == 0) return Ground{false};
    if (const Status fits = judge(*look, act); !fits) return tl::unexpected(fits.error());
    if (look->boolean(0, 1) || act == Act::administers) return Ground{};
    const std::string owner(look->text(0, 0));
    if (!direct)
        return fail(ErrorKind::denied,
                    what + " belongs to " + owner +
                        ", as whom a superuser would act; behind a pooler that would reach other people's "
                        "sessions: connect to the server itself, or as another login");
    if (const Status done = connection.script(what, "SET ROLE " + owner); !done) return tl::unexpected(done.error());
    return Ground{};
}

}  // namespace

const char* const ground_check_sql =
    "DO $$ BEGIN"
    " IF (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = session_user)"
    "    AND EXISTS (SELECT FROM pg_namespace s LEFT JOIN pg_class c ON c.relnamespace = s.oid AND c.relname = "
    "'migrations'"
    "                 WHERE s.nspname = 'dormouse' AND (s.nspowner::regrole::text <> quote_ident(current_user) AND"
    "                       NOT (SELECT o.rolsuper FROM pg_roles o WHERE o.oid = s.nspowner) OR c.relowner <> "
    "s.nspowner OR c.relkind <> 'r')) THEN"
    "    RAISE 'somebody else has made schema dormouse, or dormouse.migrations in it' USING ERRCODE = '42501';"
    " END IF; END $$";

// plpgsql plans what it executes, and for nobody but a superuser that is one lookup.
const char* const ground_gate_sql =
    "DO $ground$ BEGIN"
    " IF (SELECT r.rolsuper FROM pg_catalog.pg_roles r WHERE r.rolname OPERATOR(pg_catalog.=) session_user) THEN"
    "  PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);"
    "  IF EXISTS (SELECT FROM (" DORMOUSE_LOOK
    ") look"
    "              WHERE look.odd IS NOT NULL OR look.somebody AND NOT look.owner_is_superuser) THEN"
    "    RAISE 'a superuser''s session would execute somebody else''s code' USING ERRCODE = '42501';"
    "  END IF;"
    " END IF; END $ground$";

std::vector<Statement> looks_at_ground() {
    std::vector<Statement> statements;
    for (const char* const sql :
         {"BEGIN READ ONLY", "SET LOCAL search_path = pg_catalog, pg_temp", DORMOUSE_LOOK, "COMMIT"})
        statements.push_back(Statement{sql, Params{}, false});
    return statements;
}

Status may_use_ground(const std::vector<Reply>& looked) {
    const Reply& look = looked.at(2);
    return look.rows() == 0 ? Status{} : judge(look, Act::works);
}

Result<Ground> take_ground(BlockingConnection& connection, Act act, const std::string& person) {
    const auto pinned = connection.ask("session", pin_sql, {std::to_string(PQbackendPID(connection.get())), person});
    if (!pinned) return tl::unexpected(pinned.error());
    if (!pinned->boolean(0, 2)) return Ground{};
    return act_as_owner(connection, act, pinned->boolean(0, 0));
}

}  // namespace dormouse::postgres
