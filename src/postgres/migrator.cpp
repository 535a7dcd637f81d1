#include "postgres/migrator.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstdio>

#include "postgres/acting.h"
#include "postgres/engine.h"
#include "postgres/sqlstate.h"

namespace dormouse::postgres {

const char* const schema_check_sql =
    "SELECT m.version, m.name, m.checksum, m.oldest_release, pg_catalog.current_setting('server_encoding'),"
    " pg_catalog.concat_ws(', ',"
    " CASE WHEN pg_catalog.row_security_active(pg_catalog.to_regclass('dormouse.migrations')::oid) THEN 'migrations' "
    "END,"
    " CASE WHEN pg_catalog.row_security_active(pg_catalog.to_regclass('dormouse.runs')::oid) THEN 'runs' END,"
    " CASE WHEN pg_catalog.row_security_active(pg_catalog.to_regclass('dormouse.runs_live')::oid) THEN 'runs_live' END,"
    " CASE WHEN pg_catalog.row_security_active(pg_catalog.to_regclass('dormouse.runs_finished')::oid)"
    " THEN 'runs_finished' END,"
    " CASE WHEN pg_catalog.row_security_active(pg_catalog.to_regclass('dormouse.worker_registry')::oid)"
    " THEN 'worker_registry' END), c.names, c.writable,"
    " pg_catalog.version(), pg_catalog.current_setting('server_version_num')::int4"
    " FROM (SELECT) always LEFT JOIN dormouse.migrations m ON true CROSS JOIN ("
    "SELECT pg_catalog.string_agg(pg_catalog.quote_ident(a.attname::text), ', ' ORDER BY a.attnum) AS names,"
    " pg_catalog.string_agg(pg_catalog.quote_ident(a.attname::text), ', ' ORDER BY a.attnum)"
    " FILTER (WHERE a.attgenerated = '') AS writable"
    " FROM pg_catalog.pg_attribute a WHERE a.attrelid = pg_catalog.to_regclass('dormouse.runs_live')::oid"
    " AND a.attnum > 0 AND NOT a.attisdropped) c ORDER BY m.version";

namespace {

/// Whoever changes the schema holds this lock, for which it takes privileges: anybody could take an advisory one.
constexpr const char* lock_sql = "LOCK TABLE dormouse.migrations IN SHARE ROW EXCLUSIVE MODE";

/// search_path, so that nothing in somebody's schema is taken for a thing of Postgres; the timeouts a role
/// may have are for its ordinary statements.
constexpr const char* begin_sql =
    "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;"
    "SET LOCAL search_path = pg_catalog, pg_temp;"
    "SET LOCAL statement_timeout = 0";

/// The schema may have been made by an administrator for a role that could not make it itself.
constexpr const char* ground_sql =
    "DO $$ BEGIN FOR try IN 1..3 LOOP BEGIN"
    " IF to_regnamespace('dormouse') IS NULL THEN CREATE SCHEMA dormouse; END IF;"
    " CREATE TABLE IF NOT EXISTS dormouse.migrations ("
    "  version integer PRIMARY KEY, name text NOT NULL, checksum text NOT NULL, oldest_release text NOT NULL,"
    "  applied_at timestamptz NOT NULL DEFAULT now());"
    " EXIT;"
    " EXCEPTION WHEN unique_violation OR duplicate_schema OR duplicate_table THEN NULL;"  // somebody was faster
    " END; END LOOP; END $$";

/// FNV-1a over 64 bits: it is to notice an edit, not to withstand an attack.
std::string checksum(std::string_view text) {
    std::uint64_t hash = 0xcbf29ce484222325U;
    for (const char c : text) hash = (hash ^ static_cast<std::uint8_t>(c)) * 0x100000001b3U;
    char digits[17];
    std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(hash));
    return digits;
}

/// What the migration says, or what was said before it.
std::string oldest_release_of(const Migration& migration, std::string before) {
    constexpr std::string_view mark = "-- oldest release: ";
    const std::size_t at = migration.text.find(mark);
    if (at == std::string_view::npos) return before;
    const std::string_view rest = migration.text.substr(at + mark.size());
    return std::string(rest.substr(0, rest.find_first_not_of("0123456789.")));
}

std::string file_of(const Migration& migration) {
    return "migration " + std::string(migration.name) + ".sql";
}

/// Inside the transaction. Returns false when somebody else was faster.
Result<bool> apply(BlockingConnection& connection, const Migration& migration, const std::string& oldest,
                   const std::string& lock_timeout) {
    const std::string what = file_of(migration);
    for (const std::string& sql : {std::string(begin_sql), lock_timeout, std::string(ground_sql),
                                   std::string(ground_check_sql), std::string(lock_sql)})
        if (auto done = connection.script(what, sql); !done) return tl::unexpected(done.error());
    auto row = connection.ask(
        what,
        "INSERT INTO dormouse.migrations (version, name, checksum, oldest_release) VALUES ($1, $2, $3, $4) "
        "ON CONFLICT (version) DO NOTHING",
        {std::to_string(migration.version), std::string(migration.name), checksum(migration.text), oldest});
    if (!row) return tl::unexpected(row.error());
    const bool ours = row->affected() == 1;
    if (ours)
        if (auto done = connection.script(what, std::string(migration.text)); !done)
            return tl::unexpected(done.error());
    if (auto done = connection.script(what, "COMMIT"); !done) return tl::unexpected(done.error());
    return ours;
}

int next_number(std::string_view& text) {
    int number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    if (text.starts_with('.')) {
        text.remove_prefix(1);
    } else {
        text = {};  // "~rc1" and the like
    }
    return error == std::errc{} ? number : 0;
}

/// Compares the rows of dormouse.migrations, which are in order, with ours.
SchemaState compare(const Reply& rows, std::span<const Migration> migrations, std::string_view release) {
    SchemaState state;
    std::size_t found = 0;
    for (const Migration& migration : migrations) state.known = std::max(state.known, migration.version);
    if (rows.rows() > 0) state.encoding = rows.text(0, 4);
    if (rows.rows() > 0) state.hidden = rows.text(0, 5);
    if (rows.rows() > 0) state.columns = rows.text(0, 6);
    if (rows.rows() > 0) state.writable_columns = rows.text(0, 7);
    const bool none = rows.rows() == 0 || rows.is_null(0, 0);
    for (int row = 0; row < rows.rows() && !none; ++row) {
        const auto version = static_cast<int>(rows.integer(row, 0));
        state.version = std::max(state.version, version);
        state.oldest_release = rows.text(row, 3);
        const auto same = std::find_if(migrations.begin(), migrations.end(),
                                       [&](const Migration& m) { return m.version == version; });
        if (same == migrations.end()) continue;
        ++found;
        if (rows.text(row, 2) != checksum(same->text) && state.detail.empty()) state.detail = rows.text(row, 1);
    }
    if (none) {
        state.fit = SchemaFit::missing;
    } else if (!state.detail.empty()) {
        state.fit = SchemaFit::changed;
    } else if (found < migrations.size()) {
        state.fit = SchemaFit::older;
    } else if (state.version == state.known) {
        state.fit = SchemaFit::right;
    } else {
        state.fit = release_before(release, state.oldest_release) ? SchemaFit::too_new : SchemaFit::newer;
    }
    return state;
}

SchemaState missing(std::span<const Migration> migrations) {
    SchemaState state;
    for (const Migration& migration : migrations) state.known = std::max(state.known, migration.version);
    return state;
}

void add_encoding(SchemaState& state, PGconn* connection) {
    const char* const encoding = PQparameterStatus(connection, "server_encoding");
    if (encoding != nullptr) state.encoding = encoding;  // also where there is no schema to ask
}

/// A person is shown what a worker never reads: lines, attempts, what was done. What is hidden there would be a lie.
Status add_hidden(SchemaState& state, BlockingConnection& connection) {
    if (!state.hidden.empty()) return {};
    const auto reply = connection.ask(
        "row security",
        "SELECT pg_catalog.concat(pg_catalog.string_agg(c.relname::text, ', '::text ORDER BY c.relname::text))"
        " FROM pg_catalog.pg_class c WHERE c.relnamespace OPERATOR(pg_catalog.=)"
        " pg_catalog.to_regnamespace('dormouse'::text)::oid AND c.relrowsecurity"
        " AND pg_catalog.row_security_active(c.oid)");
    if (!reply) return tl::unexpected(reply.error());
    state.hidden = reply->text(0, 0);
    return {};
}

Status require_utf8(const SchemaState& state) {
    if (state.encoding.empty() || state.encoding == "UTF8") return {};
    return fail(ErrorKind::incompatible, "the database has the encoding " + state.encoding +
                                             ", and dormouse needs UTF8, as JSON does; make another one: "
                                             "createdb --encoding=UTF8 --template=template0 NAME");
}

}  // namespace

const char* to_string(SchemaFit fit) {
    switch (fit) {
        case SchemaFit::missing:
            return "missing";
        case SchemaFit::older:
            return "older";
        case SchemaFit::right:
            return "right";
        case SchemaFit::newer:
            return "newer";
        case SchemaFit::too_new:
            return "too_new";
        case SchemaFit::changed:
            return "changed";
    }
    return "missing";
}

bool release_before(std::string_view left, std::string_view right) {
    while (!left.empty() || !right.empty()) {
        const int l = next_number(left);
        const int r = next_number(right);
        if (l != r) return l < r;
    }
    return false;
}

Result<SchemaState> interpret_schema(const PGresult* answer, std::span<const Migration> migrations,
                                     std::string_view release) {
    if (PQresultStatus(answer) == PGRES_TUPLES_OK) {
        // Reply wants to own what it reads; PQcopyResult costs nothing for a handful of rows
        const Reply rows(PQcopyResult(answer, PG_COPYRES_ATTRS | PG_COPYRES_TUPLES));
        const std::string unfit = unfit_server(rows.text(0, 8), static_cast<int>(rows.integer(0, 9)));
        if (!unfit.empty()) return fail(ErrorKind::incompatible, unfit);
        return compare(rows, migrations, release);
    }
    Error error = from_result(answer, "schema dormouse");
    if (error.kind == ErrorKind::incompatible) {
        return missing(migrations);
    }
    if (error.kind == ErrorKind::denied)
        error.message +=
            "; run `dormouse migrate --roles` and GRANT dormouse_worker (or dormouse_operator, dormouse_reader) to "
            "this user";
    return tl::unexpected(std::move(error));
}

Result<SchemaState> schema_state(BlockingConnection& connection, std::span<const Migration> migrations,
                                 std::string_view release) {
    const Reply reply(PQexec(connection.get(), schema_check_sql));
    auto state = interpret_schema(reply.get(), migrations, release);
    if (state) add_encoding(*state, connection.get());
    if (state)
        if (const Status added = add_hidden(*state, connection); !added) return tl::unexpected(added.error());
    return state;
}

Result<SchemaState> no_schema(BlockingConnection& connection, std::span<const Migration> migrations) {
    SchemaState state = missing(migrations);
    add_encoding(state, connection.get());
    return state;
}

Status require_fit(const SchemaState& state, std::string_view release) {
    const std::string schema = "schema dormouse (version " + std::to_string(state.version) + ")";
    const std::string ours = "dormouse " + std::string(release);
    if (auto fits = require_utf8(state); !fits) return fits;
    if (!state.hidden.empty())
        return fail(ErrorKind::denied,
                    "row level security hides rows of schema dormouse from this user (" + state.hidden +
                        "); disable it there (ALTER TABLE ... DISABLE ROW LEVEL SECURITY), or give the user BYPASSRLS");
    switch (state.fit) {
        case SchemaFit::right:
        case SchemaFit::newer:
            return {};
        case SchemaFit::missing:
            return fail(ErrorKind::incompatible, "the database has no schema dormouse; run `dormouse migrate`");
        case SchemaFit::older:
            return fail(ErrorKind::incompatible, schema + " is older than " + ours + " needs (version " +
                                                     std::to_string(state.known) + "); run `dormouse migrate`");
        case SchemaFit::too_new:
            return fail(ErrorKind::incompatible, schema + " serves dormouse " + state.oldest_release +
                                                     " and later, this is " + ours + "; install a later release");
        case SchemaFit::changed:
            return fail(ErrorKind::incompatible,
                        "migration " + state.detail + " was applied here with other contents than in " + ours +
                            "; use the release that applied it, or restore the schema from a backup");
    }
    return fail(ErrorKind::internal, "unknown state of the schema");
}

Result<int> migrate(BlockingConnection& connection, std::span<const Migration> migrations, std::string_view release,
                    bool schema_exists, const Patience& patience) {
    if (auto fits = require_postgres(connection); !fits) return tl::unexpected(fits.error());
    auto state = schema_exists ? schema_state(connection, migrations, release) : no_schema(connection, migrations);
    if (!state) return tl::unexpected(state.error());
    int applied = 0;
    std::string oldest = "0.0.0";
    if (auto fits = require_utf8(*state); !fits) return tl::unexpected(fits.error());
    if (state->fit == SchemaFit::missing || state->fit == SchemaFit::older) {
        for (const Migration& migration : migrations) {
            oldest = oldest_release_of(migration, oldest);
            if (migration.version <= state->version) continue;
            const Status done = with_patience(connection, patience, [&](const std::string& lock_timeout) -> Status {
                const auto ours = apply(connection, migration, oldest, lock_timeout);
                if (!ours) return tl::unexpected(ours.error());
                applied += *ours ? 1 : 0;
                return {};
            });
            if (!done) return tl::unexpected(done.error());
        }
        state = schema_state(connection, migrations, release);
        if (!state) return tl::unexpected(state.error());
    }
    if (auto fits = require_fit(*state, release); !fits) return tl::unexpected(fits.error());
    return applied;
}

Status apply_roles(BlockingConnection& connection, std::string_view roles, const Patience& patience) {
    const std::string what = "roles.sql";
    const Status done = with_patience(connection, patience, [&](const std::string& lock_timeout) -> Status {
        for (const std::string& sql :
             {std::string(begin_sql), lock_timeout, std::string(lock_sql), std::string(roles), std::string("COMMIT")})
            if (Status step = connection.script(what, sql); !step) return step;
        return {};
    });
    if (done) return done;
    Error error = done.error();
    if (error.kind == ErrorKind::denied)
        error.message +=
            "; run `dormouse migrate --roles` as the schema's owner with CREATEROLE, or have an "
            "administrator create the "
            "roles dormouse_producer, dormouse_worker, dormouse_operator and dormouse_reader first";
    if (error.kind == ErrorKind::incompatible) error.message += "; run `dormouse migrate` first";
    return tl::unexpected(std::move(error));
}

}  // namespace dormouse::postgres
