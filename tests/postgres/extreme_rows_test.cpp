// Whatever values a row of dormouse.runs may have at the ends of their types: either the table refuses them, or all
// that looks at runs goes on. One row must not hide the others from an operator, nor what is due from a worker.
#include <boost/test/unit_test.hpp>

#include "support/logged_worker.h"

namespace extreme_rows {

using namespace dormouse;
using namespace dormouse::testing;

namespace {

struct Fixture {
    TestDatabase database;

    Ended cli(std::vector<std::string> arguments) {
        return run(cli_program(std::move(arguments), {{"DATABASE_URL", database.url()}}));
    }
    /// Tries each column with each end of its type in each status. Returns how many rows were taken.
    int insert_all_that_is_taken() {
        database.exec(R"(
            INSERT INTO dormouse.worker_registry (id, pool, queues, host, pid, pid_start, boot_id, version) VALUES
                ('00000000-0000-4000-8000-000000000001', 'p', '{default}', 'h', 1, 1, gen_random_uuid(), '0');
            CREATE TABLE ends (type text, value text);
            INSERT INTO ends VALUES
                ('timestamp with time zone', 'infinity'), ('timestamp with time zone', '-infinity'),
                ('timestamp with time zone', '4713-01-01 00:00:00+00 BC'),
                ('timestamp with time zone', '294276-12-31 23:59:59+00'),
                ('smallint', '-32768'), ('smallint', '32767'), ('bigint', '-9223372036854775808'),
                ('bigint', '9223372036854775807'), ('real', 'NaN'), ('real', 'Infinity'), ('real', '1e-45'),
                ('uuid', '00000000-0000-0000-0000-000000000000'), ('uuid', 'ffffffff-ffff-ffff-ffff-ffffffffffff'),
                ('jsonb', 'null'), ('jsonb', '"text"'), ('jsonb', '1e131071'), ('jsonb', '[[[]]]'),
                ('jsonb', '{"class": null, "message": {}}'), ('text', ''), ('text', E'\x1b[31m\u2028\n'),
                ('text', repeat('x', 100000));
            CREATE FUNCTION try(status text, col name, value text) RETURNS boolean LANGUAGE plpgsql AS $$
            DECLARE
                columns name[] := '{queue,task,status}';
                row text[] := ARRAY['default', 'other', status];
            BEGIN
                IF status = 'running' THEN
                    columns := columns || '{fence,worker,lease_until,started_at}'::name[];
                    row := row || ARRAY['1', '00000000-0000-4000-8000-000000000001', (now() + interval '1 hour')::text, now()::text];
                ELSIF status IN ('completed', 'failed', 'canceled') THEN
                    columns := columns || '{finished_at}'::name[];
                    row := row || now()::text;
                END IF;
                IF col = ANY (columns) THEN
                    row[array_position(columns, col)] := value;
                ELSE
                    columns := columns || col;
                    row := row || value;
                END IF;
                EXECUTE (SELECT format('INSERT INTO dormouse.runs (%s) VALUES (%s)', string_agg(quote_ident(c.name), ', '),
                                       string_agg(quote_literal(c.value), ', '))
                           FROM unnest(columns, row) c (name, value));
                RETURN true;
            EXCEPTION WHEN OTHERS THEN
                RETURN false;
            END $$;)");
        return std::stoi(database.value(R"(
            SELECT count(*) FILTER (WHERE try(s.status, a.attname, e.value))
              FROM pg_attribute a JOIN ends e ON e.type = format_type(a.atttypid, NULL)
             CROSS JOIN unnest('{queued,retry,blocked,running,completed,failed,canceled}'::text[]) s (status)
             WHERE a.attrelid = 'dormouse.runs'::regclass AND a.attnum > 0 AND a.attname <> 'status')"));
    }
};

}  // namespace

}  // namespace extreme_rows

BOOST_FIXTURE_TEST_SUITE(extreme_rows, Fixture, *boost::unit_test::precondition(has_postgres))

BOOST_AUTO_TEST_CASE(no_row_that_the_table_takes_blinds_an_operator) {
    BOOST_TEST(insert_all_that_is_taken() > 200);
    for (const std::vector<std::string>& command :
         std::vector<std::vector<std::string>>{{"status"},
                                               {"status", "--json"},
                                               {"status", "--check"},
                                               {"workers"},
                                               {"reap"},
                                               {"runs", "--limit", "1000"},
                                               {"runs", "--json"},
                                               {"cancel", "--task", "other", "--dry-run"},
                                               {"retry", "--task", "other", "--dry-run"}}) {
        const Ended ended = cli(command);
        BOOST_TEST(ended.err.find("refused") == std::string::npos, command[0] + ": " + ended.err);
        BOOST_TEST(ended.err.find("(22") == std::string::npos, command[0] + ": " + ended.err);
        BOOST_TEST(!ended.out.empty(), command[0] + ": " + ended.err);
    }
    const std::string each = database.value(
        "SELECT string_agg(DISTINCT id::text, ' ') FROM dormouse.runs WHERE id IN (SELECT id FROM dormouse.runs ORDER "
        "BY random() LIMIT 25)");
    for (std::size_t at = 0; at < each.size(); at += 37) {
        const Ended ended = cli({"show", each.substr(at, 36)});
        BOOST_TEST(ended.exit_code == 0, each.substr(at, 36) + ": " + ended.err);
    }
}

BOOST_AUTO_TEST_CASE(a_run_has_finished_at_a_time_that_can_be_written) {
    for (const char* const at : {"infinity", "-infinity", "10000-01-01", "1969-12-31", ""})
        BOOST_CHECK_THROW(database.value("INSERT INTO dormouse.runs (task, status, finished_at) VALUES ('other', "
                                         "'failed', nullif($1, '')::timestamptz)",
                                         {at}),
                          std::runtime_error);
    const std::string id = database.value("SELECT dormouse.enqueue('other')");
    BOOST_CHECK_THROW(database.exec("UPDATE dormouse.runs SET finished_at = now()"), std::runtime_error);
    BOOST_CHECK_THROW(database.exec("UPDATE dormouse.runs SET status = 'failed', finished_at = 'infinity'"),
                      std::runtime_error);
    database.exec("UPDATE dormouse.runs SET status = 'failed', finished_at = '1970-01-01 00:00:00+00'");
    BOOST_TEST(cli({"show", id}).exit_code == 0);
}

BOOST_AUTO_TEST_CASE(a_partition_without_a_beginning_is_gone_through_in_portions) {
    database.exec(
        "CREATE TABLE dormouse.first_runs (LIKE dormouse.runs_finished INCLUDING ALL); INSERT INTO dormouse.first_runs "
        "(task, status, finished_at) SELECT 'other', 'failed', '2001-01-01' FROM generate_series(1, 25); ALTER TABLE "
        "dormouse.runs_finished ATTACH PARTITION dormouse.first_runs FOR VALUES FROM (MINVALUE) TO ('2002-01-01'); "
        "INSERT INTO dormouse.runs (task, status, finished_at) SELECT 'other', 'failed', now() FROM generate_series(1, "
        "5)");
    for (const std::string call : {"archive_runs", "retry_runs"}) {
        int changed = 0;
        std::optional<std::string> next;
        for (int portion = 0; portion < 10; ++portion) {
            const std::string text =
                database.value("SELECT changed || ',' || coalesce(next, '') FROM dormouse." + call +
                                   "(status => 'failed', task => 'other', max_runs => 10, after => $1)",
                               {next});
            changed += std::stoi(text);
            next = text.substr(text.find(',') + 1);
            if (next->empty()) break;
        }
        BOOST_TEST(changed == 30, call);
        database.exec("UPDATE dormouse.runs SET archived_at = NULL");
    }
    BOOST_TEST(database.value("SELECT count(*) FROM dormouse.runs WHERE status = 'queued'") == "30");
}

BOOST_AUTO_TEST_CASE(no_row_that_the_table_takes_hides_what_is_due) {
    BOOST_TEST(insert_all_that_is_taken() > 200);
    database.exec(
        "DELETE FROM dormouse.runs WHERE status = 'running' AND lease_until < '9000-01-01'");  // goes back at once
    LoggedWorker worker(database.url());
    BOOST_TEST_REQUIRE(worker.until_said("listening"));
    database.exec("SELECT dormouse.enqueue('echo', delay => interval '1 second')");
    BOOST_TEST(worker.until_said("run_completed"), worker.log());
    for (const char* const trouble : {"due_unknown", "round_refused", "claim_failed", "database_lost", "empty_wish"})
        BOOST_TEST(worker.said(trouble).empty(), worker.log());
}

BOOST_AUTO_TEST_SUITE_END()
