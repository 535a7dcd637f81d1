#include "postgres/sqlstate.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "base/limits.h"

namespace dormouse::postgres {

namespace {

struct Rule {
    std::string_view prefix;
    ErrorKind kind;
};

/// The first that fits; what fits none is an error in our own statements.
constexpr std::array rules{
    Rule{"08", ErrorKind::disconnected},     // connection exception
    Rule{"57P", ErrorKind::disconnected},    // shutdown, crash, starting up, database dropped, idle session timeout
    Rule{"25P03", ErrorKind::disconnected},  // idle in transaction session timeout
    // read-only: a standby, or a setting of role or database, which only a new session can find changed
    Rule{"25006", ErrorKind::disconnected}, Rule{"40", ErrorKind::conflict},   // serialization failure, deadlock
    Rule{"55P03", ErrorKind::conflict},                                        // lock not available
    Rule{"72", ErrorKind::conflict},                                           // snapshot too old
    Rule{"22", ErrorKind::invalid},                                            // data exception
    Rule{"23", ErrorKind::invalid},                                            // a constraint
    Rule{"54", ErrorKind::invalid},                                            // too deep, too long
    Rule{"P0001", ErrorKind::invalid},                                         // somebody's trigger says no
    Rule{"28", ErrorKind::denied},                                             // authentication
    Rule{"42501", ErrorKind::denied}, Rule{"0A000", ErrorKind::incompatible},  // not supported by this server
    Rule{"26000", ErrorKind::incompatible},  // no such prepared statement: a pooler in between
    Rule{"3D000", ErrorKind::incompatible},  // no such database
    Rule{"3F000", ErrorKind::incompatible},  // no such schema
    Rule{"42P01", ErrorKind::incompatible},  // no such table
    Rule{"42703", ErrorKind::incompatible},  // no such column
    Rule{"42883", ErrorKind::incompatible},  // no such function
    Rule{"53", ErrorKind::transient},        // disk full, out of memory, too many connections
    Rule{"55", ErrorKind::transient},        // not now
    Rule{"57014", ErrorKind::conflict},      // canceled by somebody
    Rule{"58", ErrorKind::transient},        // the server's file system
};

std::string one_line(std::string_view text) {
    std::string line;
    for (const char c : text) {
        if (c != '\n' && c != '\r' && c != '\t') {
            line += c;
        } else if (!line.empty() && line.back() != ' ') {
            line += ' ';
        }
    }
    while (!line.empty() && line.back() == ' ') line.pop_back();
    return line;
}

std::string_view field(const PGresult* result, int code) {
    const char* const text = PQresultErrorField(result, code);
    return text == nullptr ? std::string_view{} : std::string_view{text};
}

/// "FATAL:  28P01: password …": the form PQERRORS_VERBOSE gives. Empty if there is none.
std::string_view verbose_sqlstate(std::string_view message) {
    constexpr std::string_view mark = ":  ";
    for (std::size_t at = message.find(mark); at != std::string_view::npos; at = message.find(mark, at + 1)) {
        const std::string_view state = message.substr(at + mark.size(), 5);
        const auto in_code = [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z'); };
        if (state.size() == 5 && std::all_of(state.begin(), state.end(), in_code) &&
            message[at + mark.size() + 5] == ':')
            return state;
    }
    return {};
}

bool says_no_in_english(std::string_view message) {
    constexpr std::array<std::string_view, 6> phrases{
        "FATAL:  role \"",      "authentication failed",      "pg_hba.conf",
        "no password supplied", "is not permitted to log in", "permission denied for database"};
    return message.find("FATAL:") != std::string_view::npos &&
           std::any_of(phrases.begin(), phrases.end(),
                       [&](std::string_view phrase) { return message.find(phrase) != std::string_view::npos; });
}

}  // namespace

ErrorKind kind_of(std::string_view sqlstate) {
    for (const Rule& rule : rules)
        if (sqlstate.starts_with(rule.prefix)) return rule.kind;
    return ErrorKind::internal;
}

namespace {

/// What PL/pgSQL's RAISE says is about what was sent, whatever its SQLSTATE says of sessions and servers. Source: the
/// field "Routine" of an error message.
bool is_raised(const PGresult* result) {
    // Our own functions mean what they raise: the first line of the context names the function.
    const std::string_view where = field(result, PG_DIAG_CONTEXT);
    const bool ours = where.substr(0, where.find('\n')).find(" dormouse.") != std::string_view::npos;
    return field(result, PG_DIAG_SOURCE_FUNCTION) == "exec_stmt_raise" && !ours;
}

/// Another server said so, to a function of this one: postgres_fdw, dblink.
bool is_of_another_server(const PGresult* result) {
    const std::string_view context = field(result, PG_DIAG_CONTEXT);
    return context.find("remote SQL command") != std::string_view::npos ||
           context.find("dblink connection") != std::string_view::npos;
}

/// Of these a function of somebody's can be the reason by itself: of all but a disk or a memory that is full, if that
/// is not another server's. A server that takes no writes says so to our statement, before any trigger.
bool may_be_of_a_function(const PGresult* result, std::string_view state) {
    const bool full = state == "53100" || state == "53200";
    return (state.starts_with("53") && (!full || is_of_another_server(result))) || state.starts_with("58") ||
           state == "25006";
}

/// A server or a session that is at its end ends with what it says (FATAL, PANIC). With an error it is there
/// afterwards: 08001 is then of a session that somebody's trigger wanted to have, and 55000 of a sequence of his. Only
/// where nothing more can be stored, or where the server cannot read its own files, is an error everybody's.
bool is_of_what_was_sent(const PGresult* result, std::string_view state) {
    if (is_raised(result)) return true;
    std::string_view severity = field(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    if (severity.empty()) severity = field(result, PG_DIAG_SEVERITY);
    const bool lasts = severity == "ERROR";
    const bool of_the_session = state.starts_with("08") || state.starts_with("57P") || state == "25P03";
    const bool not_now = state.starts_with("55") && kind_of(state) == ErrorKind::transient;
    return lasts && (of_the_session || not_now || (may_be_of_a_function(result, state) && is_of_a_function(result)));
}

}  // namespace

bool is_of_a_function(const PGresult* result) {
    for (std::string_view context = field(result, PG_DIAG_CONTEXT); !context.empty();) {
        const std::string_view line = context.substr(0, context.find('\n'));
        context.remove_prefix(std::min(context.size(), line.size() + 1));
        if (line.find("PL/") != std::string_view::npos && line.find(" dormouse.") == std::string_view::npos)
            return true;
    }
    return false;
}

namespace {

/// What has gone from under everybody's statements, where Postgres speaks as if it were about the row that was sent:
/// what brings it back; empty: it is about the row. A function of somebody's may say the same of a sequence of its own.
std::string lost_ground(const PGresult* result, std::string_view state) {
    const std::string_view table = field(result, PG_DIAG_TABLE_NAME);
    const std::string_view said = field(result, PG_DIAG_MESSAGE_PRIMARY);
    const bool exhausted = state == "2200H" && field(result, PG_DIAG_CONTEXT).empty();
    if (exhausted && field(result, PG_DIAG_MESSAGE_PRIMARY).find("\"fence\"") != std::string_view::npos)
        return "; dormouse.fence was changed, from which each claim takes a number; as the owner of the schema: "
               "ALTER SEQUENCE dormouse.fence NO MAXVALUE RESTART";
    const bool no_partition = state == "23514" && field(result, PG_DIAG_CONSTRAINT_NAME).empty() &&
                              field(result, PG_DIAG_SCHEMA_NAME) == "dormouse" && !table.empty();
    if (no_partition)
        return "; a role has dropped or detached the default partition of dormouse." + std::string(table) +
               "; as the owner of the schema: SELECT dormouse.make_default()";
    const bool unpublished = (state == "42P10" || state == "55000") && !is_of_a_function(result) &&
                             (said.starts_with("cannot update table") || said.starts_with("cannot delete from table"));
    if (unpublished)
        return "; a publication has a row filter or a list of columns for this table that its replica identity does not "
               "hold, or it has none: publish dormouse's tables whole or not at all (ALTER PUBLICATION … SET TABLE; "
               "dormouse doctor names the publication)";
    return {};
}

}  // namespace

Error from_result(const PGresult* result, std::string_view what) {
    const std::string start = what.empty() ? "" : std::string(what) + ": ";
    if (PQresultStatus(result) == PGRES_PIPELINE_ABORTED)
        return {ErrorKind::transient, start + "not executed, because a statement before it failed"};
    const std::string_view state = field(result, PG_DIAG_SQLSTATE);
    if (state.empty()) {
        const std::string message = one_line(result == nullptr ? "" : PQresultErrorMessage(result));
        return {ErrorKind::disconnected, start + (message.empty() ? "the session is gone" : message)};
    }
    std::string message = start + one_line(field(result, PG_DIAG_MESSAGE_PRIMARY)) + " (" + std::string(state) + ")";
    const std::string hint = one_line(field(result, PG_DIAG_MESSAGE_HINT));
    if (!hint.empty()) message += ". " + hint;
    if (const std::string remedy = lost_ground(result, state); !remedy.empty())
        return {ErrorKind::transient, message + remedy};
    return {is_of_what_was_sent(result, state) ? ErrorKind::invalid : kind_of(state), std::move(message)};
}

Error from_connection(const PGconn* connection, std::string_view what) {
    const std::string message = connection == nullptr ? "out of memory" : one_line(PQerrorMessage(connection));
    ErrorKind kind = ErrorKind::disconnected;
    const std::string_view state = verbose_sqlstate(message);
    if (!state.empty()) {
        kind = kind_of(state);
    } else if (connection != nullptr && (PQconnectionNeedsPassword(connection) == 1 || says_no_in_english(message))) {
        kind = ErrorKind::denied;
    } else if (message.find("FATAL:  database \"") != std::string::npos) {
        kind = ErrorKind::incompatible;
    } else if (message.find("too many c") != std::string::npos ||
               message.find("remaining connection slots") != std::string::npos) {
        kind = ErrorKind::transient;
    }
    // One was asked for and there was none.
    const char* const remedy =
        connection != nullptr && PQconnectionNeedsPassword(connection) == 1
            ? "; passwords come from a passfile, a file of mode 0600 with a line HOST:PORT:DATABASE:USER:PASSWORD: add "
              "?passfile=FILE to the URL (the worker's unit alone: LoadCredential=pgpass:FILE)"
            : "";
    return {kind, std::string(what) + ": " + (message.empty() ? "the session is gone" : message) + remedy +
                      open_files_remedy(message)};
}

}  // namespace dormouse::postgres
