#include "postgres/patience.h"

#include <algorithm>
#include <optional>

namespace dormouse::postgres {

namespace {

constexpr Millis turn{5'000};
constexpr Millis shortest_turn{50};

/// Whoever has a lock on anything of the schema; of others a plain role is not told since when.
constexpr const char* holders_sql =
    "SELECT pg_catalog.string_agg(h.who, ', ')"
    "  FROM (SELECT DISTINCT a.xact_start,"
    "               CASE WHEN l.pid IS NULL THEN pg_catalog.format('the prepared transaction %L (COMMIT PREPARED or ROLLBACK "
    "PREPARED)', p.gid)"
    "                    ELSE pg_catalog.format('%s (pid %s%s%s)', a.usename, l.pid, ', ' || "
    "nullif(a.application_name, ''),"
    "                         ', in a transaction since ' || a.xact_start::timestamptz(0)::text) END AS who"
    "          FROM pg_catalog.pg_locks l"
    "          JOIN pg_catalog.pg_class c ON c.oid = l.relation JOIN pg_catalog.pg_namespace n ON n.oid = "
    "c.relnamespace"
    "          LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid"
    "          LEFT JOIN pg_catalog.pg_locks t ON l.pid IS NULL AND t.pid IS NULL AND t.locktype = 'transactionid'"
    "                                         AND t.virtualtransaction = l.virtualtransaction"
    "          LEFT JOIN pg_catalog.pg_prepared_xacts p ON p.transaction = t.transactionid"
    "         WHERE n.nspname = 'dormouse' AND l.granted AND l.pid IS DISTINCT FROM pg_catalog.pg_backend_pid()"
    "           AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = "
    "pg_catalog.current_database())"
    "         ORDER BY a.xact_start LIMIT 5) h";

std::string holders(BlockingConnection& connection) {
    const auto reply = connection.ask("locks", holders_sql);
    if (!reply || reply->rows() == 0 || reply->is_null(0, 0)) return "somebody who has gone meanwhile";
    return std::string(reply->text(0, 0));
}

}  // namespace

void roll_back(BlockingConnection& connection) {
    if (PQtransactionStatus(connection.get()) != PQTRANS_IDLE)
        static_cast<void>(connection.script("ROLLBACK", "ROLLBACK"));
}

Status with_patience(BlockingConnection& connection, const Patience& patience,
                     const std::function<Status(const std::string& lock_timeout)>& attempt) {
    const auto until = BootClock::now() + patience.longest;
    bool told = false;
    while (true) {
        const auto left = std::chrono::duration_cast<Millis>(until - BootClock::now());
        const Millis wait = std::clamp(left, shortest_turn, turn);
        Status done = attempt("SET LOCAL lock_timeout = " + std::to_string(wait.count()));
        roll_back(connection);
        if (done || done.error().kind != ErrorKind::conflict) return done;
        const std::string who = holders(connection);
        if (BootClock::now() >= until)
            return fail(ErrorKind::conflict, done.error().message + "; waited " +
                                                 std::to_string(patience.longest.count()) + " ms for " + who +
                                                 "; end that transaction, or wait for longer (--wait)");
        if (!told && patience.tell) patience.tell(who);
        told = true;
    }
}

}  // namespace dormouse::postgres
