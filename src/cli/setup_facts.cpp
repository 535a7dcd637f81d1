#include "cli/setup_facts.h"

#include "cli/version.h"
#include "postgres/acting.h"

namespace dormouse::cli {
namespace {

constexpr const char* asked_by_setup = "setup";

/// $1: the login, $2: the application's. From Postgres 16 on a member may be kept from SET ROLE. Who can act as the
/// owner besides superusers and this session's user is named.
constexpr const char* roles_sql =
    "WITH me AS (SELECT r.* FROM pg_roles r WHERE r.rolname = session_user),"
    " owner AS (SELECT r.* FROM pg_roles r WHERE r.rolname = 'dormouse_owner'),"
    " login AS (SELECT r.* FROM pg_roles r WHERE r.rolname = $1),"
    " application AS (SELECT r.* FROM pg_roles r WHERE r.rolname = $2),"
    " producer AS (SELECT r.* FROM pg_roles r WHERE r.rolname = 'dormouse_producer'),"
    " worker AS (SELECT r.* FROM pg_roles r WHERE r.rolname = 'dormouse_worker')"
    " SELECT session_user, me.rolsuper, me.rolcreaterole OR me.rolsuper, me.rolcreatedb OR me.rolsuper,"
    "        EXISTS (SELECT FROM owner), coalesce((SELECT rolcanlogin FROM owner), false),"
    "        (SELECT string_agg(m.member::regrole::text, ', ') FROM pg_auth_members m JOIN owner ON m.roleid = "
    "owner.oid"
    "           JOIN pg_roles r ON r.oid = m.member WHERE NOT r.rolsuper AND r.rolname <> session_user),"
    "        coalesce((SELECT pg_has_role(owner.oid, 'USAGE') AND CASE WHEN"
    "                  current_setting('server_version_num')::integer < 160000 THEN true ELSE"
    "                  pg_has_role(owner.oid, 'SET') END FROM owner), false),"
    "        EXISTS (SELECT FROM login), coalesce((SELECT rolcanlogin FROM login), false),"
    "        coalesce((SELECT rolsuper FROM login), false),"
    "        coalesce((SELECT pg_has_role(login.oid, worker.oid, 'USAGE') FROM login, worker), false),"
    "        (SELECT count(*) = 4 FROM pg_roles r WHERE r.rolname IN"
    "          ('dormouse_producer', 'dormouse_worker', 'dormouse_operator', 'dormouse_reader')),"
    "        EXISTS (SELECT FROM application), coalesce((SELECT rolcanlogin FROM application), false),"
    "        coalesce((SELECT pg_has_role(application.oid, producer.oid, 'USAGE') FROM application, producer), false)"
    "   FROM me";

/// $1: the login, $2: the application's. Of the database of the session.
constexpr const char* database_facts_sql =
    "SELECT pg_catalog.has_database_privilege(current_database(), 'CREATE'),"
    "       coalesce((SELECT has_database_privilege(r.oid, current_database(), 'CONNECT') FROM pg_roles r"
    "                  WHERE r.rolname = $1), has_database_privilege('public', current_database(), 'CONNECT')),"
    "       (SELECT n.nspowner::regrole::text FROM pg_namespace n WHERE n.nspname = 'dormouse'),"
    "       coalesce((SELECT count(*) = 4 AND bool_and(has_schema_privilege(r.oid, n.oid, 'USAGE'))"
    "                   FROM pg_namespace n, pg_roles r WHERE n.nspname = 'dormouse' AND r.rolname IN"
    "                   ('dormouse_producer', 'dormouse_worker', 'dormouse_operator', 'dormouse_reader')), false)"
    "       AND NOT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, pg_roles r"
    "                        WHERE n.nspname = 'dormouse' AND c.relkind IN ('r', 'p', 'v') AND NOT"
    "                              c.relispartition AND c.relname <> 'channel_key' AND r.rolname = 'dormouse_worker' "
    "AND NOT "
    "has_table_privilege(r.oid, c.oid, 'SELECT')),"
    "       has_database_privilege('public', current_database(), 'CONNECT'),"
    "       coalesce((SELECT has_database_privilege(r.oid, current_database(), 'CONNECT') FROM pg_roles r"
    "                  WHERE r.rolname = $2), has_database_privilege('public', current_database(), 'CONNECT'))";

Try<void> look_at_schema(postgres::BlockingConnection& connection, SetupFacts& facts) {
    if (!facts.superuser && !facts.acts_as_owner) return {};  // it is looked at when it is migrated
    if (const auto acts = act_as_owner(connection, facts.superuser); !acts) return acts;
    const auto state = postgres::schema_state(connection, migrations(), release());
    if (const auto back = act_as_before(connection); !back) return back;
    if (!state) return give_up(state.error());
    if (state->fit == postgres::SchemaFit::missing || state->fit == postgres::SchemaFit::older) return {};
    const Status fits = postgres::require_fit(*state, release());
    facts.migrated = fits.has_value();
    if (!fits) facts.unfit = fits.error().message;
    return {};
}

}  // namespace

Try<void> act_as_owner(postgres::BlockingConnection& connection, bool superuser) {
    if (!superuser) {
        if (const Status done = connection.script(asked_by_setup, std::string("SET ROLE ") + setup_owner); !done)
            return give_up(done.error());
        return {};
    }
    if (const auto ground = postgres::take_ground(connection, postgres::Act::adopts); !ground)
        return give_up(ground.error());
    return {};
}

Try<void> act_as_before(postgres::BlockingConnection& connection) {
    if (const Status done = connection.script(asked_by_setup, "RESET ROLE"); !done) return give_up(done.error());
    return {};
}

Try<SetupFacts> look_at(postgres::BlockingConnection& connection, bool there, const SetupOptions& options) {
    SetupFacts facts;
    facts.database = there;
    const auto roles = connection.ask(asked_by_setup, roles_sql, {options.login, options.application});
    if (!roles) return give_up(roles.error());
    facts.user = roles->text(0, 0);
    facts.superuser = roles->boolean(0, 1);
    facts.makes_roles = roles->boolean(0, 2);
    facts.makes_databases = roles->boolean(0, 3);
    facts.owner = roles->boolean(0, 4);
    facts.owner_logs_in = roles->boolean(0, 5);
    facts.owner_members = roles->text(0, 6);
    facts.acts_as_owner = roles->boolean(0, 7);
    facts.login = roles->boolean(0, 8);
    facts.login_logs_in = roles->boolean(0, 9);
    facts.login_is_super = roles->boolean(0, 10);
    facts.login_works = roles->boolean(0, 11);
    facts.roles = roles->boolean(0, 12);
    facts.application = roles->boolean(0, 13);
    facts.application_logs_in = roles->boolean(0, 14);
    facts.application_enqueues = roles->boolean(0, 15);
    facts.makes_schemas = !there;  // who makes a database owns it
    if (!there) return facts;
    const auto here = connection.ask(asked_by_setup, database_facts_sql, {options.login, options.application});
    if (!here) return give_up(here.error());
    facts.makes_schemas = here->boolean(0, 0);
    facts.login_connects = here->boolean(0, 1);
    facts.schema_owner = here->text(0, 2);
    facts.granted = here->boolean(0, 3);
    facts.everybody_connects = here->boolean(0, 4);
    facts.application_connects = here->boolean(0, 5);
    if (facts.schema_owner != setup_owner) return facts;
    if (const auto looked = look_at_schema(connection, facts); !looked) return tl::unexpected(looked.error());
    return facts;
}

Try<std::string> databases_of(postgres::BlockingConnection& connection) {
    const auto names = connection.ask(asked_by_setup,
                                      "SELECT pg_catalog.string_agg(d.datname, ', ' ORDER BY d.datname) FROM "
                                      "pg_database d WHERE NOT d.datistemplate AND "
                                      "d.datname <> 'postgres'");
    if (!names) return give_up(names.error());
    return std::string(names->text(0, 0));
}

}  // namespace dormouse::cli
