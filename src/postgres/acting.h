// Whose code a command executes. A superuser's command must execute nobody else's: whoever owns the schema dormouse can
// put anything behind its names, and SET ROLE alone is no fence, since what is executed can RESET ROLE. So a superuser
// acts as the schema's owner, and only if nobody else can act as that owner. Driven by each command that opens a
// session; the worker and the relay have logins of their own.
#pragma once

#include <string>

#include "base/error.h"
#include "postgres/blocking.h"

namespace dormouse::postgres {

/// What a command is about to do with the schema.
enum class Act {
    uses,        ///< calls, reads and writes what is in it
    migrates,    ///< makes or changes it
    adopts,      ///< as `migrates`, also if it was prepared by an owner who is trusted
    administers  ///< as superuser, and executes nothing of it: grants, and sql/local_wake.sql
};

struct Ground {
    bool schema_exists = true;  ///< asked for superusers only
};

/// Makes the session look up names in pg_catalog alone (behind a pooler it stays as it is: that would reach other
/// people's sessions), and a superuser's act as the schema's owner. Sent before anything else. Errors: denied, with the
/// names of what is in the way and the remedy.
Result<Ground> take_ground(BlockingConnection& connection, Act act);

/// A statement for the transaction that makes the schema: it fails with 42501 if a superuser would go on in a schema
/// that is somebody else's by now.
extern const char* const ground_check_sql;

}  // namespace dormouse::postgres
