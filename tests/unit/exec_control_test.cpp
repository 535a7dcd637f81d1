// What exec handlers say on their control descriptor, with real processes.
#include "exec_fixture.h"

BOOST_AUTO_TEST_SUITE(exec_control)

using namespace dormouse;
using namespace dormouse::handlers;
using namespace dormouse::handlers::test;

namespace {

int verdict(const Outcome& outcome) {
    return static_cast<int>(outcome.kind);
}
constexpr int completed = static_cast<int>(Outcome::completed);
constexpr int failed = static_cast<int>(Outcome::failed);
constexpr int try_again = static_cast<int>(Outcome::try_again);
constexpr int timed_out = static_cast<int>(Outcome::timed_out);
constexpr int stopped = static_cast<int>(Outcome::stopped);

/// A shell command that says each of these messages.
std::string say(const std::string& message) {
    return "printf '%s\\n' '" + message + "' >&$DORMOUSE_CONTROL_FD; ";
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_result_and_what_it_enqueues_may_be_said) {
    Bench bench(shell("echo noise; " + say(R"({"type":"completed","result":{"a":1.0},"enqueue":[{"task":"b"}]})")));
    const auto outcome = bench.run();
    BOOST_TEST(verdict(outcome) == completed);
    BOOST_TEST(outcome.result == R"({"a":1.0})");
    BOOST_TEST(outcome.enqueue == R"([{"task":"b"}])");
    Bench plain(shell("echo 7; " + say(R"({"type":"completed","enqueue":[]})")));
    BOOST_TEST(plain.run().result == "7\n");
}

BOOST_AUTO_TEST_CASE(a_failure_that_was_said_counts_more_than_exit_0) {
    Bench bench(shell(say(R"({"type":"failed","class":"KeyError","message":"no key","permanent":true})")));
    const auto outcome = bench.run();
    BOOST_TEST(verdict(outcome) == failed);
    BOOST_TEST(outcome.permanent);
    BOOST_TEST(outcome.error_class == "KeyError");
    BOOST_TEST(outcome.error_message == "no key");
    BOOST_TEST(outcome.exit_code.value() == 0);
}

BOOST_AUTO_TEST_CASE(not_now_may_be_said_with_a_time) {
    Bench bench(shell(say(R"({"type":"retry","in":1.5,"message":"busy"})") + "exit 1"));
    const auto outcome = bench.run();
    BOOST_TEST(verdict(outcome) == try_again);
    BOOST_TEST(outcome.retry_in.value().count() == 1500);
    BOOST_TEST(outcome.error_message == "busy");
}

BOOST_AUTO_TEST_CASE(who_does_not_exit_with_0_has_not_completed) {
    Bench bench(shell(say(R"({"type":"completed","result":1})") + "exit 3"));
    const auto outcome = bench.run();
    BOOST_TEST(verdict(outcome) == failed);
    BOOST_TEST(outcome.error_message == "exit 3, after it had said that it was completed");
    BOOST_TEST(outcome.result.empty());
    Bench killed(shell(say(R"({"type":"completed","result":1})") + "kill -KILL $$"));
    BOOST_TEST(verdict(killed.run()) == failed);
}

BOOST_AUTO_TEST_CASE(a_last_message_needs_no_line_break) {
    Bench bench(shell(R"(printf '{"type":"completed","result":5}' >&3)"));
    BOOST_TEST(bench.run().result == "5");
}

BOOST_AUTO_TEST_CASE(progress_and_log_lines_are_heard_on_the_way) {
    const Directory directory;
    Bench bench(shell(say(R"({"type":"progress","fraction":0.5,"text":"half"})") +
                      say(R"({"type":"log","level":"warning","text":"one\ntwo"})") + "while [ ! -e " +
                      directory / "go" + " ]; do sleep 0.01; done; echo three >&2"));
    const auto id = bench.start();
    bench.until([&] { return bench.lines.size() >= 2; });
    BOOST_TEST(bench.progress.at(0).fraction.value() == 0.5);
    BOOST_TEST(bench.outcomes.empty());
    directory.write("go", "");
    bench.wait(id);
    BOOST_TEST(bench.lines == (std::vector<std::string>{"one", "two", "three"}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(stderr_and_messages_share_the_limit_of_the_log) {
    config::Limits limits;
    limits.log_bytes = 20;
    Bench bench(shell("echo 1234567 >&2; " + say(R"({"type":"log","text":"1234567"})") + "echo 1234567 >&2"), limits);
    bench.run();
    std::sort(bench.lines.begin(), bench.lines.end());  // two pipes
    BOOST_TEST_REQUIRE(bench.lines.size() == 5U);
    BOOST_TEST(bench.lines[0] + bench.lines[1] + bench.lines[2] == "123412345671234567");
    BOOST_TEST(bench.lines[3].ends_with(" bytes more were written and are not kept]"));
    BOOST_TEST(bench.lines[4] == "[log cut: the handler wrote more than 20 bytes]");
}

BOOST_AUTO_TEST_CASE(nonsense_is_a_warning_and_the_run_goes_on) {
    Bench bench(shell("echo hello >&3; " + say(R"({"type":"completed","id":"01a203aa-64db-726e-88bd-89d26dc6467f"})") +
                      say(R"({"type":"hello","protocol":1,"tasks":[]})") + say(R"({"type":"completed","result":1})") +
                      say(R"({"type":"completed","result":2})")));
    const auto outcome = bench.run();
    BOOST_TEST(outcome.result == "1");
    BOOST_REQUIRE(bench.lines.size() == 4U);
    BOOST_TEST(bench.lines[0] == "[message passed over: it is not JSON: hello]");
    BOOST_TEST(bench.lines[1].find("another run's") != std::string::npos);
    BOOST_TEST(bench.lines[2].find("hello comes once") != std::string::npos);
    BOOST_TEST(bench.lines[3].find("answered before") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_flood_of_nonsense_is_bounded_by_the_log) {
    Bench bench(shell("yes | head -c 400000 >&3"));
    BOOST_TEST(verdict(bench.run()) == completed);
    BOOST_TEST(bench.lines[bench.lines.size() - 2] == "[log cut: the handler wrote more than 65536 bytes]");
    BOOST_TEST(bench.lines.size() < 3000U);
}

BOOST_AUTO_TEST_CASE(a_message_without_end_kills_the_handler) {
    Bench bench(shell("cat /dev/zero >&3; sleep 1000"));
    const auto outcome = bench.run();
    BOOST_TEST(verdict(outcome) == failed);
    BOOST_TEST(outcome.error_class == "message_too_large");
    BOOST_TEST(outcome.permanent);
    BOOST_TEST(outcome.error_message.find("1114112 bytes") != std::string::npos, outcome.error_message);
}

BOOST_AUTO_TEST_CASE(a_result_over_its_limit_fails_the_run) {
    config::Limits limits;
    limits.result_bytes = 1000;
    for (const char* member : {"result", "enqueue"}) {
        const std::string script = "x=$(head -c 1001 /dev/zero | tr '\\0' 7); echo '{\"type\":\"completed\",\"" +
                                   std::string(member) + "\":[\"'$x'\"]}' >&3";
        Bench bench(shell(script), limits);
        const auto outcome = bench.run();
        BOOST_TEST(outcome.error_class == "result_too_large");
        BOOST_TEST(outcome.error_message.find("1000 bytes (limits.result_bytes)") != std::string::npos);
    }
}

BOOST_AUTO_TEST_CASE(who_promised_a_heartbeat_and_is_silent_is_timed_out) {
    Bench bench(shell(say(R"({"type":"heartbeat","within":0.05})") + "exec sleep 1000"));
    const auto outcome = bench.run("{}", Millis{60'000});
    BOOST_TEST(verdict(outcome) == timed_out);
    BOOST_TEST(outcome.error_class == "timeout");
    BOOST_TEST(outcome.error_message == "no heartbeat within 50ms");
}

BOOST_AUTO_TEST_CASE(heartbeats_that_come_keep_it_alive_and_0_ends_that) {
    const std::string beat = say(R"({"type":"heartbeat","within":2})");
    Bench bench(shell("for i in 1 2 3 4 5 6; do " + beat + "sleep 0.02; done; " +
                      say(R"({"type":"heartbeat","within":0.2})") + say(R"({"type":"heartbeat","within":0})") +
                      "sleep 0.4; echo 1"));
    BOOST_TEST(verdict(bench.run()) == completed);
}

BOOST_AUTO_TEST_CASE(what_was_said_after_it_was_asked_to_stop_counts_only_as_completed) {
    const auto ending_with = [](const std::string& last_words) {
        Bench bench(shell("trap 't=1' TERM; echo up >&2; while [ -z \"$t\" ]; do sleep 0.02; done; " + last_words));
        const auto id = bench.start();
        bench.until([&] { return !bench.lines.empty(); });
        bench.handler().stop(id, StopReason::leaving, Millis{20'000});
        return verdict(bench.wait(id));
    };
    BOOST_TEST(ending_with(say(R"({"type":"completed"})")) == completed);
    BOOST_TEST(ending_with(say(R"({"type":"failed","message":"interrupted"})")) == stopped);
    BOOST_TEST(ending_with(say(R"({"type":"failed","message":"interrupted"})") + "exit 1") == stopped);
}

BOOST_AUTO_TEST_CASE(the_control_descriptor_leaks_into_nobody) {
    Bench bench(shell("true"));
    bench.run();
    const int before = open_descriptors();
    for (int i = 0; i < 20; ++i) bench.run();
    BOOST_TEST(open_descriptors() == before);
}

BOOST_AUTO_TEST_SUITE_END()
