// Handlers in a program of which another part takes their exit statuses: nobody knows how they ended, so none has
// completed for having ended.
#include <sys/wait.h>

#include <csignal>

#include "warm_fixture.h"

BOOST_AUTO_TEST_SUITE(taken_status)

using namespace dormouse;
using namespace dormouse::handlers;
using namespace dormouse::handlers::test;

namespace {

const int failed = number(Outcome::failed);
const std::string told = "its exit status was taken by another part of this program";

/// Waits for any child of ours that ends, as a part of the program would that knows nothing of handlers. There is none
/// yet when another thread is still at its start.
void take_any_child() {
    const auto begun = BootClock::now();
    pid_t taken = ::waitpid(-1, nullptr, 0);
    while (taken < 0 && errno == ECHILD && since(begun) < Millis{10'000}) taken = ::waitpid(-1, nullptr, 0);
    BOOST_REQUIRE(taken > 0);
}

void check_unknown(const Outcome& outcome) {
    BOOST_TEST(kind(outcome) == failed);
    BOOST_TEST(!outcome.permanent);
    BOOST_TEST(outcome.error_class == "exit_unknown");
    BOOST_TEST(outcome.error_message.find(told) != std::string::npos, outcome.error_message);
    BOOST_TEST(!outcome.exit_code.has_value());
    BOOST_TEST(!outcome.signal.has_value());
}

struct Ignored {
    Ignored() { ::signal(SIGCHLD, SIG_IGN); }
    ~Ignored() { ::signal(SIGCHLD, SIG_DFL); }
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_handler_that_was_reaped_by_somebody_else_has_not_completed) {
    for (const char* end : {"exit 3", "exit 0", "kill -KILL $$"}) {
        Bench bench(shell(end));
        const Uuid id = bench.start();
        take_any_child();
        check_unknown(bench.wait(id));
    }
}

BOOST_AUTO_TEST_CASE(a_handler_that_ends_while_sigchld_is_ignored_has_not_completed) {
    Bench bench(shell("exit 3"));
    const Ignored ignored;
    check_unknown(bench.run());
}

BOOST_AUTO_TEST_CASE(what_the_handler_has_said_before_counts_unless_it_was_completed) {
    const std::map<std::string, int> said{{R"({"type":"completed","result":1})", failed},
                                          {R"({"type":"failed","message":"broken"})", failed},
                                          {R"({"type":"retry","in":5})", number(Outcome::try_again)}};
    for (const auto& [message, expected] : said) {
        Bench bench(shell("echo '" + message + "' >&3"));
        const Uuid id = bench.start();
        take_any_child();
        BOOST_TEST(kind(bench.wait(id)) == expected, message);
    }
}

BOOST_AUTO_TEST_CASE(a_handler_is_stopped_and_its_tree_killed_while_sigchld_is_ignored) {
    const Directory directory;
    Bench bench(shell("sleep 1000 & echo $! >" + directory / "left.new" + "; mv " + directory / "left.new " +
                      directory / "left" + "; wait"));
    const Ignored ignored;
    const Uuid id = bench.start();
    bench.until([&] { return std::filesystem::exists(directory / "left"); });
    bench.handler().stop(id, StopReason::canceled, Millis{0});
    BOOST_TEST(kind(bench.wait(id)) == number(Outcome::stopped));
    BOOST_TEST(is_gone(pid_in(directory, "left")));
}

BOOST_AUTO_TEST_CASE(a_run_in_a_warm_process_that_was_reaped_by_somebody_else_has_failed) {
    WarmScene scene(R"(
hello()
hear()
gate = os.path.join(os.path.dirname(sys.argv[0]), "gate")
os.mkfifo(gate)
mark("heard")
open(gate).close()
)");
    const Uuid id = scene.bench.start();
    scene.until_marks("heard", 1);
    std::ofstream(scene.directory / "gate").close();  // waits until it is opened there too
    take_any_child();
    const auto outcome = scene.bench.wait(id);
    BOOST_TEST(kind(outcome) == failed);
    BOOST_TEST(outcome.error_class == "process_died");
    BOOST_TEST(outcome.error_message.find(told) != std::string::npos, outcome.error_message);
}

BOOST_AUTO_TEST_SUITE_END()
