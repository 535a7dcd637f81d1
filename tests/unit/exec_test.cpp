// Verdicts, results, logs and limits of the exec kind, with real processes.
#include <ctime>
#include <nlohmann/json.hpp>

#include "exec_fixture.h"

BOOST_AUTO_TEST_SUITE(exec)

using namespace dormouse;
using namespace dormouse::handlers;
using namespace dormouse::handlers::test;

namespace {

/// Outcomes compare and print as numbers.
int verdict(const Outcome& outcome) {
    return static_cast<int>(outcome.kind);
}
constexpr int completed = static_cast<int>(Outcome::completed);
constexpr int failed = static_cast<int>(Outcome::failed);
constexpr int try_again = static_cast<int>(Outcome::try_again);
constexpr int not_started = static_cast<int>(Outcome::not_started);

std::string result_of_shell(const std::string& script, const std::string& payload = "{}") {
    Bench bench(shell(script));
    const auto outcome = bench.run(payload);
    BOOST_TEST(verdict(outcome) == completed);
    return outcome.result;
}

}  // namespace

BOOST_AUTO_TEST_CASE(the_payload_goes_in_and_the_result_comes_out) {
    Bench bench(task({"cat"}));
    const auto outcome = bench.run(R"({"a": [1, "ü"], "b": null})");
    BOOST_TEST(verdict(outcome) == completed);
    BOOST_TEST(outcome.result == R"({"a": [1, "ü"], "b": null})");
    BOOST_TEST(outcome.error_class.empty());
    BOOST_TEST(outcome.exit_code.value() == 0);
    BOOST_TEST(outcome.cpu.has_value());
}

BOOST_AUTO_TEST_CASE(a_task_without_network_makes_sockets_of_this_machine_alone) {
    // 425: io_uring_setup, which would make sockets past the others
    const char* const tries = R"(import ctypes, errno, os, socket, subprocess, sys
def outcome(family, kind=socket.SOCK_STREAM):
    try: socket.socket(family, kind).close(); return "made"
    except OSError as error: return errno.errorcode[error.errno]
def ring():
    libc = ctypes.CDLL(None, use_errno=True)
    return "made" if libc.syscall(425, 1, ctypes.create_string_buffer(256)) >= 0 else errno.errorcode[ctypes.get_errno()]
told = [outcome(socket.AF_INET), outcome(socket.AF_INET6), outcome(socket.AF_INET, socket.SOCK_DGRAM), outcome(socket.AF_UNIX), outcome(socket.AF_NETLINK, socket.SOCK_RAW)]
if len(sys.argv) == 1: told += [ring(), subprocess.run([sys.executable, "-c", open("/proc/self/cmdline").read().split("\0")[2], "below"], capture_output=True, text=True).stdout.strip()]
print(" ".join(told)))";
    config::Task open = task({"/usr/bin/python3", "-c", tries});
    Bench with(open);
    const std::string all = with.run("{}").result;
    BOOST_TEST(all.find("\"made ") == 0U, all);
    open.sandbox.network = false;
    Bench without(open);
    BOOST_TEST(without.run("{}").result == "\"EACCES EACCES EACCES made made ENOSYS EACCES EACCES EACCES made made\"");
}

BOOST_AUTO_TEST_CASE(no_output_is_no_result) {
    BOOST_TEST(result_of_shell("true") == "");
    BOOST_TEST(result_of_shell("printf ' \\n\\t'") == "");
}

BOOST_AUTO_TEST_CASE(text_that_is_not_json_becomes_a_json_string) {
    BOOST_TEST(result_of_shell("echo hello") == "\"hello\"");
    BOOST_TEST(result_of_shell("printf 'a\\001\\0b\\377\"'") == R"("a\u0001�b�\"")");
}

BOOST_AUTO_TEST_CASE(unicode_and_control_characters_in_a_payload_arrive_unharmed) {
    const std::string payload = R"({"s":"\u0007\n\u001b[31m 🐿 é \ud83d\udc3f"})";
    BOOST_TEST(result_of_shell("cat", payload) == payload);
}

BOOST_AUTO_TEST_CASE(nothing_in_arguments_or_payload_is_seen_by_a_shell) {
    const Directory directory;
    const std::string nasty = "'; touch " + directory / "harm" + "; $(touch " + directory / "harm" + ")\n`id` \"*\\";
    Bench bench(task({"/usr/bin/printf", "%s|%s", nasty, ""}));
    const auto outcome = bench.run();
    BOOST_TEST(nlohmann::json::parse(outcome.result).get<std::string>() == nasty + "|");
    const auto payload = nlohmann::json(nasty).dump();
    BOOST_TEST(result_of_shell("cat", payload) == payload);
    BOOST_TEST(!std::filesystem::exists(directory / "harm"));
}

BOOST_AUTO_TEST_CASE(an_exit_code_fails_the_run_and_shows_the_last_of_stderr) {
    Bench bench(shell("echo one >&2; echo two >&2; exit 3"));
    const auto outcome = bench.run();
    BOOST_TEST(verdict(outcome) == failed);
    BOOST_TEST(outcome.error_class == "exit");
    BOOST_TEST(outcome.error_message == "exit 3\none\ntwo");
    BOOST_TEST(outcome.exit_code.value() == 3);
    BOOST_TEST(bench.lines == (std::vector<std::string>{"one", "two"}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(exit_75_means_try_again) {
    Bench bench(shell("exit 75"));
    const auto outcome = bench.run();
    BOOST_TEST(verdict(outcome) == try_again);
    BOOST_TEST(outcome.exit_code.value() == 75);
}

BOOST_AUTO_TEST_CASE(a_handler_killed_from_outside_has_failed_by_that_signal) {
    Bench bench(shell("kill -KILL $$"));
    const auto outcome = bench.run();
    BOOST_TEST(verdict(outcome) == failed);
    BOOST_TEST(outcome.error_class == "signal");
    BOOST_TEST(outcome.error_message == "killed by signal 9 (SIGKILL)");
    BOOST_TEST(outcome.signal.value() == SIGKILL);
    BOOST_TEST(!outcome.exit_code.has_value());
}

BOOST_AUTO_TEST_CASE(a_handler_that_never_reads_its_stdin_is_fine) {
    Bench bench(shell("exec 0<&-; echo ok"));
    BOOST_TEST(bench.run(std::string(1U << 20U, 'x')).result == "\"ok\"");
    Bench open_end(shell("echo ok"));
    BOOST_TEST(open_end.run(std::string(1U << 20U, 'x')).result == "\"ok\"");
}

BOOST_AUTO_TEST_CASE(a_payload_larger_than_a_pipe_arrives_whole) {
    Bench bench(shell("wc -c"));
    BOOST_TEST(bench.run(std::string(1U << 20U, 'x')).result == "1048576\n");
}

BOOST_AUTO_TEST_CASE(more_on_stdout_than_a_result_may_have_ends_no_program_and_fails_the_run_for_good) {
    Bench bench(shell("head -c 100000000 /dev/zero; echo end >&2"));
    const auto outcome = bench.run();
    BOOST_TEST(verdict(outcome) == failed);
    BOOST_TEST(outcome.error_class == "result_too_large");
    BOOST_TEST(outcome.permanent);  // its work is done, and would come to the same
    BOOST_TEST(outcome.error_message.find("1048576 bytes (limits.result_bytes)") != std::string::npos);
    BOOST_TEST(outcome.error_message.find("stdout = \"log\"") != std::string::npos);
    BOOST_TEST(outcome.result.empty());
    BOOST_TEST(bench.lines.front() == "end");  // it got there
}

BOOST_AUTO_TEST_CASE(what_a_program_says_on_stdout_before_it_fails_is_in_the_error_and_in_the_log) {
    Bench silent(shell("echo starting; echo ERROR: disk full; exit 1"));
    BOOST_TEST(silent.run().error_message == "exit 1\nstarting\nERROR: disk full");
    BOOST_TEST(silent.lines == (std::vector<std::string>{"starting", "ERROR: disk full"}),
               boost::test_tools::per_element());
    Bench both(shell("echo one; echo two >&2; exit 1"));
    BOOST_TEST(both.run().error_message == "exit 1\ntwo\nand on stdout:\none");
    Bench well(shell("echo fine"));
    BOOST_TEST(well.run().result == "\"fine\"");
    BOOST_TEST(well.lines.empty());
}

BOOST_AUTO_TEST_CASE(stdout_may_be_the_log_or_both) {
    auto task = shell("echo one; yes line | head -c 3000000; echo two");
    task.output = config::Output::log;
    Bench log(task);
    const auto outcome = log.run();
    BOOST_TEST(verdict(outcome) == completed);
    BOOST_TEST(outcome.result.empty());
    BOOST_TEST(log.lines.front() == "one");
    BOOST_TEST(log.lines.back().ends_with(" bytes more were written and are not kept]"), log.lines.back());
    task = shell("echo '{\"n\": 1}'");
    task.output = config::Output::both;
    Bench both(task);
    BOOST_TEST(both.run().result == "{\"n\": 1}\n");
    BOOST_TEST(both.lines.front() == "{\"n\": 1}");
}

BOOST_AUTO_TEST_CASE(a_nul_in_a_result_is_replaced_as_it_is_in_a_text) {
    Bench bench(shell(R"(printf '{"a": "x\\u0000y\\\\u0000"}')"));
    BOOST_TEST(bench.run().result == R"({"a": "x\ufffdy\\u0000"})");
}

BOOST_AUTO_TEST_CASE(a_result_of_just_the_limit_is_taken_and_one_byte_more_is_not) {
    config::Limits limits;
    limits.result_bytes = 1000;
    Bench fits(shell("head -c 1000 /dev/zero | tr '\\0' 7"), limits);
    BOOST_TEST(verdict(fits.run()) == completed);
    Bench exceeds(shell("head -c 1001 /dev/zero | tr '\\0' 7"), limits);
    BOOST_TEST(verdict(exceeds.run()) == failed);
}

BOOST_AUTO_TEST_CASE(a_flood_on_stderr_is_cut_and_the_cut_is_said) {
    Bench bench(
        shell("head -c 100000000 /dev/zero | tr '\\0' '\\n' >&2; yes line | head -c 10000000 >&2; echo last "
              ">&2; exit 1"));
    const auto outcome = bench.run();
    BOOST_TEST(outcome.error_message.starts_with("exit 1\nline\n"));
    BOOST_TEST(outcome.error_message.ends_with("line\nlast"));
    BOOST_TEST(outcome.error_message.size() < 3000U);
    BOOST_TEST(bench.lines.size() <= 65'538U);
    BOOST_TEST(bench.lines[bench.lines.size() - 2] == "[log cut: the handler wrote more than 65536 bytes]");
    // head writes 100,000,000, yes 10,000,000 and echo 5, of which 65,536 are there
    BOOST_TEST(bench.lines.back() == "[109934469 bytes more were written and are not kept]");
}

BOOST_AUTO_TEST_CASE(a_flood_on_stdout_of_a_run_that_fails_is_counted_to_its_end) {
    for (const char* end : {"", "; exit 1"}) {
        Bench bench(shell("yes | head -c 3000000" + std::string(end)));
        BOOST_TEST(verdict(bench.run()) == failed);
        BOOST_TEST(bench.lines.back() == "[2934464 bytes more were written and are not kept]");  // 65,536 are there
    }
}

BOOST_AUTO_TEST_CASE(after_its_timeout_a_handler_has_the_grace_of_its_task) {
    Bench bench(shell("trap '' TERM; while :; do sleep 0.1; done"));
    RunSpec spec;
    spec.id = Uuid::random();
    spec.payload = "null";
    spec.fence = "1:" + spec.id.to_string();
    spec.timeout = Millis{200};
    spec.grace = Millis{300};
    const auto begin = BootClock::now();
    BOOST_TEST(verdict(bench.wait(bench.start(std::move(spec)))) == static_cast<int>(Outcome::timed_out));
    BOOST_TEST((since(begin) >= Millis{490}));
    BOOST_TEST((since(begin) < Millis{9'000}));
}

BOOST_AUTO_TEST_CASE(a_flood_does_not_starve_the_others) {
    Bench bench(shell("read kind; if [ $kind = flood ]; then exec cat /dev/zero >&2; else echo ok; fi"));
    const auto flood = bench.start("flood\n");
    for (int i = 0; i < 10; ++i) BOOST_TEST(bench.run("calm\n").result == "\"ok\"");
    BOOST_TEST(!bench.outcomes.contains(flood));
    bench.handler().stop(flood, StopReason::canceled, Millis{0});
    bench.wait(flood);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_started_says_so_from_a_later_turn) {
    const Directory directory;
    const auto plain = directory.write("plain", "text");
    const auto bare = directory.write("bare", "echo no shebang\n", 0755);
    const auto lost = directory.write("lost", "#!/nowhere/interpreter\n", 0755);
    const std::map<std::string, std::string> cases{{"/nowhere/program", "does not exist"},
                                                   {"dormouse-no-such-program", "is not in PATH"},
                                                   {"~/bin/job", "no shell expands ~ here"},
                                                   {"LANG=C sort", "environment = { LANG = … } of the task"},
                                                   {"cd /tmp && ls", "[\"/bin/sh\", \"-c\", \"the line\"]"},
                                                   {"sort|uniq", "[\"/bin/sh\", \"-c\", \"the line\"]"},
                                                   {plain, "is not executable"},
                                                   {bare, "needs a #! line"},
                                                   {lost, "the program its #! line names"}};
    for (const auto& [command, words] : cases) {
        Bench bench(task({command}));
        const auto outcome = bench.run();
        BOOST_TEST(verdict(outcome) == not_started);
        BOOST_TEST(outcome.error_class == "spawn");
        BOOST_TEST(outcome.error_message.find(words) != std::string::npos, outcome.error_message);
    }
    auto astray = shell("true");
    astray.working_directory = directory / "missing";
    Bench bench(astray);
    BOOST_TEST(verdict(bench.run()) == not_started);
    BOOST_TEST(bench.handler().check().find("working_directory") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(arguments_too_long_for_the_kernel_do_not_start) {
    Bench bench(task({"/bin/true", std::string(3U << 20U, 'x')}));
    BOOST_TEST(verdict(bench.run()) == not_started);
}

BOOST_AUTO_TEST_CASE(a_run_that_is_still_at_work_here_is_not_started_twice) {
    Bench bench(task({"cat"}));
    RunSpec spec;
    spec.id = bench.start(std::string(1U << 20U, ' '));
    struct Second : RunListener {
        void on_line(const Uuid& /*id*/, const Line& /*line*/) override {}
        void on_progress(const Uuid& /*id*/, Progress /*progress*/) override {}
        void on_done(const Uuid& /*id*/, Outcome outcome) override { ended = std::move(outcome); }
        std::optional<Outcome> ended;
    } second;
    bench.handler().start(spec, second);
    bench.until([&] { return second.ended.has_value(); });
    BOOST_TEST(verdict(*second.ended) == not_started);
    BOOST_TEST(verdict(bench.wait(spec.id)) == completed);
}

BOOST_AUTO_TEST_CASE(the_program_is_found_in_the_handlers_own_path_and_runs_in_its_directory) {
    const Directory directory;
    directory.write("only-here", "#!/bin/sh\npwd\n", 0755);
    auto one = task({"only-here"});
    one.environment_file = directory.write("env", "PATH=" + directory / "" + ":/usr/bin:/bin\n");
    one.working_directory = directory / "";
    Bench bench(one);
    BOOST_TEST(bench.handler().check() == "");
    BOOST_TEST(bench.run().result.find("dormouse-exec-") != std::string::npos);
    auto relative = task({"./only-here"});
    relative.working_directory = directory / "";
    Bench in_place(relative);
    BOOST_TEST(in_place.handler().check() == "");
    BOOST_TEST(verdict(in_place.run()) == completed);
}

BOOST_AUTO_TEST_CASE(the_environment_is_small_and_nothing_of_ours_leaks) {
    const std::vector<std::string> ours{"DATABASE_URL",   "PGPASSWORD",    "NOTIFY_SOCKET",         "LISTEN_FDS",
                                        "LISTEN_PID",     "WATCHDOG_USEC", "CREDENTIALS_DIRECTORY", "INVOCATION_ID",
                                        "DORMOUSE_SECRET"};
    for (const auto& name : ours) ::setenv(name.c_str(), "leak", 1);
    const Directory directory;
    auto one = task({"/usr/bin/env"});
    one.environment_file = directory.write("env", "EXTRA='of the file'\nLANG=xx\n");
    one.variables = {{"LANG", "less"}, {"PASSED", "on"}};
    Bench bench(one);
    RunSpec spec;
    spec.id = Uuid::random();
    spec.task = "t";
    spec.queue = "q";
    spec.fence = "7:abc";
    spec.traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    spec.attempt = 2;
    spec.max_attempts = 5;
    spec.timeout = Millis{60'000};
    bench.start(spec);
    const auto text = nlohmann::json::parse(bench.wait(spec.id).result).get<std::string>() + "\n";
    for (const auto& name : ours) ::unsetenv(name.c_str());
    BOOST_TEST(text.find("leak") == std::string::npos, text);
    const std::vector<std::string> expected{"DORMOUSE_RUN_ID=" + spec.id.to_string(),
                                            "DORMOUSE_TASK=t",
                                            "DORMOUSE_QUEUE=q",
                                            "DORMOUSE_ATTEMPT=2",
                                            "DORMOUSE_MAX_ATTEMPTS=5",
                                            "DORMOUSE_FENCE=7:abc",
                                            "TRACEPARENT=00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                                            "EXTRA=of the file",
                                            "PASSED=on",
                                            "LANG=xx"};
    for (const auto& line : expected) {
        BOOST_TEST(("\n" + text).find("\n" + line + "\n") != std::string::npos, line);
    }
    const auto at = text.find("DORMOUSE_DEADLINE=");
    BOOST_REQUIRE(at != std::string::npos);
    const auto left = std::stoll(text.substr(at + 18)) - std::time(nullptr);
    BOOST_TEST((left > 50 && left <= 60));
}

BOOST_AUTO_TEST_CASE(a_traceparent_that_is_none_is_kept_from_the_handler_and_never_in_the_way) {
    const std::string good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    std::vector<std::string> bad{"00-11-22-01",
                                 good + "-x",
                                 good.substr(1),
                                 "00_" + good.substr(3),
                                 " " + good,
                                 std::string(200'000, 'a'),
                                 good + std::string(200'000, '0')};
    for (const std::size_t at : {0, 5, 40, 54}) {
        for (const char wrong : {'g', 'A', '-', '\n'}) bad.push_back(std::string(good).replace(at, 1, 1, wrong));
    }
    bad.push_back("ff" + good.substr(2));
    bad.push_back("00-00000000000000000000000000000000" + good.substr(35));
    bad.push_back(good.substr(0, 36) + "0000000000000000-01");
    BOOST_TEST(is_traceparent(good));
    for (const auto& one : bad) BOOST_TEST(!is_traceparent(one), one.substr(0, 100));
    Bench bench(shell("echo \"${TRACEPARENT-none}\""));
    for (const auto& one : {good, bad[0], bad[5], bad[6]}) {
        RunSpec spec;
        spec.id = Uuid::random();
        spec.traceparent = one;
        bench.start(spec);
        const Outcome outcome = bench.wait(spec.id);
        BOOST_TEST(outcome.error_message == "");
        BOOST_TEST(outcome.result == (one == good ? "\"" + good + "\"" : "\"none\""));
    }
}

BOOST_AUTO_TEST_CASE(what_is_too_long_in_the_configuration_is_named_and_no_run_is_blamed) {
    Bench bench(task({"/bin/echo", std::string(200'000, 'a')}));
    const Outcome outcome = bench.run();
    BOOST_TEST(verdict(outcome) == not_started);
    BOOST_TEST(outcome.error_message.find("Argument list too long (shorten the command") != std::string::npos,
               outcome.error_message);
}

BOOST_AUTO_TEST_CASE(a_broken_environment_file_is_named_with_its_line) {
    const Directory directory;
    auto one = shell("true");
    one.environment_file = directory.write("env", "A=1\n2B=x\n");
    Bench bench(one);
    BOOST_TEST(bench.handler().check().find(one.environment_file + ":2:") != std::string::npos);
    BOOST_TEST(verdict(bench.run()) == not_started);
    one.environment_file = directory / "missing";
    Bench missing(one);
    BOOST_TEST(missing.handlers().check().find("environment file") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_handler_starts_with_default_signals_and_four_descriptors) {
    ::signal(SIGUSR1, SIG_IGN);
    Bench bench(task({"/bin/sh", "-c", "grep -E 'Sig(Ign|Blk)' /proc/self/status; ls /proc/self/fd | tr '\\n' ' '"}));
    const auto text = nlohmann::json::parse(bench.run().result).get<std::string>();
    ::signal(SIGUSR1, SIG_DFL);
    BOOST_TEST(text == "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n0 1 2 3 4 ");  // 4 is what ls reads
}

BOOST_AUTO_TEST_SUITE_END()
