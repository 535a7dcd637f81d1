// dormouse runs, show and status, as programs.
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <nlohmann/json.hpp>

#include "sql/embedded.h"
#include "support/cluster.h"
#include "support/process.h"

namespace cli_runs {

using namespace dormouse::testing;
using nlohmann::json;
namespace sql = dormouse::sql;

namespace {

constexpr const char* worker = "00000000-0000-4000-8000-000000000001";

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

struct Fixture {
    TestDatabase database;
    TemporaryDirectory directory;
    std::map<std::string, std::string> environment{{"DATABASE_URL", database.url()},
                                                   {"DORMOUSE_CONFIG_DIR", directory.path()},
                                                   {"DORMOUSE_PATHS_RUNTIME_DIRECTORY", directory.path()}};

    Ended cli(std::vector<std::string> arguments) { return run(cli_program(std::move(arguments), environment)); }
    std::string out(std::vector<std::string> arguments, int exit_code = 0) {
        const Ended ended = cli(std::move(arguments));
        BOOST_TEST(ended.exit_code == exit_code, ended.err);
        BOOST_TEST(ended.err == "");
        return ended.out;
    }
    void claim() {
        database.value(sql::claim, {"{default}", "10", worker, "300000", "1000000", known_tasks, known_slots, "{}"});
    }
    void write(const std::string& name, const std::string& text) const {
        std::ofstream(directory.path() + "/" + name) << text;
    }
};

std::vector<json> lines_of(const std::string& text) {
    std::vector<json> documents;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) documents.push_back(json::parse(line));
    return documents;
}

/// Nothing below 0x20 but the ends of lines, no DEL, no C1, no direction marks.
bool harmless(const std::string& text) {
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        if ((byte < 0x20 && byte != '\n') || byte == 0x7f) return false;
        if (byte == 0xC2 && static_cast<unsigned char>(text[i + 1]) < 0xA0) return false;
        if (text.compare(i, 3, "\u202e") == 0) return false;
    }
    return true;
}

}  // namespace

}  // namespace cli_runs

BOOST_FIXTURE_TEST_SUITE(cli_runs, Fixture, *boost::unit_test::precondition(has_postgres))

BOOST_AUTO_TEST_CASE(runs_are_listed_newest_first_and_filtered) {
    database.exec(
        "SELECT dormouse.enqueue('a'); SELECT dormouse.enqueue('b', queue => 'slow'); SELECT "
        "dormouse.enqueue('c')");
    database.exec("UPDATE dormouse.runs SET status = 'failed', error = '{\"message\": \"boom\"}' WHERE task = 'a'");
    const auto tasks = [&](std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), {"runs", "--json"});
        std::string names;
        for (const json& run : lines_of(out(arguments))) names += run.at("task").get<std::string>();
        return names;
    };
    BOOST_TEST(tasks({}) == "cba");
    BOOST_TEST(tasks({"--limit", "2"}) == "cb");
    BOOST_TEST(tasks({"--status", "failed"}) == "a");
    BOOST_TEST(tasks({"--queue", "slow"}) == "b");
    BOOST_TEST(tasks({"--task", "c"}) == "c");
    BOOST_TEST(tasks({"--since", "1h"}) == "cba");
    BOOST_TEST(tasks({"--since", "2040-01-01 00:00"}) == "");
    const std::string table = out({"runs"});
    BOOST_TEST(table.starts_with("ID  "), table);
    BOOST_TEST(has(table, "boom"), table);
    BOOST_TEST(has(table, "due since"), table);
    BOOST_TEST(out({"runs", "--task", "none"}) == "no runs\n");
}

BOOST_AUTO_TEST_CASE(the_fields_of_a_listed_run_are_stable) {
    database.exec("SELECT dormouse.enqueue('a')");
    std::string names;
    const auto run = nlohmann::ordered_json::parse(out({"runs", "--json"}));
    for (const auto& [name, value] : run.items()) names += name + " ";
    BOOST_TEST(names ==
               "id task queue status priority created_at run_at started_at finished_at attempts max_attempts "
               "worker progress "
               "progress_text key error archived_at ");
}

BOOST_AUTO_TEST_CASE(a_wrong_filter_is_told_with_what_was_meant) {
    const Ended status = cli({"runs", "--status", "error"});
    BOOST_TEST(status.exit_code == 2);
    BOOST_TEST(has(status.err, "did you mean failed?"), status.err);
    BOOST_TEST(cli({"runs", "--since", "yesterday"}).exit_code == 2);
    BOOST_TEST(cli({"runs", "--limit", "0"}).exit_code == 2);
}

BOOST_AUTO_TEST_CASE(listing_walks_an_index_and_not_the_table) {
    database.exec("INSERT INTO dormouse.runs (task) SELECT 't' FROM generate_series(1, 5000); ANALYZE dormouse.runs");
    database.exec(
        "UPDATE dormouse.runs SET status = 'completed' WHERE id IN (SELECT id FROM dormouse.runs LIMIT "
        "2500); ANALYZE dormouse.runs");
    auto session = database.connect();
    const auto reply = session.ask("", "EXPLAIN SELECT id FROM dormouse.runs ORDER BY id DESC LIMIT 20");
    BOOST_REQUIRE(reply.has_value());
    std::string text;
    for (int row = 0; row < reply->rows(); ++row) text += std::string(reply->text(row, 0)) + "\n";
    BOOST_TEST(has(text, "Merge Append"), text);
    BOOST_TEST(!has(text, "Seq Scan on runs_live"), text);
    BOOST_TEST(!has(text, "Seq Scan on runs_finished"), text);
}

BOOST_AUTO_TEST_CASE(show_takes_an_id_or_the_start_of_one) {
    const std::string id = "019ad1f2-3c4d-7000-8000-000000000001";
    database.exec("INSERT INTO dormouse.runs (id, task) VALUES ('" + id +
                  "', 'a'), ('019ad1f2-3c4d-7000-9000-000000000001', 'b')");
    BOOST_TEST(json::parse(out({"show", id, "--json"})).at("task") == "a");
    BOOST_TEST(json::parse(out({"show", "019ad1f2-3c4d-7000-8", "--json"})).at("id") == id);
    BOOST_TEST(json::parse(out({"show", "019AD1F23C4D70008", "--json"})).at("id") == id);
    const Ended several = cli({"show", "019ad1f2"});
    BOOST_TEST(several.exit_code == 2);
    BOOST_TEST(has(several.err, id), several.err);
    const Ended none = cli({"show", "ffffffff-0000"});
    BOOST_TEST(none.exit_code == 4);
    BOOST_TEST(has(none.err, "dormouse runs"), none.err);
    BOOST_TEST(cli({"show", "019ad1"}).exit_code == 2);
    BOOST_TEST(cli({"show", "'; DROP TABLE x"}).exit_code == 2);
}

BOOST_AUTO_TEST_CASE(show_tells_the_story_of_a_run) {
    const std::string id = database.value("SELECT dormouse.enqueue('story', '{\"big\": 1e400}', max_attempts => 3)");
    claim();
    database.exec("UPDATE dormouse.runs SET status = 'queued'");
    claim();
    database.exec(
        "UPDATE dormouse.runs SET status = 'failed', exit_code = 1, error = '{\"class\": \"exit\", "
        "\"message\": \"boom\\nsecond line\"}'");
    const std::string text = out({"show", id});
    for (const char* const part :
         {"story", "failed", "of 3", "exit: boom", "second line", "taken_back", "exit 1", "created     20"})
        BOOST_TEST(has(text, part), part << " is not in:\n" << text);
    const std::string document = out({"show", id, "--json"});
    BOOST_TEST(has(document, "1000000000000000000000000"), document);  // as Postgres has it, not as a double
    database.exec("UPDATE dormouse.runs SET payload = '{}'");
    const json run = json::parse(out({"show", id, "--json"}));
    BOOST_TEST(run.at("attempt_log").size() == 2U);
    BOOST_TEST(run.at("attempt_log").at(0).at("outcome") == "taken_back");
    BOOST_TEST(run.at("error").at("class") == "exit");
}

BOOST_AUTO_TEST_CASE(an_error_in_one_line_has_its_class_and_its_message) {
    const std::string id = database.value("SELECT dormouse.enqueue('t')");
    claim();
    database.exec("UPDATE dormouse.runs SET status = 'failed'");
    for (const auto& [error, line] : std::vector<std::pair<std::string, std::string>>{
             {R"({"class": "KeyError", "message": "'name'\nTraceback"})", "KeyError: 'name'"},
             {R"({"class": "TimeoutError", "message": "\nTraceback"})", "TimeoutError"},
             {R"({"message": "boom"})", "boom"},
             {R"("a text")", "a text"},
             {R"({"code": 7})", R"({"code": 7})"}}) {
        database.value("UPDATE dormouse.runs SET error = $1 RETURNING id", {error});
        for (const auto& command : {std::vector<std::string>{"runs"}, {"show", id}}) {
            const std::string text = out(command);
            BOOST_TEST(has(text, " " + line + "\n"), line << " is not in:\n" << text);
        }
    }
}

BOOST_AUTO_TEST_CASE(nothing_in_a_run_can_drive_the_terminal) {
    const std::string hostile = "E'\\x1b]0;owned\\x07\\x1b[2J\\u009b31m\\u202egnp\\x7f\\r\\n'";
    database.exec("SET session_replication_role = replica");  // as a restored dump brings what is refused by now
    database.exec("INSERT INTO dormouse.runs (task, queue, payload, key, progress_text, traceparent) VALUES (" +
                  hostile + ", " + hostile + ", to_jsonb(" + hostile + "::text), " + hostile + ", " + hostile + ", " +
                  hostile + ")");
    database.exec("INSERT INTO dormouse.runs (task, status, finished_at, error, result) VALUES (" + hostile +
                  ", 'failed', now(), "
                  "jsonb_build_object('message', " +
                  hostile + ", 'class', " + hostile + "), to_jsonb(" + hostile + "::text))");
    database.exec(
        "INSERT INTO dormouse.worker_registry (id, pool, queues, host, pid, pid_start, boot_id, version) "
        "VALUES "
        "(gen_random_uuid(), " +
        hostile + ", ARRAY[" + hostile + "], " + hostile + ", 1, 1, gen_random_uuid(), " + hostile + ")");
    database.exec("RESET session_replication_role");
    database.exec("UPDATE dormouse.runs SET run_at = now() - interval '1 hour' WHERE status = 'queued'");
    std::vector<std::vector<std::string>> commands{{"runs"},
                                                   {"runs", "--json"},
                                                   {"status"},
                                                   {"status", "--json"},
                                                   {"workers"},
                                                   {"workers", "--json"},
                                                   {"reap"},
                                                   {"cancel", "--status", "queued", "--dry-run"},
                                                   {"retry", "--status", "failed", "--dry-run", "--json"}};
    for (const json& run : lines_of(out({"runs", "--json"}))) {
        commands.push_back({"show", run.at("id")});
        commands.push_back({"show", run.at("id"), "--json"});
    }
    for (const auto& command : commands) {
        const std::string text = out(command, command.front() == "status" ? 13 : 0);
        BOOST_TEST(harmless(text), command.front() << " shows: " << text);
    }
    const Ended refused = cli({"show", "\x1b[2J"});
    BOOST_TEST(harmless(refused.err), refused.err);
}

BOOST_AUTO_TEST_CASE(status_shows_pools_queues_and_who_serves_them) {
    write("here.toml", "[database]\nurl = \"" + database.url() + "\"\n[worker]\nqueues = [\"default\", \"mail\"]\n");
    write("broken.toml", "[worker]\nqueue = 1\n");
    database.exec(
        "SELECT dormouse.enqueue('a'); SELECT dormouse.enqueue('a', queue => 'mail', delay => '1 hour'); "
        "SELECT dormouse.enqueue('a', queue => 'orphan'); SELECT dormouse.enqueue('a', queue => 'far')");
    database.exec(
        "INSERT INTO dormouse.worker_registry (id, pool, queues, host, pid, pid_start, boot_id, version, "
        "state, left_at, seen_at, session_pid, session_login) "
        "SELECT gen_random_uuid(), 'elsewhere', '{far}'::text[], 'another-host', 1, 1, gen_random_uuid(), '0.1.0', "
        "'left', now() - interval '2 hours', now() - interval '2 hours', NULL, NULL UNION ALL "
        "SELECT gen_random_uuid(), 'here', '{default}', 'another-host', 1, 1, gen_random_uuid(), '0.1.0', 'awake', "
        "NULL, now(), pid, usesysid FROM pg_stat_activity WHERE pid = pg_backend_pid()");
    const std::string text = out({"status"}, 13);
    for (const char* const part : {"here, no doorbell", "here, broken", "asleep on another-host", "2 h ago",
                                   "awake on another-host", "in 60 min", "nobody", "pool broken: "})
        BOOST_TEST(has(text, part), part << " is not in:\n" << text);
    BOOST_TEST(!has(text, "queue far:"), text);
    BOOST_TEST(!has(text, "queue orphan:"), text);  // nobody knows what the broken file names

    const json document = json::parse(out({"status", "--json"}, 13));
    std::map<std::string, json> queues;
    for (const json& queue : document.at("queues")) queues[queue.at("queue")] = queue;
    BOOST_TEST(queues.at("default").at("due") == 1);
    BOOST_TEST(queues.at("default").at("served_by").dump() == "[\"here\"]");
    BOOST_TEST(queues.at("mail").at("put_off") == 1);
    BOOST_TEST(queues.at("orphan").at("served_by").empty());
    BOOST_TEST(queues.at("far").at("served_by").dump() == "[\"elsewhere\"]");
    BOOST_TEST(document.at("stuck").empty());
    write("broken.toml", "[worker]\nqueues = [\"mended\"]\n");
    BOOST_TEST(has(out({"status"}, 13), "queue orphan: no pool serves it"));
}

BOOST_AUTO_TEST_CASE(status_tells_stuck_runs_and_workers_that_are_gone) {
    database.exec("SELECT dormouse.enqueue('late'); UPDATE dormouse.runs SET run_at = now() - interval '1 hour'");
    const Ended host = run({{"hostname"}, "", {}, ""});
    database.exec(
        "INSERT INTO dormouse.worker_registry (id, pool, queues, host, pid, pid_start, boot_id, version) "
        "VALUES "
        "(gen_random_uuid(), 'dead', '{default}', '" +
        host.out.substr(0, host.out.find('\n')) + "', 1, 1, gen_random_uuid(), '0.1.0')");
    const std::string text = out({"status"}, 13);
    BOOST_TEST(has(text, "due for 15 minutes and nobody has claimed it"), text);
    BOOST_TEST(has(text, "gone on"), text);
    BOOST_TEST(json::parse(out({"status", "--json"}, 13)).at("stuck_count") == 1);
}

BOOST_AUTO_TEST_CASE(status_of_an_empty_database_is_no_error) {
    const std::string text = out({"status"});
    BOOST_TEST(has(text, "all queues are empty"), text);
    BOOST_TEST(has(out({"status", "--check"}), "DORMOUSE OK - "));
}

BOOST_AUTO_TEST_CASE(a_monitor_is_told_in_one_line_and_by_its_own_codes) {
    const auto check = [&] {
        const Ended ended = cli({"status", "--check"});
        BOOST_TEST(std::count(ended.out.begin(), ended.out.end(), '\n') == 1, ended.out);
        return std::to_string(ended.exit_code) + " " + ended.out.substr(0, ended.out.find(" - "));
    };
    database.exec("SELECT dormouse.enqueue('a', queue => 'orphan', delay => '1 hour')");
    BOOST_TEST(check() == "1 DORMOUSE WARNING");
    database.exec("UPDATE dormouse.runs SET run_at = now()");
    BOOST_TEST(check() == "2 DORMOUSE CRITICAL");
    environment["DATABASE_URL"] = "postgresql:///nobody?host=" + directory.path();
    BOOST_TEST(check() == "3 DORMOUSE UNKNOWN");
}

BOOST_AUTO_TEST_SUITE_END()
