// How attempts end that do not end by themselves, and what of their process trees is left afterwards:
// nothing.
#include <sys/wait.h>

#include "exec_fixture.h"

BOOST_AUTO_TEST_SUITE(exec_stop)

using namespace dormouse;
using namespace dormouse::handlers;
using namespace dormouse::handlers::test;

namespace {

int kind(const Outcome& outcome) {
    return static_cast<int>(outcome.kind);
}
constexpr int completed = static_cast<int>(Outcome::completed);
constexpr int timed_out = static_cast<int>(Outcome::timed_out);
constexpr int stopped = static_cast<int>(Outcome::stopped);

/// A stubborn process in a session of its own, whose parent is gone: what a daemon does. Its pid is in the
/// file.
std::string daemon(const std::string& file, const std::string& with = "") {
    return "setsid " + with + " sh -c 'trap \"\" TERM HUP; (echo $$ >" + file + ".new; mv " + file + ".new " + file +
           "; exec sleep 1000) & exec sleep 1000' & while ! [ -e " + file + " ]; do :; done; ";
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_timeout_ends_the_handler_with_sigterm) {
    Bench bench(shell("echo begun >&2; exec sleep 1000"));
    const auto outcome = bench.run("{}", Millis{150});
    BOOST_TEST(kind(outcome) == timed_out);
    BOOST_TEST(outcome.error_class == "timeout");
    BOOST_TEST(outcome.error_message == "timed out after 150ms\nbegun");
    BOOST_TEST(outcome.signal.value() == SIGTERM);
}

BOOST_AUTO_TEST_CASE(a_handler_that_says_exit_0_after_its_timeout_has_still_timed_out) {
    Bench bench(shell("trap 'exit 0' TERM; while :; do sleep 0.01; done"));
    BOOST_TEST(kind(bench.run("{}", Millis{150})) == timed_out);
}

BOOST_AUTO_TEST_CASE(a_stop_after_the_timeout_shortens_the_wait_for_a_stubborn_handler) {
    Bench bench(shell("trap '' TERM; echo ready >&2; while :; do sleep 0.01; done"));
    const auto id = bench.start("{}", Millis{200});
    bench.until([&] { return !bench.lines.empty(); });
    bench.handler().stop(id, StopReason::leaving, Millis{500});
    bench.handler().stop(id, StopReason::leaving, Millis{60'000});  // cannot make it longer again
    const auto outcome = bench.wait(id);
    BOOST_TEST(outcome.signal.value() == SIGKILL);
}

BOOST_AUTO_TEST_CASE(a_stop_that_is_honoured_ends_with_sigterm) {
    Bench bench(shell("echo ready >&2; exec sleep 1000"));
    const auto id = bench.start();
    bench.until([&] { return !bench.lines.empty(); });
    bench.handler().stop(id, StopReason::canceled, Millis{60'000});
    const auto outcome = bench.wait(id);
    BOOST_TEST(kind(outcome) == stopped);
    BOOST_TEST(outcome.error_class == "stopped");
    BOOST_TEST(outcome.error_message == "stopped: the run was canceled\nready");
    BOOST_TEST(outcome.signal.value() == SIGTERM);
}

BOOST_AUTO_TEST_CASE(a_handler_that_finishes_its_work_after_the_sigterm_has_completed) {
    Bench bench(shell("trap 'echo done; exit 0' TERM; echo ready >&2; while :; do sleep 0.01; done"));
    const auto id = bench.start();
    bench.until([&] { return !bench.lines.empty(); });
    bench.handler().stop(id, StopReason::leaving, Millis{60'000});
    const auto outcome = bench.wait(id);
    BOOST_TEST(kind(outcome) == completed);
    BOOST_TEST(outcome.result == "\"done\"");
}

BOOST_AUTO_TEST_CASE(a_stop_that_is_ignored_ends_with_sigkill_after_the_patience) {
    Bench bench(shell("trap '' TERM; echo ready >&2; while :; do sleep 0.01; done"));
    const auto id = bench.start();
    bench.until([&] { return !bench.lines.empty(); });
    const auto begin = BootClock::now();
    bench.handler().stop(id, StopReason::leaving, Millis{100});
    const auto outcome = bench.wait(id);
    BOOST_TEST(kind(outcome) == stopped);
    BOOST_TEST(outcome.signal.value() == SIGKILL);
    BOOST_TEST(since(begin).count() >= 95);  // the patience, by a clock that counts whole milliseconds
}

BOOST_AUTO_TEST_CASE(stopping_an_unknown_run_does_nothing) {
    Bench bench(shell("true"));
    bench.handler().stop(Uuid::random(), StopReason::canceled, Millis{0});
    BOOST_TEST(kind(bench.run()) == completed);
}

BOOST_AUTO_TEST_CASE(a_grandchild_that_holds_stdout_open_does_not_delay_the_outcome) {
    const Directory directory;
    Bench bench(shell("sleep 1000 & echo $! >" + directory / "pid" + "; echo early"));
    const auto outcome = bench.run();
    BOOST_TEST(outcome.result == "\"early\"");
    BOOST_TEST(is_gone(pid_in(directory, "pid")));
}

BOOST_AUTO_TEST_CASE(a_daemon_that_a_handler_left_behind_is_gone_when_the_run_is_over) {
    const Directory directory;
    Bench bench(shell(daemon(directory / "pid") + "exit 0"));
    BOOST_TEST(kind(bench.run()) == completed);
    BOOST_TEST(is_gone(pid_in(directory, "pid")));
}

BOOST_AUTO_TEST_CASE(a_daemon_with_an_emptied_environment_is_gone_too) {
    const Directory directory;
    Bench bench(shell(daemon(directory / "pid", "env -i PATH=$PATH") + "exit 0"));
    BOOST_TEST(kind(bench.run()) == completed);
    BOOST_TEST(is_gone(pid_in(directory, "pid")));
}

BOOST_AUTO_TEST_CASE(a_daemon_is_gone_after_a_kill_of_its_handler_too) {
    const Directory directory;
    Bench bench(shell(daemon(directory / "pid", "env -i PATH=$PATH") + "echo ready >&2; sleep 1000"));
    const auto id = bench.start();
    bench.until([&] { return !bench.lines.empty(); });
    bench.handler().stop(id, StopReason::lease_lost, Millis{0});
    BOOST_TEST(kind(bench.wait(id)) == stopped);
    BOOST_TEST(is_gone(pid_in(directory, "pid")));
}

BOOST_AUTO_TEST_CASE(the_daemon_of_one_run_is_left_alone_by_the_end_of_another) {
    for (const char* with : {"", "env -i PATH=$PATH file=$file"}) {
        const Directory directory;
        Bench bench(shell("read file; export file; [ $file = none ] && exit 0; (" + daemon("$file", with) +
                          "); echo ready >&2; exec sleep 1000"));
        const auto id = bench.start(directory / "pid" + "\n");
        bench.until([&] { return !bench.lines.empty(); });
        BOOST_TEST(kind(bench.run("none\n")) == completed);
        const auto pid = pid_in(directory, "pid");
        BOOST_TEST(!is_gone(pid));
        bench.handler().stop(id, StopReason::canceled, Millis{60'000});
        bench.wait(id);
        BOOST_TEST(is_gone(pid));
    }
}

BOOST_AUTO_TEST_CASE(a_handler_that_closes_its_pipes_and_lives_on_is_waited_for_and_costs_nothing_meanwhile) {
    Bench bench(shell("echo ready >&2; exec <&- >&- 2>&-; sleep 0.5; exit 3"));
    const auto id = bench.start(std::string(1 << 20, ' ') + "{}");  // and never reads what it is given
    bench.until([&] { return !bench.lines.empty(); });
    int turns = 0;
    bench.until([&] {
        ++turns;
        return bench.outcomes.contains(id);
    });
    BOOST_TEST(turns < 200);  // one for each 10 ms, and no more
    BOOST_TEST(bench.outcomes.at(id).exit_code.value() == 3);
}

BOOST_AUTO_TEST_CASE(a_handler_that_closes_its_pipes_and_hangs_is_ended_by_its_timeout) {
    const Directory directory;
    Bench bench(shell("echo $$ >" + directory / "pid" + "; exec <&- >&- 2>&-; exec sleep 1000"));
    const auto outcome = bench.run("{}", Millis{300});
    BOOST_TEST(kind(outcome) == timed_out);
    BOOST_TEST(outcome.signal.value() == SIGTERM);
    BOOST_TEST(is_gone(pid_in(directory, "pid")));
}

BOOST_AUTO_TEST_CASE(a_handler_that_fills_its_memory_fails_and_takes_nobody_with_it) {
    Bench bench(
        shell("read which; [ $which = small ] && { sleep 0.5; echo fine; exit 0; }; ulimit -v 200000; "
              "head -c 2000000000 /dev/zero | tail -c 2000000000"));
    const auto small = bench.start("small\n");
    const auto outcome = bench.run("large\n");
    BOOST_TEST((outcome.kind == Outcome::failed));
    BOOST_TEST(outcome.error_message.find("exhausted") != std::string::npos, outcome.error_message);
    BOOST_TEST(bench.wait(small).result == "\"fine\"");
    BOOST_TEST_REQUIRE(outcome.peak_memory_bytes.has_value());
    BOOST_TEST(*outcome.peak_memory_bytes > (std::int64_t{16} << 20));
    BOOST_TEST(*outcome.peak_memory_bytes <= std::int64_t{200'000} * 1024);
}

BOOST_AUTO_TEST_CASE(a_child_that_is_not_of_a_handler_is_left_alone) {
    const pid_t own = ::fork();
    if (own == 0) {
        ::pause();
        ::_exit(0);
    }
    Bench bench(shell("true"));
    BOOST_TEST(kind(bench.run()) == completed);
    BOOST_TEST(::waitpid(own, nullptr, WNOHANG) == 0);
    ::kill(own, SIGKILL);
    BOOST_TEST(::waitpid(own, nullptr, 0) == own);
}

BOOST_AUTO_TEST_CASE(two_hundred_runs_at_once_leave_no_descriptor_and_no_zombie_behind) {
    const auto children_before = children_of(::getpid()).size();
    const int before = open_descriptors();
    {
        Bench bench(shell("(sleep 1000 &) ; cat"));
        std::vector<Uuid> ids;
        for (int i = 0; i < 200; ++i) ids.push_back(bench.start(std::to_string(i)));
        for (int i = 0; i < 200; ++i) {
            BOOST_TEST(bench.wait(ids[static_cast<std::size_t>(i)]).result == std::to_string(i));
        }
        BOOST_TEST(bench.loop().armed_timers().empty());
    }
    BOOST_TEST(open_descriptors() == before);
    BOOST_TEST(children_of(::getpid()).size() == children_before);
}

BOOST_AUTO_TEST_CASE(handlers_destroyed_in_the_middle_of_a_run_kill_it) {
    const Directory directory;
    {
        Bench bench(shell("echo $$ >" + directory / "pid" + "; echo ready >&2; exec sleep 1000"));
        bench.start();
        bench.until([&] { return !bench.lines.empty(); });
    }
    const auto pid = pid_in(directory, "pid");
    ::waitpid(pid, nullptr, 0);  // killed, and perhaps still ours to reap
    BOOST_TEST(is_gone(pid));
}

BOOST_AUTO_TEST_SUITE_END()
