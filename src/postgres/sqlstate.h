// The one mapping from what Postgres and libpq report to the kind of reaction it calls for. Used by both
// connections of this folder; the texts are one line, for people, and hold neither passwords nor row contents
// (DETAIL is left out). Source: "PostgreSQL Error Codes" in the manual's appendices.
#pragma once

#include <libpq-fe.h>

#include <string_view>

#include "base/error.h"

namespace dormouse::postgres {

/// The reaction to a SQLSTATE of five characters.
ErrorKind kind_of(std::string_view sqlstate);

/// The error of a statement that failed: "WHAT: message (SQLSTATE). Hint"; no `what`, no colon. `result` may
/// be nullptr. Failures without a SQLSTATE come from libpq itself: the session is gone.
Error from_result(const PGresult* result, std::string_view what = {});

/// It comes out of a function of somebody's in a procedural language: of a trigger, as a rule.
bool is_of_a_function(const PGresult* result);

/// The error of a session that broke or could not be opened. A server that answered "no" is told from one
/// that could not be reached by the SQLSTATE in the text, if PQERRORS_VERBOSE was set before, else by what
/// libpq knows about the password, else by the English text.
Error from_connection(const PGconn* connection, std::string_view what);

}  // namespace dormouse::postgres
