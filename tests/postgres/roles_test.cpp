// Who may do what with which object, from the catalogue: whoever adds an object decides on it here and in
// sql/roles.sql. api_test and operations_test try what the roles can do with it.
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <iterator>
#include <sstream>
#include <vector>

#include "support/cluster.h"
#include "support/process.h"

BOOST_AUTO_TEST_SUITE(roles, *boost::unit_test::precondition(dormouse::testing::has_postgres))

using namespace dormouse;
using namespace dormouse::testing;

namespace {

constexpr const char* matrix_sql = R"(
SELECT string_agg(replace(line, 'dormouse_', ''), chr(10)) FROM (
    SELECT format('%s %s: %s', o.kind, o.name, coalesce(string_agg(o.role || ' ' || o.rights, ', ' ORDER BY o.role), 'nobody')) AS line
      FROM (SELECT x.kind, x.name, a.role, string_agg(a.privilege, '+' ORDER BY a.privilege) AS rights
              FROM (SELECT 'function' AS kind, p.proname AS name, p.proowner AS owner, coalesce(p.proacl, acldefault('f', p.proowner)) AS acl
                      FROM pg_proc p WHERE p.pronamespace = 'dormouse'::regnamespace
                    UNION ALL
                    SELECT CASE c.relkind WHEN 'S' THEN 'sequence' WHEN 'v' THEN 'view' ELSE 'table' END, c.relname, c.relowner,
                           coalesce(c.relacl, acldefault(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", c.relowner))
                      FROM pg_class c WHERE c.relnamespace = 'dormouse'::regnamespace AND c.relkind NOT IN ('i', 'I', 't', 'c')
                    UNION ALL
                    SELECT 'schema', n.nspname, n.nspowner, coalesce(n.nspacl, acldefault('n', n.nspowner))
                      FROM pg_namespace n WHERE n.nspname = 'dormouse') x
              LEFT JOIN LATERAL (
                   SELECT CASE e.grantee WHEN 0 THEN 'everybody' ELSE e.grantee::regrole::text END AS role,
                          CASE e.privilege_type WHEN 'EXECUTE' THEN 'executes' ELSE lower(e.privilege_type) END AS privilege
                     FROM aclexplode(x.acl) e WHERE e.grantee <> x.owner) a ON true
             GROUP BY x.kind, x.name, a.role) o
     GROUP BY o.kind, o.name) l)";

constexpr const char* expected = R"(
function archive: operator executes, worker executes
function archive_runs: operator executes, worker executes
function attempts_of: operator executes, reader executes, worker executes
function cancel: operator executes, producer executes, worker executes
function cancel_runs: operator executes, worker executes
function canceled_by: nobody
function channel: everybody executes
function check_key: nobody
function check_numbers: nobody
function check_values: nobody
function count_endings: worker executes
function delete_old: nobody
function drop_partition: nobody
function ended_now: nobody
function enqueue: producer executes, worker executes
function enqueue_many: producer executes, worker executes
function enqueue_next: worker executes
function finished_at: operator executes, reader executes, worker executes
function finishes_within: operator executes, reader executes, worker executes
function forget_imports: nobody
function forget_workers: operator executes, worker executes
function import_runs: worker executes
function is_of_the_server: nobody
function kept_out: worker executes
function key_owners: nobody
function levels: worker executes
function listen: everybody executes
function listens: everybody executes
function lock_matching: nobody
function lock_old: nobody
function lock_run: nobody
function logs_of: operator executes, reader executes, worker executes
function make_default: nobody
function make_partition: nobody
function new_id: everybody executes
function next_runs: worker executes
function nobody_listens: everybody executes
function note_operation: nobody
function note_stray: worker executes
function notify_queue: everybody executes
function notify_worker: everybody executes
function own_key: nobody
function own_key_finished: nobody
function partitions_of: operator executes, reader executes, worker executes
function refuse_unknown_status: nobody
function release_worker: operator executes, worker executes
function relies: everybody executes
function result: operator executes, producer executes, worker executes
function retain: worker executes
function retention_locked: nobody
function retry: operator executes, producer executes, worker executes
function retry_runs: operator executes, worker executes
function run: operator executes, reader executes, worker executes
function run_changes_status: nobody
function run_exists: nobody
function run_has_finished: nobody
function run_is_taken_away: nobody
function runs_deleted: nobody
function runs_ended: nobody
function runs_inserted: nobody
function runs_truncated: nobody
function runs_updated: nobody
function scale: operator executes, worker executes
function settings_are: nobody
function statuses_meant: nobody
function sum_up_endings: nobody
function take_key: nobody
function told_as: everybody executes
function watch: operator executes, worker executes
function who: nobody
schema dormouse: operator usage, producer usage, reader usage, worker usage
sequence fence: worker usage
sequence operations_id_seq: nobody
table attempt_log: operator select, reader select, worker delete+insert+select+update
table attempt_log_default: operator select, reader select, worker select
table channel_key: nobody
table endings: operator select, reader select, worker select
table imports: operator select, reader select, worker select
table keys: operator select, reader select, worker select
table migrations: operator select, reader select, worker select
table operations: operator select, reader select, worker select
table pool_scale: operator select, reader select, worker select
table retention: operator select, reader select, worker select
table run_logs: operator select, reader select, worker delete+insert+select
table run_logs_default: operator select, reader select, worker select
table runs: operator select, reader select, worker delete+insert+select+update
table runs_finished: operator select, reader select, worker delete+insert+select+update
table runs_finished_default: operator select, reader select, worker select
table runs_live: operator select, reader select, worker delete+insert+select+update
table runs_unknown: operator select, reader select, worker select
table strays: operator select, reader select, worker select
table worker_registry: operator select, reader select, worker delete+insert+select+update
view attempts: operator select, reader select, worker select
view dead_workers: operator select, reader select, worker select
view idle_workers: operator select, reader select, worker select
view live_workers: operator select, reader select, worker select
view logs: operator select, reader select, worker select
view queue_stats: operator select, reader select, worker select
view scaled: operator select, reader select, worker select
view stuck_runs: operator select, reader select, worker select
view workers: operator select, reader select, worker select
)";

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);)
        if (!line.empty()) lines.push_back(line);
    std::sort(lines.begin(), lines.end());
    return lines;
}

std::string only_in(const std::vector<std::string>& these, const std::vector<std::string>& those) {
    std::vector<std::string> rest;
    std::set_difference(these.begin(), these.end(), those.begin(), those.end(), std::back_inserter(rest));
    std::string text;
    for (const std::string& line : rest) text += "\n" + line;
    return text;
}

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_CASE(each_object_is_for_whom_it_was_decided_to_be) {
    TestDatabase database;
    apply_roles(database);
    const auto found = lines_of(database.value(matrix_sql));
    const auto decided = lines_of(expected);
    BOOST_TEST(only_in(found, decided) == "");  // what nobody has decided on
    BOOST_TEST(only_in(decided, found) == "");
}

BOOST_AUTO_TEST_CASE(an_operator_operates_and_neither_enqueues_nor_works) {
    TestDatabase database;
    apply_roles(database);
    database.exec(
        "DROP ROLE IF EXISTS operates; CREATE ROLE operates LOGIN IN ROLE dormouse_operator;"
        " INSERT INTO dormouse.retention (pool) VALUES ('gone');"
        " SELECT dormouse.enqueue('t') FROM generate_series(1, 3)");
    const std::string id = database.value("SELECT id FROM dormouse.runs LIMIT 1");
    const std::map<std::string, std::string> environment{{"DATABASE_URL", database.url("operates")}};
    for (const std::vector<std::string>& command :
         std::vector<std::vector<std::string>>{{"status"},
                                               {"runs"},
                                               {"show", id},
                                               {"logs", id},
                                               {"workers"},
                                               {"cancel", id},
                                               {"retry", id},
                                               {"archive", id},
                                               {"cancel", "--task", "t", "--yes"},
                                               {"retry", "--status", "canceled", "--yes"},
                                               {"archive", "--status", "queued", "--yes"},
                                               {"reap"},
                                               {"forget", "gone"}}) {
        const Ended ended = run(cli_program(command, environment));
        BOOST_TEST(ended.exit_code == (command[0] == "status" ? 13 : 0), command[0] << ": " << ended.err);
    }
    const Ended canceled = run(cli_program({"watch", id}, environment));
    BOOST_TEST(canceled.exit_code == 11, canceled.err);
    auto operates = database.connect("operates");
    for (const char* const sql : {"SELECT dormouse.enqueue('t')", "INSERT INTO dormouse.runs (task) VALUES ('t')",
                                  "UPDATE dormouse.runs SET priority = 1", "DELETE FROM dormouse.runs",
                                  "SELECT nextval('dormouse.fence')", "SELECT dormouse.retain('p', 3600000, now())",
                                  "UPDATE dormouse.worker_registry SET pool = 'x'", "DELETE FROM dormouse.retention"}) {
        const Status done = operates.script("", sql);
        BOOST_TEST((!done && has(done.error().message, "(42501)")), sql);
    }
    database.exec("DROP OWNED BY operates; DROP ROLE operates");
}

BOOST_AUTO_TEST_CASE(a_schema_is_its_owners_alone_until_somebody_asks_for_the_roles) {
    TestDatabase database;
    apply_roles(database);  // the cluster has them: a worker of one database is nobody in another
    TestDatabase fresh(TestDatabase::Schema::none);
    const Ended migrated = run(cli_program({"migrate"}, {{"DATABASE_URL", fresh.url()}}));
    BOOST_TEST(migrated.exit_code == 0, migrated.err);
    const auto may = [&](const std::string& role, const std::string& function) {
        return fresh.value("SELECT has_function_privilege('dormouse_" + role + "', 'dormouse." + function +
                           "', 'execute')") == "t";
    };
    BOOST_TEST(fresh.value("SELECT bool_or(has_schema_privilege(r, 'dormouse', 'usage')) FROM unnest(ARRAY["
                           "'dormouse_producer', 'dormouse_worker', 'dormouse_operator', 'dormouse_reader']) r") ==
               "f");
    BOOST_TEST(!may("producer", "cancel(uuid, text)"));
    BOOST_TEST(run(cli_program({"migrate", "--roles"}, {{"DATABASE_URL", fresh.url()}})).exit_code == 0);
    BOOST_TEST(may("producer", "cancel(uuid, text)"));
    BOOST_TEST(!may("producer", "archive(uuid, text)"));
    BOOST_TEST(may("worker", "archive(uuid, text)"));
    BOOST_TEST(
        fresh.value("SELECT bool_and(has_table_privilege('dormouse_reader', 'dormouse.' || v, 'select'))::text FROM "
                    "unnest(ARRAY['live_workers', 'idle_workers', 'dead_workers']) v") == "true");
    BOOST_TEST(
        fresh.value("SELECT count(*) FROM pg_proc WHERE pronamespace = 'dormouse'::regnamespace AND prosecdef AND "
                    "NOT coalesce(proconfig::text, '') LIKE '%search_path=pg_catalog, pg_temp%'") == "0");
}

BOOST_AUTO_TEST_SUITE_END()
