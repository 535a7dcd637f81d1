// Timeouts at and beyond the ends of the range: what nobody lives to see never comes, and least of all at once.
#include <limits>
#include <nlohmann/json.hpp>

#include "base/deadline.h"
#include "exec_fixture.h"
#include "handlers/message.h"
#include "in_process_fixture.h"

BOOST_AUTO_TEST_SUITE(timeouts)

using namespace dormouse;
using namespace dormouse::handlers;
using namespace dormouse::handlers::test;

namespace {

constexpr Millis largest{std::numeric_limits<Millis::rep>::max()};
const std::vector<Millis> far{wait_limit, wait_limit + Millis{1}, std::chrono::hours{24 * 365 * 292},
                              std::chrono::hours{24 * 365 * 300}, largest};

/// Whether that many seconds since 1970 are ten years from now.
bool is_at_the_limit(double seconds) {
    const std::chrono::duration<double> now = std::chrono::system_clock::now().time_since_epoch();
    const std::chrono::duration<double> away = wait_limit;
    return std::abs(seconds - now.count() - away.count()) < 60;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_moment_is_as_far_away_as_asked_for_up_to_ten_years) {
    const auto now = BootClock::now();
    BOOST_TEST((after(now, Millis{5}) == now + Millis{5}));
    BOOST_TEST((after(now, wait_limit - Millis{1}) == now + wait_limit - Millis{1}));
    for (const Millis timeout : far) BOOST_TEST((after(now, timeout) == now + wait_limit));
    for (const Millis timeout : {Millis{0}, Millis{-1}, -largest}) BOOST_TEST((after(now, timeout) == now));
    BOOST_TEST((after(std::chrono::system_clock::now(), largest) > std::chrono::system_clock::now()));
}

BOOST_AUTO_TEST_CASE(a_command_with_a_timeout_of_centuries_ends_by_itself_and_is_told_a_time_that_comes) {
    for (const Millis timeout : far) {
        Bench bench(shell("echo $DORMOUSE_DEADLINE"));
        const Outcome outcome = bench.run("{}", timeout);
        BOOST_TEST(outcome.error_message == "");
        BOOST_TEST_REQUIRE(!outcome.result.empty());
        BOOST_TEST(is_at_the_limit(std::stod(outcome.result)), outcome.result);
    }
}

BOOST_AUTO_TEST_CASE(a_warm_process_is_told_a_time_that_comes) {
    for (const Millis timeout : far) {
        RunSpec spec;
        spec.timeout = timeout;
        const auto message = nlohmann::json::parse(run_message(spec));
        BOOST_TEST(is_at_the_limit(message["deadline"].get<double>()), message.dump());
    }
}

BOOST_AUTO_TEST_CASE(a_function_with_a_timeout_of_centuries_ends_by_itself) {
    for (const Millis timeout : far) {
        bool comes = false;
        FunctionBench bench([&comes](InProcessRun& run) {
            run.heartbeat(largest);
            comes = run.deadline() > std::chrono::system_clock::now();
            return completed();
        });
        const Outcome outcome = bench.wait(bench.start("{}", timeout));
        BOOST_TEST(outcome.error_message == "");
        BOOST_TEST((outcome.kind == Outcome::completed));
        BOOST_TEST(comes);
    }
}

BOOST_AUTO_TEST_CASE(patience_without_end_is_not_none) {
    Bench bench(shell("trap 'exit 0' TERM; echo ready >&2; sleep 1000 & wait"));
    const Uuid id = bench.start();
    bench.until([&] { return !bench.lines.empty(); });
    bench.handler().stop(id, StopReason::canceled, largest);
    BOOST_TEST(bench.wait(id).exit_code.value_or(-1) == 0);
}

BOOST_AUTO_TEST_SUITE_END()
