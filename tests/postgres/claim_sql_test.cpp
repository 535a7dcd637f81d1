// What the claim and its neighbours return and leave: order, slots, exceptions, locks, tasks that are not known. The
// statements alone, with the settings of a worker's session.
#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "sql/embedded.h"
#include "support/cluster.h"

namespace claim_sql {

using namespace dormouse;
using namespace dormouse::testing;

namespace {

constexpr const char* me = "'00000000-0000-4000-8000-000000000001'";

/// A worker's session.
struct Claimer {
    postgres::BlockingConnection session;

    explicit Claimer(TestDatabase& database) : session(database.connect()) {
        const auto opened = session.ask("open", sql::open_session, {std::to_string(PQbackendPID(session.get()))});
        BOOST_TEST_REQUIRE(opened.has_value());
        for (const auto& [name, text] : {std::pair{"claim", sql::claim},
                                         {"claim_ids", sql::claim_ids},
                                         {"payloads", sql::payloads},
                                         {"candidates", sql::candidates},
                                         {"due", sql::due},
                                         {"unknown_tasks", sql::cli::unknown},
                                         {"rescue", sql::rescue},
                                         {"rescue_ids", sql::rescue_ids},
                                         {"lost_candidates", sql::lost_candidates},
                                         {"refuse_waiting", sql::refuse_waiting}}) {
            const Status made = session.script("prepare", std::string("PREPARE ") + name + " AS " + text);
            BOOST_TEST_REQUIRE(made.has_value(), (made ? "" : made.error().message));
        }
    }
    void script(const std::string& text) {
        const Status done = session.script("", text);
        BOOST_TEST_REQUIRE(done.has_value(), (done ? "" : done.error().message));
    }
    /// All rows: columns with commas, rows with spaces between them.
    std::string ask(const std::string& text) {
        const auto reply = session.ask("", text);
        BOOST_TEST_REQUIRE(reply.has_value(), (reply ? "" : reply.error().message));
        std::string all;
        for (int row = 0; row < reply->rows(); ++row) {
            if (row > 0) all += " ";
            for (int column = 0; column < reply->columns(); ++column) {
                if (column > 0) all += ",";
                all += reply->text(row, column);
            }
        }
        return all;
    }
    /// The keys of what a claim takes, in the order of their keys.
    std::string claim(const std::string& queues, int limit, const std::string& tasks, const std::string& slots,
                      const std::string& except = "") {
        const auto reply =
            session.ask("", "EXECUTE claim('{" + queues + "}', " + std::to_string(limit) + ", " + me +
                                ", 300000, 1000000, '{" + tasks + "}', '{" + slots + "}', '{" + except + "}')");
        BOOST_TEST_REQUIRE(reply.has_value(), (reply ? "" : reply.error().message));
        BOOST_TEST(reply->columns() == 14);
        std::string ids;
        for (int row = 0; row < reply->rows(); ++row)
            ids += (row == 0 ? "'" : ",'") + std::string(reply->text(row, 0)) + "'";
        if (ids.empty()) return "";
        return ask("SELECT string_agg(key, ' ' ORDER BY key) FROM dormouse.runs_live WHERE id IN (" + ids + ")");
    }
};

struct Fixture {
    TestDatabase database;
    Claimer worker{database};

    /// A run that has been due for `age` seconds; its key is its name.
    void add(const std::string& key, const std::string& queue, const std::string& task, int age, int priority = 0) {
        database.exec("INSERT INTO dormouse.runs (key, queue, task, priority, run_at) VALUES ('" + key + "', '" +
                      queue + "', '" + task + "', " + std::to_string(priority) + ", now() - " + std::to_string(age) +
                      " * interval '1 s')");
    }
    std::string id(const std::string& key) {
        return database.value("SELECT id FROM dormouse.runs WHERE key = '" + key + "'");
    }
};

}  // namespace

}  // namespace claim_sql

BOOST_FIXTURE_TEST_SUITE(claim_sql, Fixture, *boost::unit_test::precondition(has_postgres))

BOOST_AUTO_TEST_CASE(takes_the_oldest_of_all_tasks_within_a_queue) {
    for (int n = 1; n <= 9; ++n) add(std::to_string(n), "q", n % 3 == 0 ? "c" : n % 2 == 0 ? "b" : "a", 100 - n);
    BOOST_TEST(worker.claim("q", 4, "c,a,b", "9,9,9") == "1 2 3 4");
    BOOST_TEST(worker.claim("q", 9, "c,a,b", "9,9,9") == "5 6 7 8 9");
}

BOOST_AUTO_TEST_CASE(takes_the_more_urgent_first_and_the_queues_in_the_order_given) {
    add("4", "second", "a", 90, -5);
    add("5", "second", "a", 99);
    add("2", "first", "a", 10);
    add("1", "first", "b", 1, -1);
    add("3", "first", "b", 9, 100);
    for (const char* key : {"1", "2", "3", "4", "5"}) BOOST_TEST(worker.claim("first,second", 1, "a,b", "9,9") == key);
}

BOOST_AUTO_TEST_CASE(takes_the_order_by_id_among_runs_of_one_time) {
    database.exec(
        "INSERT INTO dormouse.runs (id, key, queue, task) SELECT ('00000000-0000-7000-8000-00000000000' || n)::uuid, "
        "n, "
        "'q', 't' || n % 2 FROM generate_series(1, 6) n");
    BOOST_TEST(worker.claim("q", 3, "t0,t1", "9,9") == "1 2 3");
}

BOOST_AUTO_TEST_CASE(takes_of_each_task_what_it_has_slots_for_over_all_queues_and_priorities) {
    for (int n = 1; n <= 5; ++n) add("a" + std::to_string(n), n < 3 ? "q" : "r", "a", 100 - n, n % 2);
    for (int n = 1; n <= 5; ++n) add("b" + std::to_string(n), "r", "b", 50 - n);
    BOOST_TEST(worker.claim("q,r", 100, "a,b", "3,2") == "a1 a2 a4 b1 b2");
    BOOST_TEST(worker.claim("q,r", 100, "a,b", "0,2") == "b3 b4");
    BOOST_TEST(worker.claim("q,r", 100, "a", "-1") == "");
}

BOOST_AUTO_TEST_CASE(fills_the_limit_with_others_when_a_task_runs_out_of_slots) {
    for (int n = 1; n <= 9; ++n) add("a" + std::to_string(n), "q", "a", 100 - n);
    for (int n = 1; n <= 9; ++n) add("b" + std::to_string(n), "q", "b", 50 - n);
    BOOST_TEST(worker.claim("q", 5, "a,b", "2,100") == "a1 a2 b1 b2 b3");
}

BOOST_AUTO_TEST_CASE(finds_the_order_among_many_levels_also_where_one_of_them_has_most) {
    database.exec(
        "INSERT INTO dormouse.runs (key, queue, task, run_at) SELECT to_char(n, 'fm0000'), 'q', CASE WHEN n % 4 = 0 "
        "THEN "
        "'t' || n % 100 ELSE 'most' END, now() - interval '1 day' + n * interval '1 s' FROM generate_series(1, 2000) "
        "n");
    const std::string tasks = worker.ask("SELECT string_agg(DISTINCT task, ',') FROM dormouse.runs_live");
    const std::string slots =
        worker.ask("SELECT string_agg('1000', ',') FROM (SELECT DISTINCT task FROM dormouse.runs_live) t");
    const std::string wanted =
        worker.ask("SELECT string_agg(key, ' ' ORDER BY key) FROM dormouse.runs_live WHERE key <= '0300'");
    BOOST_TEST(worker.claim("q", 300, tasks, slots) == wanted);
}

BOOST_AUTO_TEST_CASE(of_many_tasks_looks_at_some_and_goes_on_until_it_has_enough) {
    const std::string tasks =
        database.value("SELECT string_agg('t' || n, ',' ORDER BY n) FROM generate_series(1, 1000) n");
    const std::string slots = database.value("SELECT string_agg('2', ',') FROM generate_series(1, 1000) n");
    add("alone", "q", "t77", 5);
    BOOST_TEST(worker.claim("q", 4, tasks, slots) == "alone");
    database.exec(
        "INSERT INTO dormouse.runs (key, queue, task, run_at) SELECT n, 'q', 't' || n % 1000 + 1, now() - interval '1 "
        "minute' FROM generate_series(1, 4000) n");
    database.exec("VACUUM (ANALYZE) dormouse.runs");
    const auto buffers = [&] {
        const auto reply = worker.session.ask(
            "", "EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) EXECUTE claim('{q}', 4, " + std::string(me) +
                    ", 300000, 1000000, '{" + tasks + "}', '{" + slots + "}', '{}')");
        BOOST_TEST_REQUIRE(reply.has_value(), (reply ? "" : reply.error().message));
        const auto plan = nlohmann::json::parse(std::string(reply->text(0, 0))).at(0).at("Plan");
        BOOST_TEST(plan.at("Actual Rows").get<int>() == 4);
        return plan.at("Shared Hit Blocks").get<std::int64_t>() + plan.at("Shared Read Blocks").get<std::int64_t>();
    };
    std::int64_t least = buffers();
    for (int i = 0; i < 20; ++i) least = std::min(least, buffers());
    BOOST_TEST(least < 2'000);  // some 4,000 if it looked at all of them
    // Each has its turn, and its slots hold over the whole of a claim.
    BOOST_TEST(database.value("SELECT count(DISTINCT task) > 40 FROM dormouse.runs WHERE status = 'running'") == "t");
    while (!worker.claim("q", 500, tasks, slots).empty()) continue;
    BOOST_TEST(database.value("SELECT count(*) FROM dormouse.runs WHERE status = 'queued'") == "0");
    database.exec(
        "TRUNCATE dormouse.runs; INSERT INTO dormouse.runs (key, queue, task) SELECT n, 'q', 't' || n % 1000 + 1 FROM "
        "generate_series(1, 4000) n");
    BOOST_TEST(!worker.claim("q", 3000, tasks, slots).empty());
    BOOST_TEST(
        database.value(
            "SELECT count(*) || ' ' || max(of_task) FROM (SELECT count(*) OVER (PARTITION BY task) AS of_task FROM "
            "dormouse.runs WHERE status = 'running') r") == "2000 2");
}

BOOST_AUTO_TEST_CASE(passes_over_tasks_that_are_not_known_exceptions_and_what_is_not_due) {
    add("1", "q", "aa", 99);
    add("2", "q", "known", 98);
    add("3", "q", "known", 97);
    add("4", "q", "other", 96);
    add("5", "q", "zz", 95);
    add("6", "q", "known", -1000);
    BOOST_TEST(worker.claim("q", 9, "known", "9", id("2")) == "3");
    BOOST_TEST(worker.claim("q", 9, "", "") == "");
    BOOST_TEST(worker.claim("q", 9, "b,known,y", "9,9,9") == "2");
}

BOOST_AUTO_TEST_CASE(what_is_more_urgent_and_not_due_takes_no_slot) {
    add("later", "q", "a", -1000, -1);
    add("now", "q", "a", 10);
    BOOST_TEST(worker.claim("q", 1, "a", "1") == "now");
}

BOOST_AUTO_TEST_CASE(takes_the_first_that_fit_however_they_are_mixed) {
    for (int n = 0; n < 100; ++n) {
        const std::string limit = std::to_string(1 + n % 7);
        const std::string slots =
            std::to_string(1 + n % 2) + "," + std::to_string(n % 3) + "," + std::to_string(1 + n % 4);
        worker.script("BEGIN; SELECT setseed(" + std::to_string(n) +
                      " / 100.0);"
                      "INSERT INTO dormouse.runs (key, queue, task, priority, run_at) SELECT to_char(n, 'fm00'), 'q', "
                      "'t' || floor(random() * 3), floor(random() * 5) - 2, now() + floor(random() * 40 - 20) * "
                      "interval '1 s' FROM generate_series(1, 12) n");
        const std::string ranked =
            "SELECT r.*, row_number() OVER (PARTITION BY task ORDER BY priority, run_at, id) AS nth "
            "FROM dormouse.runs_live r WHERE run_at <= now()";
        const std::string first = "SELECT key FROM (" + ranked + ") r WHERE nth <= ('{" + slots +
                                  "}'::integer[])[right(task, 1)::integer + 1] ORDER BY priority, run_at, id LIMIT " +
                                  limit;
        const std::string wanted =
            worker.ask("SELECT coalesce(string_agg(key, ' ' ORDER BY key), '') FROM (" + first + ") r");
        BOOST_TEST(worker.claim("q", 1 + n % 7, "t0,t1,t2", slots) == wanted, "seed " << n);
        worker.script("ROLLBACK");
    }
}

BOOST_AUTO_TEST_CASE(skips_what_is_locked_and_takes_others_instead) {
    for (int n = 1; n <= 6; ++n) add(std::to_string(n), "q", n <= 3 ? "a" : "b", 100 - n);
    auto holder = database.connect();
    BOOST_REQUIRE(
        holder.script("", "BEGIN; SELECT FROM dormouse.runs_live WHERE key IN ('1', '2', '3') FOR UPDATE").has_value());
    BOOST_TEST(worker.claim("q", 2, "a,b", "9,9") == "4 5");
    BOOST_TEST(worker.claim("q", 2, "a,b", "9,0") == "");
    BOOST_TEST(worker.claim("q", 2, "a,b", "9,9") == "6");
    BOOST_REQUIRE(holder.script("", "ROLLBACK").has_value());
    BOOST_TEST(worker.claim("q", 9, "a,b", "9,9") == "1 2 3");
}

BOOST_AUTO_TEST_CASE(nobody_comes_back_empty_while_something_is_free) {
    for (int n = 1; n <= 4; ++n) add(std::to_string(n), "q", "a", 100 - n);
    for (int n = 5; n <= 8; ++n) add(std::to_string(n), "q", "b", 100 - n, 1);
    for (int n = 9; n <= 9; ++n) add(std::to_string(n), "r", "a", 100 - n);
    std::vector<std::unique_ptr<Claimer>> others;
    for (int n = 0; n < 4; ++n) {
        others.push_back(std::make_unique<Claimer>(database));
        others.back()->script("BEGIN");
    }
    BOOST_TEST(others[0]->claim("q,r", 3, "a,b", "3,9") == "1 2 3");
    BOOST_TEST(others[1]->claim("q,r", 3, "a,b", "3,9") == "4 5 6");
    BOOST_TEST(others[2]->claim("q,r", 3, "a,b", "3,9") == "7 8 9");
    BOOST_TEST(others[3]->claim("q,r", 3, "a,b", "3,9") == "");
}

BOOST_AUTO_TEST_CASE(locks_no_more_than_it_claims) {
    for (int n = 1; n <= 40; ++n) add(std::to_string(n), "q", "t" + std::to_string(n % 8), 100 - n, n % 3);
    worker.script("BEGIN");
    BOOST_TEST(!worker.claim("q", 8, "t0,t1,t2,t3,t4,t5,t6,t7", "9,9,9,9,9,9,9,1").empty());
    Claimer other(database);
    BOOST_TEST(other.ask("SELECT count(*) FROM (SELECT FROM dormouse.runs_live FOR UPDATE SKIP LOCKED) free") == "32");
}

BOOST_AUTO_TEST_CASE(candidates_are_what_a_claim_takes) {
    for (int n = 1; n <= 9; ++n) add(std::to_string(n), "q", n % 3 == 0 ? "c" : "a", 100 - n, n % 2);
    const std::string next = worker.ask("EXECUTE candidates('{p,q}', 4, '{a,c}', '{9,1}', '{" + id("2") + "}')");
    std::string wanted;
    for (const char* key : {"4", "6", "8", "1"})
        wanted += (wanted.empty() ? "" : " ") + id(key) + (std::string(key) == "6" ? ",c" : ",a");
    BOOST_TEST(next == wanted);
    BOOST_TEST(worker.claim("p,q", 4, "a,c", "9,1", id("2")) == "1 4 6 8");
}

BOOST_AUTO_TEST_CASE(due_is_asked_for_the_tasks_that_would_be_claimed_and_for_the_leases_of_all) {
    const auto due = [&](const std::string& tasks, const std::string& except = "") {
        return worker.ask(std::string("EXECUTE due('{q,r}', ") + me + ", 1000, '{}', '{" + tasks + "}', '{" + except +
                          "}')");
    };
    add("1", "q", "other", 50);
    add("2", "q", "known", -100, 3);
    add("3", "r", "known", -50, 7);
    BOOST_TEST(due("") == "");
    BOOST_TEST(due("absent,zz") == "");
    const int all = std::stoi(due("known"));
    BOOST_TEST((all > 40'000 && all <= 50'000), all);
    const int without = std::stoi(due("absent,known", id("3")));
    BOOST_TEST((without > 90'000 && without <= 100'000), without);
    BOOST_TEST(std::stoi(due("known,other")) <= -50'000);
    database.exec(
        "UPDATE dormouse.runs SET status = 'running', fence = 1, worker = gen_random_uuid(), started_at = now(), "
        "lease_until = now() + interval '5 s' WHERE key = '1'");
    const int lease = std::stoi(due(""));
    BOOST_TEST((lease > 0 && lease <= 6'000), lease);
}

BOOST_AUTO_TEST_CASE(says_which_tasks_wait_that_nobody_here_knows) {
    add("1", "q", "a", 50);
    add("2", "q", "b", 40, 5);
    add("3", "r", "b", 60);
    add("4", "elsewhere", "c", 60);
    database.exec("INSERT INTO dormouse.runs (queue, task) SELECT 'q', 'd' FROM generate_series(1, 1200)");
    const auto unknown = [&](const std::string& known) {
        database.exec("PREPARE u AS " + std::string(sql::cli::unknown) + "; CREATE TEMP TABLE u AS EXECUTE u('" +
                      known + "')");
        const std::string all =
            database.value("SELECT string_agg(queue || ':' || task || ':' || runs, ' ' ORDER BY oldest) FROM u");
        database.exec("DROP TABLE u; DEALLOCATE u");
        return all;
    };
    BOOST_TEST(unknown(R"({"q": ["a"], "r": ["a"]})") == "r:b:1 q:b:1 q:d:1000");
    BOOST_TEST(unknown(R"({"q": ["b", "d", "x"], "r": ["b"]})") == "q:a:1");
    BOOST_TEST(unknown(R"({"q": ["a", "b", "d"], "r": ["b"]})") == "");
    BOOST_TEST(unknown(R"({"q": ["a", "b", "d"], "r": ["a", "d"]})") == "r:b:1");  // known to the pool of another queue
    BOOST_TEST(unknown(R"({"q": [], "r": ["b"]})") == "q:a:1 q:b:1 q:d:1000");
}

BOOST_AUTO_TEST_CASE(claims_by_id_with_and_without_payload) {
    database.exec(
        "INSERT INTO dormouse.runs (key, queue, task, payload, run_at) VALUES ('1', 'any', 'x', '{\"n\": 1}', now()), "
        "('2', 'any', 'y', '{\"n\": 2}', now()), ('3', 'any', 'z', '{}', now() + interval '1 h')");
    const auto claim = [&](const std::string& keys, const std::string& with_payload) {
        worker.script("DROP TABLE IF EXISTS pg_temp.got; BEGIN");
        const std::string ids =
            worker.ask("SELECT array_agg(id) FROM dormouse.runs_live WHERE key = ANY ('{" + keys + "}')");
        const auto reply =
            worker.session.ask("", "EXECUTE claim_ids('" + ids + "', " + me + ", 1000, 1000000, " + with_payload + ")");
        BOOST_TEST_REQUIRE(reply.has_value(), (reply ? "" : reply.error().message));
        BOOST_TEST(reply->columns() == 14);
        std::string all;
        for (int row = 0; row < reply->rows(); ++row)
            all += std::string(reply->text(row, 3)) + (reply->is_null(row, 4) ? "-" : std::string(reply->text(row, 4)));
        worker.script("COMMIT");
        return all;
    };
    BOOST_TEST(claim("1,3", "true") == "x{\"n\": 1}");
    BOOST_TEST(claim("1,2", "false") == "y-");
    const std::string held = worker.ask("SELECT array_agg(id) FROM dormouse.runs_live WHERE status = 'running'");
    const std::string fences = worker.ask("SELECT array_agg(fence) FROM dormouse.runs_live WHERE status = 'running'");
    const auto payloads = [&](const std::string& bytes) {
        return worker.ask("EXECUTE payloads('" + held + "', '" + fences + "', " + me + ", " + bytes + ")");
    };
    BOOST_TEST(payloads("8") == id("1") + ",{\"n\": 1} " + id("2") + ",{\"n\": 2}");
    BOOST_TEST(payloads("7") == id("1") + ", " + id("2") + ",");
    BOOST_TEST(worker.ask("EXECUTE payloads('" + held + "', '{77,77}', " + me + ", 100)") == "");
}

BOOST_AUTO_TEST_CASE(refuses_a_run_that_waits) {
    add("1", "q", "a", 1);
    const std::string run = id("1");
    BOOST_TEST(worker.ask("EXECUTE refuse_waiting('" + run + "', 'payload', 'cannot be read')") == run + ",,,");
    BOOST_TEST(database.value("SELECT status || ' ' || attempts || ' ' || (error ->> 'class') || ' ' || (error ->> "
                              "'message') FROM dormouse.runs WHERE key = '1'") == "failed 0 payload cannot be read");
    BOOST_TEST(worker.ask("EXECUTE refuse_waiting('" + run + "', 'payload', 'cannot be read')") == "");
}

BOOST_AUTO_TEST_CASE(finishes_without_a_lock_what_still_shows_the_fence_and_waits_no_longer_than_told) {
    for (int n = 1; n <= 3; ++n) add(std::to_string(n), "q", "a", 10 - n);
    worker.claim("q", 9, "a", "9");
    worker.script(std::string("PREPARE finish_fast AS ") + sql::finish_fast + "; SET lock_timeout = '20ms'");
    const auto finish = [&](const std::string& key, const std::string& more = "0") {
        return worker.session.ask(
            "", "EXECUTE finish_fast(" + std::string(me) + ", '{" + id(key) + "}', '{" +
                    database.value("SELECT fence + " + more + " FROM dormouse.runs WHERE key = '" + key + "'") +
                    "}', '{completed}', '{NULL}', '{NULL}', '{0}', '{NULL}', '{1}', '{1}', '{t}')");
    };
    const auto ended = finish("1");
    BOOST_TEST_REQUIRE(ended.has_value(), (ended ? "" : ended.error().message));
    BOOST_TEST(ended->rows() == 1);
    BOOST_TEST(database.value("SELECT status FROM dormouse.runs WHERE key = '1'") == "completed");
    const auto other_fence = finish("2", "1");
    BOOST_TEST((other_fence.has_value() && other_fence->rows() == 0));
    auto holder = database.connect();
    BOOST_REQUIRE(holder.script("", "BEGIN; SELECT FROM dormouse.runs_live WHERE key = '3' FOR UPDATE").has_value());
    const auto locked = finish("3");
    BOOST_TEST_REQUIRE(!locked.has_value());
    BOOST_TEST(locked.error().message.find("lock timeout") != std::string::npos, locked.error().message);
}

BOOST_AUTO_TEST_CASE(rescues_what_has_lost_its_lease_but_for_exceptions_and_beyond_what_can_be_counted) {
    for (int n = 1; n <= 4; ++n) add(std::to_string(n), "q", "a", n);
    worker.claim("q", 9, "a", "9");
    database.exec(
        "UPDATE dormouse.runs_live SET lease_until = now() - lost_for * interval '1 s', attempts = 32767, lost = "
        "32767 FROM (SELECT key AS k, key::int AS lost_for FROM dormouse.runs_live) l WHERE l.k = key AND "
        "key <> '4'");
    const auto waiting = [&] {
        return database.value(
            "SELECT string_agg(key || ' ' || attempts || ' ' || lost, ', ' ORDER BY key) FROM dormouse.runs_live WHERE "
            "status = 'retry'");
    };
    const std::string us = "'00000000-0000-4000-8000-0000000000aa'";
    const std::string who = "'00000000-0000-4000-8000-00000000b001', " + us + ", 86400000, '{}')";
    BOOST_TEST(worker.ask("EXECUTE lost_candidates('{q}', '{" + id("3") + "}', 2, " + us + ", '{}')") ==
               id("2") + " " + id("1"));
    BOOST_TEST(worker.ask("EXECUTE rescue('{q}', '{" + id("3") + "}', 1, " + who) == "1,0");
    BOOST_TEST(waiting() == "2 32767 32767");
    BOOST_TEST(worker.ask("EXECUTE rescue_ids('{" + id("3") + "," + id("4") + "}', " + who) == "1,0");
    BOOST_TEST(waiting() == "2 32767 32767, 3 32767 32767");
    BOOST_TEST(worker.ask("EXECUTE rescue('{q}', '{}', 1000, " + who) == "1,0");
    BOOST_TEST(worker.ask("SELECT count(*) FROM dormouse.attempt_log WHERE outcome = 'lost'") == "3");
}

BOOST_AUTO_TEST_SUITE_END()
