// dormouse watch and logs, as programs; the test is the worker.
#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>
#include <thread>

#include "sql/embedded.h"
#include "support/cluster.h"
#include "support/process.h"

BOOST_AUTO_TEST_SUITE(cli_follow, *boost::unit_test::precondition(dormouse::testing::has_postgres))

using namespace dormouse;
using namespace dormouse::testing;
using nlohmann::json;

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
    std::string id;
    std::string fence;
    int line = 1;

    explicit Fixture(Cluster& on) : database(TestDatabase::Schema::migrated, on) {}
    void enqueue() { id = database.value("SELECT dormouse.enqueue('t')"); }
    void claim() {
        auto session = database.connect();
        const auto run = session.ask("claim", sql::claim,
                                     {"{default}", "10", worker, "300000", "1000000", known_tasks, known_slots, "{}"});
        BOOST_TEST_REQUIRE(run.has_value());
        BOOST_TEST_REQUIRE(run->rows() == 1);
        fence = run->text(0, 1);
        line = 1;
    }
    void say(const std::string& text, const std::string& level = "info") {
        const std::string lines = json::array({json::array({1'700'000'000'123, level, text})}).dump();
        news("NULL", "NULL", "'" + lines + "'");
        ++line;
    }
    void progress(double fraction, const std::string& text) {
        news(std::to_string(static_cast<int>(fraction * 1e6)), "'" + text + "'", "NULL");
    }
    void news(const std::string& fraction, const std::string& text, const std::string& lines) {
        auto session = database.connect();
        const auto said = session.script(
            "said", "PREPARE said AS " + std::string(sql::news) + ";EXECUTE said ('" + worker + "', ARRAY['" + id +
                        "'::uuid], ARRAY[" + fence + "::bigint], ARRAY[" + fraction + "::bigint], ARRAY[" + text +
                        "::text], ARRAY[" + std::to_string(line) + "::bigint], ARRAY[" + lines + "::text])");
        BOOST_TEST_REQUIRE(said.has_value(), (said ? "" : said.error().message));
    }
    void end(const std::string& status, const std::string& result = "NULL", const std::string& error = "NULL") {
        auto session = database.connect();
        const auto done = session.ask("finish", sql::finish,
                                      {worker, "{" + id + "}", "{" + fence + "}", "{" + status + "}",
                                       "{" + result + "}", "{" + error + "}", "{0}", "{NULL}", "{1}", "{1}", "{true}"});
        BOOST_TEST_REQUIRE(done.has_value(), (done ? "" : done.error().message));
    }
    Process start(std::vector<std::string> arguments) {
        return Process(cli_program(std::move(arguments), environment));
    }
    Ended cli(std::vector<std::string> arguments) { return run(cli_program(std::move(arguments), environment)); }
    /// Somebody follows it, and has looked.
    void until_watched() {
        while (database.value("SELECT watched FROM dormouse.runs WHERE id = $1", {id}) != "t")
            std::this_thread::yield();
    }
};

struct Shared : Fixture {
    Shared() : Fixture(Cluster::shared()) {}
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(watch_tells_what_happens_and_ends_with_the_run, Shared) {
    enqueue();
    Process process = start({"watch", id});
    BOOST_TEST(process.saw(" queued\n"));
    claim();
    BOOST_TEST(process.saw(" running, attempt 1\n"));
    progress(0.5, "half");
    BOOST_TEST(process.saw(" progress 50 % half\n"));
    say("a line");
    BOOST_TEST(process.saw("2023-11-14 22:13:20.123 a line\n"));
    say("beware", "warning");
    BOOST_TEST(process.saw(" warning: beware\n"));
    end("completed", "42");
    const Ended ended = process.wait();
    BOOST_TEST(ended.exit_code == 0);
    BOOST_TEST(ended.out.ends_with(" completed\n42\n"), ended.out);
    BOOST_TEST(!has(ended.out, "\r"));
}

BOOST_FIXTURE_TEST_CASE(watch_exits_as_waiting_does, Shared) {
    enqueue();
    claim();
    Process process = start({"watch", id.substr(0, 23)});
    BOOST_TEST(process.saw("running, attempt 1"));
    end("failed", "NULL", R"("{\"class\": \"exit\", \"message\": \"exit 3\\nmore\"}")");
    const Ended ended = process.wait();
    BOOST_TEST(ended.exit_code == 3);
    BOOST_TEST(has(ended.err, "run " + id + " failed: exit: exit 3: more; see `dormouse show " + id + "`"), ended.err);
    enqueue();
    database.exec("SELECT dormouse.cancel('" + id + "')");
    BOOST_TEST(cli({"watch", id}).exit_code == 11);
    BOOST_TEST(cli({"watch", "00000000-0000-0000-0000-000000000000"}).exit_code == 4);
}

BOOST_FIXTURE_TEST_CASE(watch_as_json_is_one_document_on_each_line, Shared) {
    enqueue();
    claim();
    progress(0.25, "");
    say("x\x1b[31m");
    Process process = start({"watch", id, "--json"});
    BOOST_TEST(process.saw("\"event\":\"log\""));
    end("completed", "12345678901234567890123");
    const Ended ended = process.wait();
    std::istringstream stream(ended.out);
    std::string events;
    json last;
    for (std::string text; std::getline(stream, text);) {
        last = json::parse(text);
        events += last.at("event").get<std::string>() + " ";
        if (last.at("event") == "log") BOOST_TEST(last.at("text") == "x\x1b[31m");
        if (last.at("event") == "progress") BOOST_TEST(last.at("fraction") == 0.25);
    }
    BOOST_TEST(events == "status progress log status ");
    BOOST_TEST(has(ended.out, "\"result\":12345678901234567890123,"));
    BOOST_TEST(ended.exit_code == 0);
}

BOOST_FIXTURE_TEST_CASE(watch_on_a_terminal_draws_a_bar_below_the_lines, Shared) {
    enqueue();
    claim();
    progress(0.5, "half");
    // script(1) gives the program a terminal
    Program program = cli_program({"watch", id}, environment);
    const std::string command = program.argv[0] + " watch " + id;
    program.argv = {"script", "--quiet", "--return", "--command", command, "/dev/null"};
    program.environment["TERM"] = "xterm";
    Process process(program);
    BOOST_TEST(process.saw("[###############---------------] 50 % half"));
    say("above");
    BOOST_TEST(process.saw("above"));
    end("completed", "1");
    const Ended ended = process.wait();
    BOOST_TEST(ended.exit_code == 0, ended.out << ended.err);
    BOOST_TEST(has(ended.out, "\r\033[K"));
}

BOOST_FIXTURE_TEST_CASE(logs_are_printed_by_attempt, Shared) {
    enqueue();
    claim();
    say("first");
    database.exec("UPDATE dormouse.runs SET status = 'queued' WHERE id = '" + id + "'");
    claim();
    say("second", "error");
    say("third");
    const std::string time = "2023-11-14 22:13:20.123 ";
    BOOST_TEST(cli({"logs", id}).out == time + "1 first\n" + time + "2 error: second\n" + time + "2 third\n");
    BOOST_TEST(cli({"logs", id, "--attempt", "1"}).out == time + "1 first\n");
    const Ended as_json = cli({"logs", id, "--attempt", "1", "--json"});
    const json document = json::parse(as_json.out);
    BOOST_TEST(document.at("text") == "first");
    BOOST_TEST(document.at("line") == 1);
    BOOST_TEST(document.at("level") == "info");
    BOOST_TEST(document.at("said_at").get<std::string>().starts_with("2023-11-1"));
    BOOST_TEST(cli({"logs", "00000000-0000-0000-0000-000000000000"}).exit_code == 4);
}

BOOST_FIXTURE_TEST_CASE(logs_can_be_followed_until_the_end, Shared) {
    enqueue();
    claim();
    say("early");
    Process process = start({"logs", id, "--follow"});
    BOOST_TEST(process.saw(" 1 early\n"));
    say("late");
    BOOST_TEST(process.saw(" 1 late\n"));
    end("failed");
    BOOST_TEST(process.wait().exit_code == 0);
}

BOOST_FIXTURE_TEST_CASE(a_reader_may_watch, Shared) {
    apply_roles(database);
    database.exec(
        "DO $$ BEGIN CREATE ROLE said_reader LOGIN IN ROLE dormouse_reader; EXCEPTION WHEN duplicate_object THEN NULL; "
        "END $$");
    enqueue();
    claim();
    say("seen");
    environment["DATABASE_URL"] = database.url("said_reader");
    Process process = start({"watch", id});
    BOOST_TEST(process.saw("seen"));
    say("seen later");
    BOOST_TEST(process.saw("seen later"));
    end("completed");
    BOOST_TEST(process.wait().exit_code == 0);
}

// Whatever a reader may call changes nothing, hence locks no row: a reader's open transaction is in nobody's way. The
// functions that everybody may call, since plain SQL needs them, know no table.
BOOST_FIXTURE_TEST_CASE(a_reader_locks_nothing, Shared) {
    apply_roles(database);
    BOOST_TEST(
        database.value("SELECT string_agg(p.proname, ' ' ORDER BY p.proname) FROM pg_proc p WHERE p.pronamespace = "
                       "'dormouse'::regnamespace AND p.provolatile = 'v' AND p.prorettype <> 'trigger'::regtype AND "
                       "has_function_privilege('dormouse_reader', p.oid, 'EXECUTE')") ==
        "listen listens new_id nobody_listens notify_queue notify_worker relies");
    BOOST_TEST(database.value("SELECT string_agg(c.oid::regclass::text, ', ') FROM pg_class c WHERE c.relnamespace = "
                              "'dormouse'::regnamespace AND c.relkind IN ('r', 'p', 'v') AND has_table_privilege("
                              "'dormouse_reader', c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')") ==
               "");
}

BOOST_FIXTURE_TEST_CASE(show_tells_how_each_attempt_ended_and_how_far_it_came, Shared) {
    enqueue();
    claim();
    progress(0.5, "half");
    auto session = database.connect();
    const auto put = session.ask(
        "back", sql::put_back,
        {worker, "{" + id + "}", "{" + fence + "}", "{retry}", "{0}", "{true}",
         R"({"{\"class\": \"out_of_memory\", \"message\": \"killed\"}"})", "{NULL}", "{9}", "{1500}", "{1048576}"});
    BOOST_TEST_REQUIRE(put.has_value(), (put ? "" : put.error().message));
    const std::string out = cli({"show", id}).out;
    BOOST_TEST(has(out, "signal 9, out of memory"), out);
    BOOST_TEST(has(out, "50 %"), out);
    BOOST_TEST(has(out, "1.5 s"), out);
    const json shown = json::parse(cli({"show", id, "--json"}).out);
    BOOST_TEST(shown.at("attempt_log").at(0).at("progress") == 0.5);
    BOOST_TEST(shown.at("attempt_log").at(0).at("progress_text") == "half");
    claim();  // the next attempt begins anew
    BOOST_TEST(database.value("SELECT progress IS NULL AND progress_text IS NULL FROM dormouse.runs") == "t");
}

BOOST_AUTO_TEST_CASE(watch_survives_a_restart_of_the_database) {
    Cluster cluster;
    Fixture scene(cluster);
    scene.enqueue();
    scene.claim();
    scene.say("before");
    Process process = scene.start({"watch", scene.id});
    BOOST_TEST(process.saw("before"));
    cluster.stop();
    BOOST_TEST(process.saw_error("trying again"));
    cluster.start();
    BOOST_TEST(process.saw_error("the database is back"));
    scene.say("after");
    BOOST_TEST(process.saw("after"));
    scene.end("completed", "1");
    const Ended ended = process.wait();
    BOOST_TEST(ended.exit_code == 0);
    BOOST_TEST(ended.out.find("before") == ended.out.rfind("before"));
}

BOOST_AUTO_TEST_SUITE_END()
