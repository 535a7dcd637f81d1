// dormouse enqueue --from, as a program: many runs from a file or stdin, all of them or none.
#include <sys/resource.h>

#include <boost/test/unit_test.hpp>
#include <fstream>
#include <nlohmann/json.hpp>

#include "support/cluster.h"
#include "support/pool_bench.h"
#include "support/process.h"

namespace enqueue_from {

using namespace dormouse;
using namespace dormouse::testing;
using nlohmann::json;

namespace {

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

struct Fixture {
    TestDatabase database;
    TemporaryDirectory directory;
    std::string file = directory.path() + "/runs.jsonl";
    std::map<std::string, std::string> environment{{"DATABASE_URL", database.url()},
                                                   {"DORMOUSE_CONFIG_DIR", directory.path()},
                                                   {"DORMOUSE_PATHS_RUNTIME_DIRECTORY", directory.path()}};

    void write(const std::string& lines) const { std::ofstream(file) << lines; }
    Ended from(const std::string& source, std::vector<std::string> more = {}, std::string input = {}) {
        std::vector<std::string> arguments{"enqueue", "--from", source};
        arguments.insert(arguments.end(), more.begin(), more.end());
        return run(cli_program(std::move(arguments), environment, std::move(input)));
    }
    /// A file of one good line, this one, and another good one.
    void refused(const std::string& line, const std::string& because) {
        write("{\"task\": \"t\"}\n" + line + "\n{\"task\": \"t\"}\n");
        const Ended ended = from(file);
        BOOST_TEST(ended.exit_code == 2, line << ": " << ended.exit_code << ended.err);
        BOOST_TEST(has(ended.err, file + ":2: "), line << ": " << ended.err);
        BOOST_TEST(has(ended.err, because), line << ": " << ended.err);
        BOOST_TEST(has(ended.err, "nothing was enqueued"), ended.err);
        BOOST_TEST(ended.out == "");
        BOOST_TEST(count() == "0", line);
    }
    std::string count(const std::string& where = "true") {
        return database.value("SELECT count(*) FROM dormouse.runs WHERE " + where);
    }
    std::string field(const std::string& name) { return database.value("SELECT " + name + " FROM dormouse.runs"); }
};

}  // namespace

}  // namespace enqueue_from

BOOST_FIXTURE_TEST_SUITE(enqueue_from, Fixture, *boost::unit_test::precondition(has_postgres))

BOOST_AUTO_TEST_CASE(a_line_is_a_run_with_all_that_it_says) {
    write(
        R"({"task":"t","payload":{"a\tb":[0.1234567890123456789012345,12345678901234567890.5,"\\ \" } ,"]},"queue":"slow","priority":-3,)"
        R"("run_at":"2030-01-02T03:04:05Z","max_attempts":7,"timeout":"1h30min","traceparent":"00-ab\tc"})"
        "\n");
    const Ended ended = from(file);
    BOOST_TEST(ended.exit_code == 0, ended.err);
    BOOST_TEST(ended.out == "1\n");
    BOOST_TEST(
        field(
            "payload = '{\"a\\tb\":[0.1234567890123456789012345,12345678901234567890.5,\"\\\\ \\\" } ,\"]}'::jsonb") ==
            "t",
        field("payload"));
    BOOST_TEST(field("concat_ws(' ', queue, priority, run_at = '2030-01-02T03:04:05Z', max_attempts, timeout_ms, "
                     "traceparent, key)") == "slow -3 t 7 5400000 00-ab\tc");
}

BOOST_AUTO_TEST_CASE(what_a_line_leaves_out_is_as_in_enqueue) {
    write("{\"task\":\"t\"}\r\n\n   \n{\"queue\":null,\"task\":\"u\",\"payload\":null}");
    const Ended ended = from(file, {"--queue", "mine", "--json"});
    BOOST_TEST(ended.exit_code == 0, ended.err);
    BOOST_TEST(json::parse(ended.out).at("runs") == 2);
    BOOST_TEST(
        database.value(
            "SELECT string_agg(concat_ws(' ', task, payload, queue, priority, run_at <= now(), max_attempts, status), "
            "', ' ORDER BY task) FROM dormouse.runs") == "t {} mine 0 t queued, u null mine 0 t queued");
}

BOOST_AUTO_TEST_CASE(in_and_at_put_a_run_off) {
    environment["TZ"] = "Asia/Kolkata";
    const Ended ended = from("-", {}, "{\"task\":\"a\",\"in\":\"2h\"}\n{\"task\":\"b\",\"at\":\"2030-01-02 05:30\"}\n");
    BOOST_TEST(ended.exit_code == 0, ended.err);
    BOOST_TEST(count("task = 'a' AND run_at - created_at BETWEEN interval '119 minutes' AND interval '121 minutes'") ==
               "1");
    BOOST_TEST(count("task = 'b' AND run_at = '2030-01-02T00:00:00Z'") == "1");
}

BOOST_AUTO_TEST_CASE(a_wrong_line_is_named_with_its_reason_and_nothing_is_enqueued) {
    refused("{\"task\": \"t\",", "it stops being JSON at byte");
    refused("[1]", "not an object");
    refused("{\"payload\": 1}", "it has no task");
    refused("{\"task\": \"t\", \"taks\": 1}", "unknown member \"taks\"; there are task, payload");
    refused("{\"task\": 7}", "task is not a string");
    refused("{\"task\": \"t\", \"priority\": 40000}", "priority is not a whole number from -100 to 100");
    refused("{\"task\": \"t\", \"timeout\": \"5\"}", "timeout: found \"5\" without a unit");
    refused("{\"task\": \"t\", \"in\": \"5s\", \"run_at\": \"now\"}", "exclude each other");
    refused("{\"task\": \"t\", \"queue\": \"a\\u0000b\"}", "NUL");
    refused("{\"task\": \"t\", \"payload\": {\"a\": \"\\u0000\"}}", ": payload.a has a NUL character (\\u0000), which");
    refused("{\"task\": \"t\", \"payload\": \"\\ud800\"}", "it has half a surrogate pair at byte 33, which");
    // what only the database knows
    refused("{\"task\": \"t\", \"run_at\": \"soon\"}", "soon");
    refused("{\"task\": \"t\", \"queue\": \"" + std::string(49, 'q') + "\"}", "bytes, expected 1 to 48");
    refused("{\"task\": \"t\", \"payload\": \"" + std::string(1 << 20, 'p') + "\"}", "larger than the limit of 1MiB");
    refused("{\"task\": \"t\", \"payload\": \"" + std::string(2 << 20, 'p') + "\"}", "longer than any line");
    refused("{\"task\": \"t\", \"key\": \"k\", \"run_at\": \"soon\"}", "soon");
}

BOOST_AUTO_TEST_CASE(the_line_of_a_late_fault_is_right_beside_keys_and_blank_lines) {
    std::string lines;
    for (int n = 1; n <= 5'000; ++n)
        lines += n % 7 == 0   ? "\n"
                 : n % 3 == 0 ? "{\"task\":\"t\",\"key\":\"" + std::to_string(n) + "\"}\n"
                              : "{\"task\":\"t\"}\n";
    write(lines + "{\"task\":\"t\",\"run_at\":\"soon\"}\n" + lines + lines);
    const Ended ended = from(file);
    BOOST_TEST(ended.exit_code == 2);
    BOOST_TEST(has(ended.err, file + ":5001: "), ended.err);
    BOOST_TEST(count() == "0");
    BOOST_TEST(database.value("SELECT count(*) FROM dormouse.keys") == "0");
}

BOOST_AUTO_TEST_CASE(a_key_that_is_taken_adds_no_run_and_holds_up_nobody) {
    database.exec("SELECT dormouse.enqueue('t', key => 'old'); UPDATE dormouse.runs SET status = 'completed'");
    write(
        "{\"task\":\"t\",\"key\":\"old\"}\n{\"task\":\"t\",\"key\":\"new\"}\n{\"task\":\"t\",\"key\":\"new\"}\n"
        "{\"task\":\"u\",\"key\":\"old\",\"payload\":{\"n\":12345678901234567890.5}}\n{\"task\":\"t\"}\n");
    for (int again = 0; again < 2; ++again) {
        const Ended ended = from(file);
        BOOST_TEST(ended.exit_code == 0, ended.err);
        BOOST_TEST(ended.out == "5\n");
    }
    BOOST_TEST(count("key IS NOT NULL") == "3");
    BOOST_TEST(count("key IS NULL") == "2");
    BOOST_TEST(count("payload = '{\"n\":12345678901234567890.5}'") == "1");
}

BOOST_AUTO_TEST_CASE(the_triggers_of_a_statement_fire_once_for_a_file) {
    database.exec(
        "CREATE TABLE fired (n bigint); CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT "
        "INTO "
        "public.fired SELECT count(*) FROM new_rows; RETURN NULL; END $$; CREATE TRIGGER note AFTER INSERT ON "
        "dormouse.runs "
        "REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note()");
    std::string lines;
    for (int n = 0; n < 20'000; ++n) lines += "{\"task\":\"t\",\"payload\":" + std::to_string(n) + "}\n";
    write(lines);
    auto listener = database.connect();
    BOOST_REQUIRE(listener.listen({"queue:default"}).has_value());
    BOOST_REQUIRE(listener.script("register", "SELECT dormouse.listens('default')").has_value());
    BOOST_TEST(from(file).exit_code == 0);
    BOOST_TEST(database.value("SELECT string_agg(n::text, ' ') FROM fired") == "20000");
    BOOST_TEST(database.value("SELECT sum(payload::text::int) FROM dormouse.runs") == "199990000");
    const auto first = listener.wait(BootClock::now() + Millis{5'000});
    BOOST_TEST((first.has_value() && first->has_value()));
    const auto second = listener.wait(BootClock::now());
    BOOST_TEST((second.has_value() && !second->has_value()));
}

BOOST_AUTO_TEST_CASE(the_pools_that_serve_one_of_the_queues_are_rung_after_the_commit) {
    const auto pool = [&](const std::string& name, const std::string& queues) {
        std::ofstream(directory.path() + "/" + name + ".toml") << "[worker]\nqueues = [" << queues << "]\n";
        return listen_at(directory.path() + "/" + name + ".sock");
    };
    const UniqueFd one = pool("one", "\"a\"");
    const UniqueFd both = pool("both", "\"a\", \"b\"");
    const UniqueFd other = pool("other", "\"c\"");
    write("{\"task\":\"t\",\"queue\":\"a\"}\n{\"task\":\"t\",\"queue\":\"b\"}\n");
    const Ended ended = from(file, {"--json"});
    BOOST_TEST(ended.exit_code == 0, ended.err);
    BOOST_TEST(json::parse(ended.out).at("rung").dump() == "[\"both\",\"one\"]");
    BOOST_TEST(json::parse(ended.out).at("queues").dump() == "[\"a\",\"b\"]");
    write("{\"task\":\"t\"\n");
    BOOST_TEST(!has(from(file).err, "rang"));
}

BOOST_AUTO_TEST_CASE(a_producers_login_is_enough) {
    apply_roles(database);
    database.exec("DROP ROLE IF EXISTS app; CREATE ROLE app LOGIN IN ROLE dormouse_producer");
    environment["DATABASE_URL"] = database.url("app");
    std::string lines;
    for (int n = 0; n < 2'500; ++n) lines += "{\"task\":\"t\",\"payload\":" + std::to_string(n) + "}\n";
    write(lines);
    const Ended ended = from(file);
    BOOST_TEST(ended.exit_code == 0, ended.err);
    BOOST_TEST(database.value("SELECT sum(payload::text::int) FROM dormouse.runs") == "3123750");
    database.exec("DROP OWNED BY app; DROP ROLE app; DROP ROLE IF EXISTS stranger; CREATE ROLE stranger LOGIN");
    environment["DATABASE_URL"] = database.url("stranger");
    BOOST_TEST(from(file).exit_code == 7);
    database.exec("DROP ROLE stranger");
}

BOOST_AUTO_TEST_CASE(a_file_takes_no_more_memory_for_being_long) {
    const auto peak_kib = [&](int runs) {
        std::ofstream lines(file);
        const std::string payload(200, 'x');
        for (int n = 0; n < runs; ++n) lines << "{\"task\":\"t\",\"payload\":\"" << payload << "\"}\n";
        lines.close();
        Program program = cli_program({"enqueue", "--from", file}, environment);
        program.argv.insert(program.argv.begin(), {"/usr/bin/time", "--format=peak %M"});
        const Ended ended = run(std::move(program));
        const auto at = ended.err.rfind("peak ");
        BOOST_TEST_REQUIRE(at != std::string::npos, ended.err);
        return std::stol(ended.err.substr(at + 5));
    };
    if (!std::ifstream("/usr/bin/time")) {
        BOOST_TEST_MESSAGE("SKIPPED: there is no /usr/bin/time: apt-get install time");
        return;
    }
    const long small = peak_kib(10);
    const long large = peak_kib(100'000);  // 23 MB
    BOOST_TEST_MESSAGE("resident at most: " << small << " KiB for 10 lines, " << large << " KiB for 100,000");
#ifdef __SANITIZE_ADDRESS__
    BOOST_TEST_MESSAGE("SKIPPED: what is freed stays resident under the address sanitizer");
#else
    BOOST_TEST(large < small + 8'192);
#endif
}

BOOST_AUTO_TEST_CASE(what_cannot_be_read_and_what_does_not_go_together_is_told) {
    BOOST_TEST(from(directory.path() + "/nowhere").exit_code == 2);
    BOOST_TEST(has(from(directory.path()).err, "directory"));
    BOOST_TEST(run(cli_program({"enqueue"}, environment)).exit_code == 2);
    BOOST_TEST(has(run(cli_program({"enqueue"}, environment)).err, "TASK is required"));
    for (const std::vector<std::string>& more :
         {std::vector<std::string>{"t"}, {"--wait"}, {"--spool"}, {"--key", "k"}, {"--in", "5s"}, {"--priority", "1"}})
        BOOST_TEST(from(file, more).exit_code == 2, more[0]);
    write("");
    BOOST_TEST(from(file).out == "0\n");
}

BOOST_AUTO_TEST_SUITE_END()
