// Brings the schema `dormouse` up to this release, and tells whether a database fits it. Driven by `dormouse
// migrate`; the worker asks through its own session with schema_check_sql and interpret_schema(). Knows no
// table of ours but dormouse.migrations, which it makes: one row for each migration, with the oldest release
// that the schema still serves.
#pragma once

#include <libpq-fe.h>

#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "postgres/blocking.h"
#include "postgres/patience.h"

namespace dormouse::postgres {

/// One file of sql/migrations. A line "-- oldest release: X.Y.Z" in it says which releases can work on the
/// schema from then on; without it that stays as the migration before left it.
struct Migration {
    int version = 0;
    std::string_view name;
    std::string_view text;
};

/// How a database's schema stands to the migrations this release has.
enum class SchemaFit {
    missing,  ///< no dormouse here
    older,    ///< `dormouse migrate` has something to do
    right,    ///< exactly ours
    newer,    ///< made by a later release, and serves us all the same
    too_new,  ///< made by a later release that ours cannot work with
    changed,  ///< a migration was applied with other contents than ours
};

struct SchemaState {
    SchemaFit fit = SchemaFit::missing;
    int version = 0;               ///< the highest that is applied
    int known = 0;                 ///< the highest this release has
    std::string oldest_release;    ///< that the schema serves; empty when missing
    std::string detail;            ///< of `changed`: which one
    std::string encoding;          ///< of the database; empty: not known
    std::string hidden;            ///< tables whose rows row level security may hide from this user
    std::string columns;           ///< of dormouse.runs, in their order, quoted where SQL needs it: "id, queue, …"
    std::string writable_columns;  ///< those of them that are not generated
};

/// The name of a SchemaFit in --json: "missing", "older", …
const char* to_string(SchemaFit fit);

/// One statement without parameters, read-only. It fails where there is no schema: send it as a transaction
/// of its own.
extern const char* const schema_check_sql;

/// Reads the answer to schema_check_sql, failed or not. `release` is this program's version.
/// Errors: denied (the role may not look), disconnected, transient.
Result<SchemaState> interpret_schema(const PGresult* answer, std::span<const Migration> migrations,
                                     std::string_view release);

/// Asks and interprets.
Result<SchemaState> schema_state(BlockingConnection& connection, std::span<const Migration> migrations,
                                 std::string_view release);

/// The state of a database without one, as schema_state() would tell it.
Result<SchemaState> no_schema(BlockingConnection& connection, std::span<const Migration> migrations);

/// Nothing if the release can work with this schema. Errors: incompatible, denied, with the remedy.
Status require_fit(const SchemaState& state, std::string_view release);

/// Applies what is missing, each migration in one transaction under a lock, its row first. Any number of
/// callers at once leave one schema. Does nothing, and needs no rights to, when there is nothing to do.
/// Returns how many this call applied. Errors: incompatible (too new, changed), denied, and what the SQL
/// says; a failed migration leaves nothing of itself.
/// `schema_exists` false: there was none, so none is asked before this session has made it (acting.h).
Result<int> migrate(BlockingConnection& connection, std::span<const Migration> migrations, std::string_view release,
                    bool schema_exists = true, const Patience& patience = {});

/// Applies sql/roles.sql in one transaction. Errors: denied, with who can do it; incompatible without a
/// schema.
Status apply_roles(BlockingConnection& connection, std::string_view roles, const Patience& patience = {});

/// True if release `left` comes before `right`, compared number by number; "1.2" is "1.2.0".
bool release_before(std::string_view left, std::string_view right);

}  // namespace dormouse::postgres
