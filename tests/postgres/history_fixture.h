// A database with a long history, and what a statement costs there: locks and pages, not times.
#pragma once

#include <boost/test/unit_test.hpp>
#include <string>
#include <utility>

#include "support/cluster.h"

namespace dormouse::testing {

/// A database that keeps so many days, with a finished run in each that is over: partitions as retention makes them.
struct History {
    TestDatabase database;
    std::string old;  ///< the run of the oldest day

    explicit History(int days) {
        const std::string n = std::to_string(days - 1);
        database.exec(
            "DO $$ DECLARE day date; name text; BEGIN FOR i IN -8 .. " + n +
            " LOOP day := current_date - i; name := 'runs_finished_' || to_char(day, 'YYYYMMDD');"
            " EXECUTE format('CREATE TABLE dormouse.%I (LIKE dormouse.runs_finished INCLUDING DEFAULTS INCLUDING "
            "CONSTRAINTS)', name);"
            " EXECUTE format('ALTER TABLE dormouse.runs_finished ATTACH PARTITION dormouse.%I FOR VALUES FROM (%L) TO "
            "(%L)', name, day, day + 1); END LOOP; END $$");
        for (int day = 0; day < days; ++day) {
            const std::string time = "now() - interval '" + std::to_string(day) + " days 1 minute'";
            old = finished(id_at(time), time);
        }
    }
    /// An id that was made at that time.
    std::string id_at(const std::string& time) {
        return database.value(
            "SELECT (left(h, 8) || '-' || right(h, 4) || '-7' || substr(gen_random_uuid()::text, 16))::uuid FROM "
            "lpad(to_hex((extract(epoch FROM " +
            time + ") * 1000)::bigint), 12, '0') h");
    }
    std::string finished(const std::string& id, const std::string& time) {
        database.exec(
            "INSERT INTO dormouse.runs (id, task, status, created_at, started_at, finished_at, worker, last_fence) "
            "VALUES ('" +
            id + "', 't', 'completed', " + time + ", " + time + ", " + time + ", gen_random_uuid(), 1)");
        return id;
    }
    /// So many more, one after the other in the last days.
    void fill(const std::string& status, int runs, int days = 2) {
        database.exec(
            "SET session_replication_role = replica; INSERT INTO dormouse.runs_finished (id, task, status, created_at, "
            "started_at, finished_at, worker, last_fence) SELECT (left(h, 8) || '-' || right(h, 4) || '-7' || "
            "substr(gen_random_uuid()::text, 16))::uuid, 't', '" +
            status + "', t, t, t, gen_random_uuid(), 1 FROM generate_series(1, " + std::to_string(runs) +
            ") n, LATERAL (SELECT now() - interval '1 minute' - n * interval '" + std::to_string(days) + " days' / " +
            std::to_string(runs) +
            " AS t) a, LATERAL lpad(to_hex((extract(epoch FROM t) * 1000)::bigint), 12, '0') h; RESET "
            "session_replication_role");
    }
    std::string found(const std::string& id) {
        return database.value("SELECT count(*) FROM dormouse.result('" + id + "')");
    }
    /// What a statement costs when it comes again: locks on tables and indexes, and pages.
    std::pair<int, int> cost(const std::string& sql) {
        database.exec("BEGIN; " + sql + "; ROLLBACK; BEGIN; " + sql);
        const int locks = std::stoi(
            database.value("SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'relation' "
                           "AND relation <> 'pg_locks'::regclass"));  // which is this question's own
        database.exec("ROLLBACK; BEGIN");
        const std::string plan = database.value("EXPLAIN (ANALYZE, BUFFERS, FORMAT json) " + sql);
        database.exec("ROLLBACK");
        const int pages = std::stoi(database.value(
            "SELECT ($1::json -> 0 -> 'Plan' ->> 'Shared Hit Blocks')::int + ($1::json -> 0 -> 'Plan' ->> 'Shared Read "
            "Blocks')::int",
            {plan}));
        return {locks, pages};
    }
};

}  // namespace dormouse::testing
