// Functions that are asked to end: they are told, those that heed it end as what they say, the others are given up.
#include "in_process_fixture.h"

BOOST_AUTO_TEST_SUITE(in_process_stop)

using namespace dormouse;
using namespace dormouse::handlers;
using namespace dormouse::handlers::test;

BOOST_AUTO_TEST_CASE(a_function_that_heeds_its_token_ends_as_stopped_with_the_reason) {
    Gate inside;
    std::string reason;
    FunctionBench bench([&](InProcessRun& run) {
        inside.open();
        wait_for_stop(run);
        reason = run.stop_reason();
        return Outcome{};
    });
    const Uuid id = bench.start();
    bench.until([&] { return inside.is_open(); });
    bench.in_process().stop(id, StopReason::leaving, Millis{20'000});
    const Outcome outcome = bench.wait(id);
    BOOST_TEST((outcome.kind == Outcome::stopped));
    BOOST_TEST(outcome.error_message == "stopped: the worker is leaving");
    BOOST_TEST(reason == "leaving");
    BOOST_TEST(bench.lines.empty());
}

BOOST_AUTO_TEST_CASE(work_that_is_done_when_the_token_comes_counts) {
    Gate inside;
    FunctionBench bench([&](InProcessRun& run) {
        inside.open();
        wait_for_stop(run);
        return completed("7");
    });
    const Uuid id = bench.start();
    bench.until([&] { return inside.is_open(); });
    bench.in_process().stop(id, StopReason::canceled, Millis{20'000});
    BOOST_TEST((bench.wait(id).kind == Outcome::completed));
    BOOST_TEST(bench.outcomes.at(id).result == "7");
}

BOOST_AUTO_TEST_CASE(one_that_has_not_begun_is_never_called) {
    Gate gate;
    std::atomic<int> calls{0};
    FunctionBench bench(
        [&](InProcessRun&) {
            ++calls;
            gate.wait();
            return completed();
        },
        1);
    bench.start();
    const Uuid second = bench.start();
    bench.until([&] { return calls == 1; });
    bench.in_process().stop(second, StopReason::canceled, Millis{20'000});
    gate.open();
    BOOST_TEST((bench.wait(second).kind == Outcome::stopped));
    BOOST_TEST(calls == 1);
}

BOOST_AUTO_TEST_CASE(
    one_that_ignores_it_is_given_up_when_the_patience_is_over_and_occupies_its_thread_until_it_returns) {
    Gate inside;
    Gate gate;
    FunctionBench bench(
        [&](InProcessRun& run) {
            inside.open();
            if (run.spec().payload == "1") gate.wait();
            run.log(Level::info, "late");
            return completed();
        },
        1);
    const Uuid id = bench.start("1");
    bench.until([&] { return inside.is_open(); });
    bench.in_process().stop(id, StopReason::canceled, Millis{20});
    const Outcome outcome = bench.wait(id);
    BOOST_TEST((outcome.kind == Outcome::stopped));
    BOOST_TEST(outcome.error_message.find("was abandoned") != std::string::npos, outcome.error_message);
    BOOST_REQUIRE(bench.lines.size() == 1);
    BOOST_TEST(bench.lines[0] == outcome.error_message);
    BOOST_TEST(bench.in_process().given_up() == 1U);

    bench.outcomes.clear();
    const Uuid other = bench.start("2");  // has no thread yet
    bench.start("1", Millis{0}, id);      // the same run again is refused meanwhile
    BOOST_TEST((bench.wait(id).kind == Outcome::not_started));
    BOOST_TEST(!bench.outcomes.contains(other));
    gate.open();
    BOOST_TEST((bench.wait(other).kind == Outcome::completed));
    BOOST_TEST((bench.returned == std::vector<Uuid>{id}));
    BOOST_TEST(bench.in_process().given_up() == 0U);
    BOOST_TEST((bench.lines == std::vector<std::string>{outcome.error_message, "late"}));  // "late" is the other's
}

BOOST_AUTO_TEST_CASE(a_second_stop_only_shortens_the_patience_and_no_patience_ends_it_on_the_next_turn) {
    Gate gate;
    FunctionBench bench([&](InProcessRun&) {
        gate.wait();
        return completed();
    });
    const Uuid id = bench.start();
    bench.in_process().stop(id, StopReason::canceled, Millis{3'600'000});
    bench.in_process().stop(id, StopReason::leaving, Millis{0});
    BOOST_TEST(bench.outcomes.empty());
    BOOST_TEST(bench.wait(id).error_message.starts_with("stopped: the run was canceled"));
    gate.open();
}

BOOST_AUTO_TEST_CASE(a_timeout_asks_it_to_stop_and_whatever_it_says_then_it_has_timed_out) {
    FunctionBench bench([](InProcessRun& run) {
        BOOST_TEST(run.deadline().has_value());
        wait_for_stop(run);
        BOOST_TEST(std::string(run.stop_reason()) == "timeout");
        return completed("1");
    });
    const Outcome outcome = bench.run("{}", Millis{30});
    BOOST_TEST((outcome.kind == Outcome::timed_out));
    BOOST_TEST(outcome.error_class == "timeout");
    BOOST_TEST(outcome.error_message == "timed out after 30ms");
}

BOOST_AUTO_TEST_CASE(the_earliest_of_many_timeouts_comes_first_whatever_order_they_started_in) {
    FunctionBench bench(
        [](InProcessRun& run) {
            wait_for_stop(run);
            return Outcome{};
        },
        3);
    const Uuid late = bench.start("{}", Millis{3'600'000});
    const Uuid second = bench.start("{}", Millis{120});
    const Uuid first = bench.start("{}", Millis{30});
    BOOST_TEST(bench.wait(first).error_message == "timed out after 30ms");
    BOOST_TEST(bench.wait(second).error_message == "timed out after 120ms");
    BOOST_TEST(!bench.outcomes.contains(late));
    bench.in_process().stop(late, StopReason::canceled, Millis{20'000});
    bench.wait(late);
}

BOOST_AUTO_TEST_CASE(a_heartbeat_that_does_not_come_again_is_a_timeout_and_zero_ends_the_promise) {
    FunctionBench bench([](InProcessRun& run) {
        run.heartbeat(Millis{40});
        if (run.spec().payload == "0") {
            run.heartbeat(Millis{0});
            return completed();
        }
        wait_for_stop(run);
        return Outcome{};
    });
    BOOST_TEST(bench.run("1").error_message == "timed out: no heartbeat within 40ms");
    BOOST_TEST((bench.run("0").kind == Outcome::completed));
}

BOOST_AUTO_TEST_CASE(a_bench_that_goes_waits_for_functions_at_work_and_its_listener_hears_no_more) {
    Gate inside;
    std::atomic<bool> returned{false};
    {
        FunctionBench bench([&](InProcessRun& run) {
            inside.open();
            wait_for_stop(run);
            returned = true;
            return completed();
        });
        bench.start();
        bench.until([&] { return inside.is_open(); });
    }
    BOOST_TEST(returned);
}

BOOST_AUTO_TEST_SUITE_END()
