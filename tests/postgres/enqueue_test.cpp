// dormouse enqueue, as a program: what goes in, what comes out, which doorbells ring, what waiting for the
// end comes to.
#include <sys/socket.h>
#include <sys/un.h>

#include <boost/test/unit_test.hpp>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/unique_fd.h"
#include "support/cluster.h"
#include "support/process.h"

namespace enqueue {

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
    std::map<std::string, std::string> environment{{"DATABASE_URL", database.url()},
                                                   {"DORMOUSE_CONFIG_DIR", directory.path()},
                                                   {"DORMOUSE_PATHS_RUNTIME_DIRECTORY", directory.path()}};

    Ended enqueue(std::vector<std::string> arguments, std::string input = {}) {
        arguments.insert(arguments.begin(), "enqueue");
        return run(cli_program(std::move(arguments), environment, std::move(input)));
    }
    Process start(std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), "enqueue");
        return Process(cli_program(std::move(arguments), environment));
    }
    std::string field(const std::string& name) { return database.value("SELECT " + name + " FROM dormouse.runs"); }
    /// The run that a program in the background has enqueued by now.
    std::string wait_for_run() {
        while (true) {
            const std::string id = field("id");
            if (!id.empty()) return id;
            std::this_thread::yield();
        }
    }
    void write(const std::string& name, const std::string& text) const {
        std::ofstream(directory.path() + "/" + name) << text;
    }
    void refused(std::vector<std::string> arguments, const std::string& because, std::string input = {}) {
        const Ended ended = enqueue(std::move(arguments), std::move(input));
        BOOST_TEST(ended.exit_code == 2, ended.err);
        BOOST_TEST(has(ended.err, because), ended.err);
        BOOST_TEST(ended.out == "");
        BOOST_TEST(std::count(ended.err.begin(), ended.err.end(), '\n') == 1, ended.err);
        BOOST_TEST(database.value("SELECT count(*) FROM dormouse.runs") == "0");
    }
};

UniqueFd doorbell(const std::string& path) {
    UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    BOOST_REQUIRE(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    BOOST_REQUIRE(::listen(socket.get(), 8) == 0);
    return socket;
}

bool rung(const UniqueFd& bell) {
    return UniqueFd(::accept(bell.get(), nullptr, nullptr)).valid();
}

}  // namespace

}  // namespace enqueue

BOOST_FIXTURE_TEST_SUITE(enqueue, Fixture, *boost::unit_test::precondition(has_postgres))

BOOST_AUTO_TEST_CASE(the_id_and_nothing_else_goes_to_stdout) {
    const Ended ended = enqueue({"thumbnail", "{\"file\": \"a.jpg\"}"});
    BOOST_TEST(ended.exit_code == 0, ended.err);
    BOOST_TEST(ended.out == field("id") + "\n");
    BOOST_TEST(field("payload") == "{\"file\": \"a.jpg\"}");
    BOOST_TEST(field("queue || ' ' || task || ' ' || status || ' ' || priority || ' ' || watched") ==
               "default thumbnail queued 0 false");
}

BOOST_AUTO_TEST_CASE(every_flag_reaches_the_run) {
    const Ended ended = enqueue({"t", "[1,2]", "--queue", "slow", "--priority", "-5", "--in", "1h30min", "--key", "k",
                                 "--max-attempts", "7", "--timeout", "90s"});
    BOOST_TEST(ended.exit_code == 0, ended.err);
    BOOST_TEST(field("queue || ' ' || priority || ' ' || key || ' ' || max_attempts || ' ' || timeout_ms") ==
               "slow -5 k 7 90000");
    BOOST_TEST(field("run_at - created_at") == "01:30:00");
    BOOST_TEST(field("payload") == "[1, 2]");
    const Ended again = enqueue({"t", "--key", "k"});
    BOOST_TEST(again.out == ended.out);
}

BOOST_AUTO_TEST_CASE(a_time_may_be_given_with_and_without_a_zone) {
    BOOST_TEST(enqueue({"t", "--at", "2040-03-01T08:00:00Z"}).exit_code == 0);
    BOOST_TEST(field("run_at = '2040-03-01 08:00Z'") == "t");
    database.exec("DELETE FROM dormouse.runs");
    environment["TZ"] = "CET-1";
    BOOST_TEST(enqueue({"t", "--at", "2040-03-01 08:00"}).exit_code == 0);
    BOOST_TEST(field("run_at = '2040-03-01 07:00Z'") == "t");
}

BOOST_AUTO_TEST_CASE(the_payload_comes_from_the_argument_a_file_or_stdin) {
    write("payload.json", "{\"from\": \"file\"}\n");
    for (const auto& [argument, expected] :
         std::map<std::string, std::string>{{"\"text\"", "\"text\""},
                                            {"{}", "{}"},
                                            {"[]", "[]"},
                                            {"[\"a\",\"b\"]", "[\"a\", \"b\"]"},
                                            {"null", "null"},
                                            {"-7", "-7"},
                                            {"@" + directory.path() + "/payload.json", "{\"from\": \"file\"}"},
                                            {"-", "{\"from\": \"stdin\"}"}}) {
        const Ended ended = enqueue({"t", "--", argument}, "{\"from\": \"stdin\"}");
        BOOST_TEST(ended.exit_code == 0, argument << ": " << ended.err);
        BOOST_TEST(field("payload") == expected, argument);
        database.exec("DELETE FROM dormouse.runs");
    }
    BOOST_TEST(enqueue({"t"}).exit_code == 0);
    BOOST_TEST(field("payload") == "{}");
}

BOOST_AUTO_TEST_CASE(wait_without_a_value_leaves_the_payload_alone) {
    Process process = start({"t", "--wait", "{\"a\":1}"});
    wait_for_run();
    BOOST_TEST(field("payload") == "{\"a\": 1}");
    database.exec("UPDATE dormouse.runs SET status = 'completed'");
    BOOST_TEST(process.wait().exit_code == 0);
}

BOOST_AUTO_TEST_CASE(what_is_no_json_is_refused_with_its_place) {
    refused({"t", "{\"a\": 1,\n b}"}, "line 2, column 2");
    refused({"t", "hello"}, "not JSON");
    refused({"t", "-"}, "it is empty");
    refused({"t", "@/does/not/exist"}, "/does/not/exist: No such file");
    refused({"t", "@/"}, "Is a directory");
    refused({"t", "\"text"}, "line 1, column 6\n");  // no hint about quotes
    refused({"t", "text"}, "text needs double quotes");
}

BOOST_AUTO_TEST_CASE(what_postgres_cannot_store_is_refused_with_its_place_and_the_remedy) {
    const std::string nul = " has a NUL character (\\u0000), which Postgres cannot store; leave it out, or encode";
    const std::string half = ", which is not valid text; write both halves of it, or leave it out";
    refused({"t", R"("\u0000")"}, ": payload" + nul);
    refused({"t", R"({"a": [1, {"b": "x\u0000y"}]})"}, ": payload.a[1].b" + nul);
    refused({"t", R"({"a": {"b\u0000": 1}})"}, R"(payload.a: the name "b\u0000")" + nul);
    refused({"t", "-"}, "payload from stdin: payload[0]" + nul, R"(["\u0000"])");
    refused({"t", "{\"a\":\n \"\\ud800\"}"}, "payload has half a surrogate pair at line 2, column 9" + half);
    refused({"t", R"(["\udc00"])"}, half);
    BOOST_TEST(enqueue({"t", R"(["\\u0000", "\ud83d\ude00", "\\ud800"])"}).exit_code == 0);
}

BOOST_AUTO_TEST_CASE(what_is_too_large_is_refused_without_reading_all_of_it) {
    const std::string megabyte(1 << 20, ' ');
    refused({"t", "-"}, "larger than the limit of 1MiB", megabyte + "1");
    write("pool.toml", "[database]\nurl = \"" + database.url() + "\"\n[limits]\npayload_bytes = \"10B\"\n");
    refused({"t", "--pool", "pool", "\"123456789\""}, "larger than the limit of 10B");
    refused({"t", "@/dev/zero"}, "larger than the limit of 1MiB");
}

BOOST_AUTO_TEST_CASE(wrong_flags_are_refused_before_the_database_is_asked) {
    environment["DATABASE_URL"] = "postgresql://nobody@/nowhere?host=/does/not/exist";
    refused({"t", "--in", "5"}, "--in: ");
    refused({"t", "--in", "soon"}, "--in: ");
    refused({"t", "--at", "tomorrow"}, "--at: found \"tomorrow\"");
    refused({"t", "--in", "5s", "--at", "2040-03-01 08:00"}, "--in");
    refused({"t", "--priority", "40000"}, "--priority");
    refused({"t", "--max-attempts", "0"}, "--max-attempts");
    refused({"t", "--wait=soon"}, "--wait: ");
    refused({"t", "--nonsense"}, "--nonsense");
    refused({}, "TASK");
}

BOOST_AUTO_TEST_CASE(what_the_database_refuses_is_said_in_one_line) {
    refused({""}, "bytes, expected 1 to 200");
    refused({"t", "--queue", std::string(49, 'q')}, "bytes, expected 1 to 48");
    refused({"t", "--key", std::string(501, 'k')}, "bytes, expected 1 to 500");
}

BOOST_AUTO_TEST_CASE(the_pools_that_serve_the_queue_are_rung_and_no_others) {
    const auto pool = [&](const std::string& name, const std::string& queues) {
        write(name + ".toml", "[database]\nurl = \"" + database.url() + "\"\n[worker]\nqueues = [" + queues + "]\n");
        return doorbell(directory.path() + "/" + name + ".sock");
    };
    const UniqueFd serves = pool("serves", "\"other\", \"default\"");
    const UniqueFd not_ours = pool("not_ours", "\"other\"");
    const UniqueFd broken = doorbell(directory.path() + "/broken.sock");
    write("broken.toml", "nonsense = [");
    write("deaf.toml", "[worker]\nqueues = [\"default\"]\n");
    const Ended ended = enqueue({"t", "--json"});
    BOOST_TEST(ended.exit_code == 0, ended.err);
    BOOST_TEST(rung(serves));
    BOOST_TEST(rung(broken));
    BOOST_TEST(!rung(not_ours));
    const json document = json::parse(ended.out);
    BOOST_TEST(document["id"] == field("id"));
    BOOST_TEST(document["rung"].dump() == "[\"broken\",\"serves\"]");
    BOOST_TEST(document["not_rung"].at(0).at("pool") == "deaf");

    const Ended plain = enqueue({"t"});
    BOOST_TEST(has(plain.err, "rang pool broken, serves"), plain.err);
    BOOST_TEST(has(plain.err, "could not ring pool deaf"), plain.err);
    BOOST_TEST(plain.exit_code == 0);
}

BOOST_AUTO_TEST_CASE(a_queue_that_no_local_pool_serves_is_a_hint_and_no_error) {
    const Ended ended = enqueue({"t", "--queue", "nowhere"});
    BOOST_TEST(ended.exit_code == 0);
    BOOST_TEST(has(ended.err, "no pool on this machine serves queue \"nowhere\""), ended.err);
}

BOOST_AUTO_TEST_CASE(waiting_ends_with_the_result_of_the_run) {
    Process process = start({"t", "--wait"});
    const std::string id = wait_for_run();
    BOOST_TEST(field("watched") == "t");
    database.exec("UPDATE dormouse.runs SET status = 'completed', result = '{\"n\": 12345678901234567890.5}'");
    const Ended ended = process.wait();
    BOOST_TEST(ended.exit_code == 0, ended.err);
    BOOST_TEST(ended.out == id + "\n{\"n\": 12345678901234567890.5}\n");
}

BOOST_AUTO_TEST_CASE(waiting_tells_a_failure_and_a_cancellation_by_exit_code) {
    Process fails = start({"t", "--wait=1min"});
    wait_for_run();
    database.exec(
        "UPDATE dormouse.runs SET status = 'failed', error = '{\"class\": \"exit\", \"message\": "
        "\"boom\\nlog\"}'");
    const Ended failed = fails.wait();
    BOOST_TEST(failed.exit_code == 3);
    BOOST_TEST(has(failed.err, "failed: exit: boom: log; see"), failed.err);

    database.exec("DELETE FROM dormouse.runs");
    Process cancels = start({"t", "--wait", "--json"});
    wait_for_run();
    database.exec("UPDATE dormouse.runs SET status = 'canceled'");
    const Ended canceled = cancels.wait();
    BOOST_TEST(canceled.exit_code == 11);
    BOOST_TEST(json::parse(canceled.out).at("status") == "canceled");
    BOOST_TEST(json::parse(canceled.out).at("result").is_null());
}

BOOST_AUTO_TEST_CASE(waiting_has_an_end_when_it_is_given_one) {
    const Ended ended = enqueue({"t", "--wait=50ms", "--json"});
    BOOST_TEST(ended.exit_code == 5, ended.err);
    BOOST_TEST(json::parse(ended.out).at("status") == "queued");
    BOOST_TEST(has(ended.err, "it continues without this command"), ended.err);
}

BOOST_AUTO_TEST_CASE(waiting_for_a_run_that_has_the_key_and_has_ended_does_not_wait) {
    database.exec(
        "SELECT dormouse.enqueue('t', key => 'k'); UPDATE dormouse.runs SET status = 'completed', result = "
        "'1'");
    const Ended ended = enqueue({"t", "--key", "k", "--wait"});
    BOOST_TEST(ended.exit_code == 0, ended.err);
    BOOST_TEST(ended.out == field("id") + "\n1\n");
}

BOOST_AUTO_TEST_CASE(waiting_survives_the_loss_of_its_session) {
    Process process = start({"t", "--wait"});
    const std::string id = wait_for_run();
    BOOST_REQUIRE(process.saw(id));
    // ends while nobody listens: found by asking once after the reconnect
    database.exec(
        "BEGIN; SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'dormouse "
        "enqueue' "
        "AND datname = current_database(); UPDATE dormouse.runs SET status = 'completed', result = '2'; "
        "COMMIT");
    const Ended ended = process.wait();
    BOOST_TEST(ended.exit_code == 0, ended.err);
    BOOST_TEST(ended.out == id + "\n2\n");
}

BOOST_AUTO_TEST_CASE(other_runs_that_end_are_not_ours) {
    Process process = start({"t", "--wait"});
    const std::string id = wait_for_run();
    database.exec(
        "SELECT dormouse.enqueue('u', watched => true); UPDATE dormouse.runs SET status = 'failed' WHERE "
        "task = 'u'");
    database.exec("UPDATE dormouse.runs SET status = 'completed' WHERE task = 't'");
    BOOST_TEST(process.wait().exit_code == 0);
}

BOOST_AUTO_TEST_CASE(a_producers_login_is_enough) {
    apply_roles(database);
    database.exec("DROP ROLE IF EXISTS app; CREATE ROLE app LOGIN IN ROLE dormouse_producer");
    environment["DATABASE_URL"] = database.url("app");
    Process process = start({"t", "--wait"});
    wait_for_run();
    database.exec("UPDATE dormouse.runs SET status = 'completed'");
    const Ended ended = process.wait();
    BOOST_TEST(ended.exit_code == 0, ended.err);
    database.exec("DROP OWNED BY app; DROP ROLE app; DROP ROLE IF EXISTS stranger; CREATE ROLE stranger LOGIN");
    environment["DATABASE_URL"] = database.url("stranger");
    const Ended refused_one = enqueue({"t"});
    BOOST_TEST(refused_one.exit_code == 7);
    BOOST_TEST(has(refused_one.err, "GRANT dormouse_producer"), refused_one.err);
    database.exec("DROP ROLE stranger");
}

BOOST_AUTO_TEST_SUITE_END()
