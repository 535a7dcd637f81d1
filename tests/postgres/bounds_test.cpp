// What comes in is bounded where it comes in, the same for each way in.
#include <boost/test/unit_test.hpp>
#include <functional>
#include <vector>

#include "sql/embedded.h"
#include "support/cluster.h"

namespace bounds {

using namespace dormouse;
using namespace dormouse::testing;

namespace {

struct Limit {
    const char* name;    ///< as enqueue() calls it
    const char* at;      ///< SQL: the last value that is taken …
    const char* beyond;  ///< … and the first that is not
    const char* absurd;
    const char* said;  ///< in the refusal
    bool costly = false;
};

const Limit limits[] = {
    {"queue", "repeat('q', 48)", "repeat('q', 49)", "repeat('q', 1000000)", "bytes, expected 1 to 48"},
    {"queue", "'q'::text", "''::text", "''::text", "bytes, expected 1 to 48"},
    {"task", "repeat('t', 200)", "repeat('t', 201)", "repeat('t', 1000000)", "bytes, expected 1 to 200"},
    {"key", "repeat('k', 500)", "repeat('k', 501)", "repeat('k', 1000000)", "bytes, expected 1 to 500"},
    {"traceparent", "repeat('0', 512)", "repeat('0', 513)", "repeat('0', 1000000)", "bytes, expected at most 512"},
    {"priority", "100", "101", "32767", "expected -100 to 100"},
    {"priority", "-100", "-101", "-32768", "expected -100 to 100"},
    {"max_attempts", "1000", "1001", "32767", "expected 1 to 1000"},
    {"max_attempts", "1", "0", "-32768", "expected 1 to 1000"},
    {"timeout", "interval '0'", "interval '-1 ms'", "interval '-200000 years'", "expected 0 to 10 years"},
    {"run_at", "timestamptz '9999-12-31 23:59:59.999999+00'", "timestamptz '10000-01-01 00:00:00+00'",
     "timestamptz '294276-12-31 00:00:00+00'", "expected 1970 to 9999, or infinity"},
    {"run_at", "timestamptz 'infinity'", "timestamptz '-infinity'", "timestamptz '-infinity'",
     "expected 1970 to 9999, or infinity"},
    {"payload", "to_jsonb(repeat('x', 16777214))", "to_jsonb(repeat('x', 16777215))", "to_jsonb(repeat('x', 20000000))",
     "16 MiB"},
    {"payload", "to_jsonb(repeat(chr(1), 2796202))", "to_jsonb(repeat(chr(1), 2796203))",
     "to_jsonb(repeat(chr(1), 5000000))", "16 MiB", true},
    {"payload", "'1e2535'::jsonb", "'1e2536'::jsonb", "('[' || repeat('1e131071,', 120) || '1]')::jsonb", "numbers"},
    {"payload", "'0e-2406'::jsonb", "'0e-2407'::jsonb", "('[' || repeat('0e-16383,', 9000) || '1]')::jsonb", "numbers"},
    {"payload", "('[' || repeat('-1.7976931348623157e308,', 20000) || '4.9e-324]')::jsonb",
     "('[' || repeat('1.7976931348623157e308,', 60000) || '1]')::jsonb",
     "('[' || repeat('1e131071,', 1500) || '1]')::jsonb", "payload", true},
};

/// Puts a run with `value` (SQL) as `name` into the database; "" or what is said of it.
using Way = std::function<std::string(const std::string& name, const std::string& value)>;

struct Fixture {
    TestDatabase database;
    postgres::BlockingConnection session = database.connect();

    std::string ask(const std::string& sql) {
        const auto reply = session.ask("in", sql);
        return reply ? std::string(reply->text(0, 0)) : reply.error().message;
    }
    static bool is_task(const std::string& name) { return name == "task"; }

    /// A value as text, where Postgres cannot write it out: as it was said.
    static std::string written(const std::string& value) {
        return value.ends_with("::jsonb") ? value.substr(0, value.size() - 7) : "(" + value + ")::text";
    }
    /// The table's columns, where they are not called as in enqueue().
    static std::pair<std::string, std::string> column(const std::string& name, const std::string& value) {
        if (name == "timeout") return {"timeout_ms", "(extract(epoch FROM " + value + ") * 1000)::bigint"};
        return {name, value};
    }
    std::string by_insert(const std::string& name, const std::string& value) {
        const auto [column_name, row] = column(name, value);
        const auto done =
            session.script("in", "INSERT INTO dormouse.runs (" + std::string(is_task(name) ? "" : "task, ") +
                                     column_name + ") SELECT " + (is_task(name) ? "" : "'t', ") + row);
        return done ? "" : done.error().message;
    }
    std::string by_copy(const std::string& name, const std::string& value) {
        const auto [column_name, row] = column(name, value);
        std::string text;
        for (const char c : database.value("SELECT " + written(row))) {
            if (c == '\\' || c == '\n' || c == '\t' || c == '\r') text += '\\';
            text += c == '\n' ? 'n' : c == '\t' ? 't' : c == '\r' ? 'r' : c;
        }
        auto done = session.begin_copy(
            "in", "COPY dormouse.runs (" + column_name + (is_task(name) ? "" : ", task") + ") FROM STDIN");
        if (done) done = session.put_copy("in", text + (is_task(name) ? "\n" : "\tt\n"));
        if (done) done = session.end_copy("in");
        return done ? "" : done.error().message;
    }
    std::string by_enqueue(const std::string& name, const std::string& value) {
        const std::string said =
            ask("SELECT dormouse.enqueue(" + std::string(is_task(name) ? "" : "'t', ") + name + " => " + value + ")");
        return said.size() == 36 ? "" : said;
    }
    std::string by_enqueue_many(const std::string& name, const std::string& value) {
        const std::string said = ask("SELECT dormouse.enqueue_many(" +
                                     (is_task(name)       ? value + ", ARRAY['{}']::jsonb[]"
                                      : name == "payload" ? "'t', ARRAY[" + value + "]"
                                      : name == "key"     ? "'t', ARRAY['{}']::jsonb[], keys => ARRAY[" + value + "]"
                                                          : "'t', ARRAY['{}']::jsonb[], " + name + " => " + value) +
                                     ")");
        return said.size() == 36 ? "" : said;
    }
    std::string member(const std::string& name, const std::string& value) {
        const std::string text =
            database.value("SELECT " + (value.ends_with("::jsonb") ? written(value) : "to_jsonb(" + value + ")::text"));
        return "{" + std::string(is_task(name) ? "" : "\"task\": \"t\", ") + "\"" + name + "\": " + text + "}";
    }
    std::string by_spool(const std::string& name, const std::string& value) {
        const auto reply = session.ask(
            "in",
            "SELECT coalesce(reason, '') FROM dormouse.import_runs(ARRAY[dormouse.new_id()], ARRAY[$1], 'default')",
            {member(name, value)});
        return reply ? std::string(reply->text(0, 0)) : "error: " + reply.error().message;
    }
    std::string by_follow_up(const std::string& name, const std::string& value) {
        const std::string text = member(name, value);
        BOOST_TEST_REQUIRE(session
                               .script("begin",
                                       "BEGIN; WITH had AS (INSERT INTO dormouse.runs (task, status, worker, fence, "
                                       "lease_until, started_at) VALUES ('first', 'running', "
                                       "'00000000-0000-4000-8000-000000000001', 7, now(), now())) SELECT 1;"
                                       "UPDATE dormouse.runs SET status = 'completed' WHERE status = 'running'")
                               .has_value());
        const auto reply =
            session.ask("in",
                        "SELECT dormouse.enqueue_next(f.worker, ARRAY[f.id], ARRAY[f.last_fence], ARRAY[$1]) "
                        "FROM dormouse.runs_finished f WHERE f.status = 'completed' AND f.finished_at = now()",
                        {"[" + text + "]"});
        BOOST_TEST_REQUIRE(session.script("end", reply ? "COMMIT" : "ROLLBACK").has_value());
        if (reply) BOOST_TEST(reply->rows() == 1);
        return reply ? "" : reply.error().message;
    }

    std::vector<std::pair<std::string, Way>> ways() {
        const auto bind = [this](auto way) {
            return [this, way](const std::string& name, const std::string& value) { return (this->*way)(name, value); };
        };
        return {{"INSERT", bind(&Fixture::by_insert)},   {"COPY", bind(&Fixture::by_copy)},
                {"enqueue", bind(&Fixture::by_enqueue)}, {"enqueue_many", bind(&Fixture::by_enqueue_many)},
                {"spool", bind(&Fixture::by_spool)},     {"follow-up", bind(&Fixture::by_follow_up)}};
    }
};

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

}  // namespace bounds

BOOST_FIXTURE_TEST_SUITE(bounds, Fixture, *boost::unit_test::precondition(has_postgres))

BOOST_AUTO_TEST_CASE(each_limit_holds_for_each_way_in) {
    for (const auto& [way, put_in] : ways()) {
        for (const Limit& limit : limits) {
            const std::string place = way + ", " + limit.name + " ";
            if (way == "enqueue_many" && std::string(limit.name) == "traceparent") continue;  // it has none
            if (limit.costly && way != "INSERT") continue;  // one way for what all have in common
            BOOST_TEST(put_in(limit.name, limit.at) == "", place + limit.at);
            database.exec("TRUNCATE dormouse.runs");
            for (const char* const too_much : {limit.beyond, limit.absurd}) {
                const std::string said = put_in(limit.name, too_much);
                BOOST_TEST(has(said, limit.said), place + too_much + ": \"" + said.substr(0, 300) + "\"");
                BOOST_TEST(database.value("SELECT count(*) FROM dormouse.runs") == "0", place + too_much);
            }
        }
    }
}

BOOST_AUTO_TEST_CASE(a_number_too_large_for_its_type_is_refused_in_the_words_of_the_limit) {
    for (const char* const name : {"priority", "max_attempts"})
        for (const char* const value : {"2000000000", "-2000000000"}) {
            BOOST_TEST(has(by_enqueue(name, value), std::string(name) + " is " + value + ", expected"));
            BOOST_TEST(has(by_enqueue_many(name, value), std::string(name) + " is " + value + ", expected"));
            BOOST_TEST(has(by_spool(name, value), std::string(name) + " is " + value + ", expected"));
            BOOST_TEST(has(by_follow_up(name, value), std::string(name) + " is " + value + ", expected"));
            BOOST_TEST(by_insert(name, value) != "");
        }
}

BOOST_AUTO_TEST_CASE(names_are_printable) {
    for (const auto& [way, put_in] : ways()) {
        for (const char* const name : {"queue", "task"}) {
            for (const char* const code : {"1", "9", "10", "27", "127", "128", "155", "8232", "8233"}) {
                const std::string said = put_in(name, "'a' || chr(" + std::string(code) + ") || 'b'");
                BOOST_TEST(has(said, std::string(name) + " has a control character"), way + " " + code + said);
            }
            BOOST_TEST(put_in(name, "text 'Überraschung \U0001F42D \"50 %\" \\ ''x'''") == "", way);
        }
        database.exec("TRUNCATE dormouse.runs");
    }
}

BOOST_AUTO_TEST_CASE(a_time_before_1970_is_1970) {
    for (const auto& [way, put_in] : ways()) {
        BOOST_TEST(put_in("run_at", "timestamptz '4713-01-01 BC'") == "", way);
        BOOST_TEST(database.value("SELECT min(run_at) = '1970-01-01 00:00:00+00' FROM dormouse.runs") == "t", way);
        database.exec("TRUNCATE dormouse.runs");
    }
}

BOOST_AUTO_TEST_CASE(an_update_is_bounded_too) {
    database.exec("INSERT INTO dormouse.runs (task) VALUES ('t')");
    for (const Limit& limit : limits) {
        const auto [name, value] = column(limit.name, limit.beyond);
        const auto done = session.script("update", "UPDATE dormouse.runs SET " + name + " = " + value);
        BOOST_TEST_REQUIRE(!done, limit.name);
        BOOST_TEST(has(done.error().message, limit.said), done.error().message);
    }
    // what was compressed when it was stored elsewhere is measured as it will be written
    database.exec("CREATE TABLE old AS SELECT to_jsonb(repeat('x', 20000000)) AS payload");
    BOOST_TEST(has(by_insert("payload", "(SELECT payload FROM old)"), "16 MiB"));
    // and a finished run that had it before there was a limit does not come back
    database.exec(
        "ALTER TABLE dormouse.runs_live DISABLE TRIGGER check_values;"
        "INSERT INTO dormouse.runs (task, payload) SELECT 'large', payload FROM old;"
        "ALTER TABLE dormouse.runs_live ENABLE TRIGGER check_values;"
        "UPDATE dormouse.runs SET status = 'failed' WHERE task = 'large'");
    const auto again = session.script("again", "UPDATE dormouse.runs SET status = 'queued' WHERE task = 'large'");
    BOOST_TEST(has(again ? "" : again.error().message, "16 MiB"));
}

BOOST_AUTO_TEST_CASE(reasons_are_cut) {
    database.exec("INSERT INTO dormouse.runs (task) SELECT 't' FROM generate_series(1, 3)");
    database.exec("SELECT dormouse.cancel(id, repeat('x', 8192)) FROM (SELECT id FROM dormouse.runs LIMIT 1) r");
    BOOST_TEST(database.value("SELECT error ->> 'message' LIKE '%: ' || repeat('x', 8192) FROM dormouse.runs WHERE "
                              "status = 'canceled'") == "t");
    database.exec("DELETE FROM dormouse.runs WHERE status = 'canceled'");
    database.exec(
        "SELECT dormouse.archive(id, repeat('\u00fc', 5000000)) FROM (SELECT id FROM dormouse.runs LIMIT 1) r");
    database.exec("SELECT dormouse.cancel_runs('queued', reason => repeat('x', 8193))");
    BOOST_TEST(database.value("SELECT string_agg(substr(error ->> 'message', length(error ->> 'message') - 27), ' ' "
                              "ORDER BY archived_at) FROM dormouse.runs") ==
               "\u00fc\u00fc\u00fc (cut, of 10000000 bytes) xxxxxxx (cut, of 8193 bytes)");
}

BOOST_AUTO_TEST_CASE(a_count_that_is_full_stays_so) {
    database.exec(
        "INSERT INTO dormouse.runs (task, status, worker, fence, lease_until, started_at, attempts, lost) VALUES ('t', "
        "'running', '00000000-0000-4000-8000-000000000001', 7, now(), now(), 32767, 32767);"
        "INSERT INTO dormouse.worker_registry (id, pool, queues, host, pid, pid_start, boot_id, version) VALUES "
        "('00000000-0000-4000-8000-000000000001', 'p', '{default}', 'h', 1, 1, "
        "'00000000-0000-4000-8000-000000000002', '0')");
    BOOST_TEST(
        database.value("SELECT released FROM dormouse.release_worker('00000000-0000-4000-8000-000000000001', 'h', "
                       "1, 1, '00000000-0000-4000-8000-000000000002')") == "1");
    BOOST_TEST(database.value("SELECT attempts || ' ' || lost FROM dormouse.runs") == "32767 32767");
    for (const char* const finish : {sql::finish, sql::finish_fast}) {
        const std::string id = database.value(
            "INSERT INTO dormouse.runs (task, status, worker, fence, lease_until, started_at, attempts) VALUES ('t', "
            "'running', '00000000-0000-4000-8000-000000000001', 7, now(), now(), 32767) RETURNING id");
        BOOST_TEST(database.value(finish, {"00000000-0000-4000-8000-000000000001", "{" + id + "}", "{7}", "{completed}",
                                           "{NULL}", "{NULL}", "{0}", "{NULL}", "{1}", "{1}", "{t}"}) == id);
        BOOST_TEST(database.value("SELECT attempts FROM dormouse.runs WHERE id = $1", {id}) == "32767");
    }
}

BOOST_AUTO_TEST_CASE(what_is_within_the_bounds_stays_as_it_was_put_in) {
    // A large payload is looked at more closely, and so are the other values of its row.
    const std::string small = database.value("SELECT dormouse.enqueue('t', '{}', run_at => '2030-01-01')");
    const std::string large =
        database.value("SELECT dormouse.enqueue('t', to_jsonb(repeat('x', 500000)), run_at => '2030-01-01')");
    BOOST_TEST(
        database.value("SELECT string_agg(key || ': ' || value, ', ') FROM (SELECT j.key, j.value FROM "
                       "dormouse.runs_live r, jsonb_each_text(to_jsonb(r)) j WHERE r.id = '" +
                       large +
                       "' EXCEPT SELECT j.key, j.value FROM dormouse.runs_live r, jsonb_each_text(to_jsonb(r)) j "
                       "WHERE r.id = '" +
                       small + "') d WHERE key NOT IN ('id', 'payload', 'created_at')") == "");
    BOOST_TEST(database.value("SELECT timeout_ms IS NULL FROM dormouse.runs_live WHERE id = '" + large + "'") == "t");
}

BOOST_AUTO_TEST_CASE(a_key_may_have_any_character) {
    const std::string key = "E'k\\n\\t\\u0085\\u2028 \\x01'";
    const std::string run = database.value("SELECT dormouse.enqueue('t', key => " + key + ")");
    BOOST_TEST(database.value("SELECT dormouse.enqueue('t', key => " + key + ")") == run);
}

BOOST_AUTO_TEST_CASE(a_timeout_beyond_ten_years_is_ten_years) {
    for (const char* const timeout : {"10 years", "10 years 1 ms", "300 years", "200000 years"})
        database.value("SELECT dormouse.enqueue('t', timeout => $1::interval)", {timeout});
    database.exec("INSERT INTO dormouse.runs (task, timeout_ms) VALUES ('t', 9223372036854775807)");
    BOOST_TEST(database.value("SELECT string_agg(DISTINCT timeout_ms::text, ' ') FROM dormouse.runs") ==
               "315576000000");
    BOOST_TEST(database.value("SELECT count(*) FROM dormouse.runs") == "5");
}

BOOST_AUTO_TEST_SUITE_END()
