// Whose code a command executes. A superuser's command must execute nobody else's: whoever owns the schema dormouse can
// put anything behind its names, and SET ROLE alone is no fence, since what is executed can RESET ROLE. So a superuser
// acts as the schema's owner, and only if nobody else can act as that owner. Driven by each command that opens a
// session. A worker's and a relay's session (listening_session.h) only looks, with its first statements: most have
// logins of their own, and a superuser's is refused on the same ground.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "postgres/blocking.h"
#include "postgres/session.h"

namespace dormouse::postgres {

/// What a command is about to do with the schema.
enum class Act {
    uses,        ///< calls, reads and writes what is in it
    works,       ///< likewise, for a worker or a relay
    migrates,    ///< makes or changes it
    adopts,      ///< as `migrates`, also if it was prepared by an owner who is trusted
    administers  ///< as superuser, and executes nothing of it: grants, and sql/local_wake.sql
};

struct Ground {
    bool schema_exists = true;  ///< asked for superusers only
};

/// Makes the session look up names in pg_catalog alone (behind a pooler it stays as it is: that would reach other
/// people's sessions), and a superuser's act as the schema's owner. Sent before anything else. `person` is who does
/// this, if the login does not say so: it stands beside it in what is kept of operations. UTF-8; empty: nobody in
/// particular. Errors: denied, with the names of what is in the way and the remedy.
Result<Ground> take_ground(BlockingConnection& connection, Act act, const std::string& person = {});

/// For a session that is about to use the schema: fails with 42501 where take_ground() would be `denied`, for nobody
/// but a superuser. Executes nothing that is not of Postgres, and leaves no setting behind its transaction.
extern const char* const ground_gate_sql;
/// Then these tell why: their answers are for may_use_ground().
std::vector<Statement> looks_at_ground();
Status may_use_ground(const std::vector<Reply>& looked);

/// A statement for the transaction that makes the schema: it fails with 42501 if a superuser would go on in a schema
/// that is somebody else's by now.
extern const char* const ground_check_sql;

}  // namespace dormouse::postgres
