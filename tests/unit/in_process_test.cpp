// Functions of this program as handlers: what they are given, what becomes of what they say, and their threads.
#include <set>
#include <thread>

#include "in_process_fixture.h"

BOOST_AUTO_TEST_SUITE(in_process)

using namespace dormouse;
using namespace dormouse::handlers;
using namespace dormouse::handlers::test;

BOOST_AUTO_TEST_CASE(a_function_is_given_its_run_and_its_result_comes_back_on_the_loops_thread) {
    std::thread::id executed_on;
    FunctionBench bench([&](InProcessRun& run) {
        executed_on = std::this_thread::get_id();
        return completed(run.spec().payload);
    });
    const Outcome outcome = bench.run(R"({"a": [1, "\u00e9"]})");
    BOOST_TEST((outcome.kind == Outcome::completed));
    BOOST_TEST(outcome.result == R"({"a": [1, "\u00e9"]})");
    BOOST_TEST((executed_on != std::this_thread::get_id()));
}

BOOST_AUTO_TEST_CASE(no_thread_is_made_before_there_is_work_and_one_is_enough_for_runs_one_after_another) {
    std::set<std::thread::id> used;
    FunctionBench bench([&](InProcessRun&) {
        used.insert(std::this_thread::get_id());
        return completed();
    });
    for (int i = 0; i < 50; ++i) bench.run();
    BOOST_TEST(used.size() <= 3U);  // one that has just answered may not be waiting yet
}

BOOST_AUTO_TEST_CASE(as_many_run_side_by_side_as_there_are_threads_and_the_rest_waits) {
    constexpr int threads = 6;
    Gate gate;
    std::atomic<int> inside{0};
    std::atomic<int> most{0};
    FunctionBench bench(
        [&](InProcessRun&) {
            const int now = ++inside;
            for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) continue;
            gate.wait();
            --inside;
            return completed();
        },
        threads);
    for (int i = 0; i < threads + 3; ++i) bench.start();
    bench.until([&] { return inside == threads; });
    BOOST_TEST(bench.in_process().at_work() == threads + 3U);
    gate.open();
    bench.until([&] { return bench.outcomes.size() == threads + 3U; });
    BOOST_TEST(most == threads);
    BOOST_TEST(bench.in_process().at_work() == 0U);
}

// One thread does brief ones by itself; when one of them takes long after all, the others are not kept waiting.
BOOST_AUTO_TEST_CASE(after_brief_runs_long_ones_run_side_by_side_all_the_same) {
    constexpr std::size_t threads = 6;
    Gate gate;
    std::atomic<bool> brief{true};
    std::atomic<std::size_t> inside{0};
    FunctionBench bench(
        [&](InProcessRun&) {
            if (brief) return completed();
            ++inside;
            gate.wait();
            return completed();
        },
        threads);
    for (int i = 0; i < 200; ++i) bench.start();
    bench.until([&] { return bench.outcomes.size() == 200U; });
    brief = false;
    for (std::size_t i = 0; i < threads; ++i) bench.start();
    bench.until([&] { return inside == threads; });
    gate.open();
    bench.until([&] { return bench.outcomes.size() == 200U + threads; });
}

BOOST_AUTO_TEST_CASE(a_hundred_thousand_short_runs_all_come_back_once) {
    FunctionBench bench([](InProcessRun& run) { return completed(run.spec().payload); }, 8);
    constexpr std::size_t count = 100'000;
    constexpr std::size_t at_once = 64;
    std::size_t begun = 0;
    bench.until([&] {
        while (begun < count && begun - bench.outcomes.size() < at_once) bench.start(std::to_string(begun++));
        return bench.outcomes.size() == count;
    });
    std::set<std::string> results;
    for (const auto& [id, outcome] : bench.outcomes) results.insert(outcome.result);
    BOOST_TEST(results.size() == count);
}

BOOST_AUTO_TEST_CASE(a_run_that_is_still_at_work_is_not_started_a_second_time) {
    Gate gate;
    FunctionBench bench([&](InProcessRun&) {
        gate.wait();
        return completed();
    });
    const Uuid id = bench.start();
    bench.start("{}", Millis{0}, id);
    bench.until([&] { return bench.outcomes.contains(id); });
    BOOST_TEST((bench.outcomes.at(id).kind == Outcome::not_started));
    BOOST_TEST(bench.outcomes.at(id).error_message == "this run is still being executed by this worker");
    bench.outcomes.clear();
    gate.open();
    BOOST_TEST((bench.wait(id).kind == Outcome::completed));
}

BOOST_AUTO_TEST_CASE(lines_are_cut_bounded_and_cleaned_as_those_of_a_process) {
    config::Limits limits;
    limits.log_bytes = 64;
    FunctionBench bench(
        [](InProcessRun& run) {
            run.log(Level::info, "first\nsecond \xff\x01");
            run.log(Level::warning, std::string("nul\0here", 8));
            for (int i = 0; i < 1'000; ++i) run.log(Level::info, "and on it goes");
            return completed();
        },
        1, limits);
    bench.run();
    BOOST_REQUIRE(bench.lines.size() >= 4);
    BOOST_TEST(bench.lines.size() < 10U);
    BOOST_TEST(bench.lines[0] == "first");
    BOOST_TEST(bench.lines[1] == "second \xEF\xBF\xBD\x01");
    BOOST_TEST(bench.lines[2] == "nul\xEF\xBF\xBDhere");
    BOOST_TEST(bench.lines.at(bench.lines.size() - 2).starts_with("[log cut:"));
    BOOST_TEST(bench.lines.back().ends_with(" bytes more were written and are not kept]"), bench.lines.back());
}

BOOST_AUTO_TEST_CASE(of_much_progress_the_latest_arrives_and_not_all_of_it_is_stored) {
    Gate begun;
    Gate may_speak;
    Gate said;
    FunctionBench bench([&](InProcessRun& run) {
        begun.open();
        may_speak.wait();
        for (int i = 1; i <= 100'000; ++i) run.progress(i / 100'000.0, "\u00e4 " + std::to_string(i));
        run.progress({}, std::string(1'000, 'x'));
        said.open();
        return completed();
    });
    bench.start();
    bench.until([&] { return begun.is_open(); });
    may_speak.open();
    said.wait();  // the loop has not turned meanwhile
    bench.until([&] { return bench.outcomes.size() == 1; });
    BOOST_TEST(bench.progress.size() == 1U);
    BOOST_TEST(bench.progress.back().fraction.value_or(0) == 1.0);
    BOOST_TEST(bench.progress.back().text == std::string(200, 'x'));
}

BOOST_AUTO_TEST_CASE(a_result_over_the_limit_or_that_is_no_json_fails_its_run) {
    config::Limits limits;
    limits.result_bytes = 10;
    FunctionBench bench([](InProcessRun& run) { return completed(run.spec().payload); }, 1, limits);
    BOOST_TEST((bench.run("\"12345678\"").kind == Outcome::completed));
    const Outcome large = bench.run("\"123456789\"");
    BOOST_TEST((large.kind == Outcome::failed));
    BOOST_TEST(large.error_class == "result_too_large");
    BOOST_TEST(large.error_message == "the result is larger than 10 bytes (limits.result_bytes)");
    for (const std::string& bad : {std::string("{'a'}"), std::string("\"\xff\"")}) {
        const Outcome outcome = bench.run(bad);
        BOOST_TEST(outcome.error_class == "bad_result");
        BOOST_TEST(outcome.permanent);
    }
}

BOOST_AUTO_TEST_CASE(what_an_error_says_is_clean_and_bounded) {
    FunctionBench bench([](InProcessRun&) {
        Outcome outcome;
        outcome.error_class = std::string(500, 'c');
        outcome.error_message = "bad \xfe\xff and \n\u2028 " + std::string(20'000, 'm');
        return outcome;
    });
    const Outcome outcome = bench.run();
    BOOST_TEST(outcome.error_class.size() == 100U);
    BOOST_TEST(outcome.error_message.size() <= 8'200U);
    BOOST_TEST(outcome.error_message.starts_with("bad \xEF\xBF\xBD\xEF\xBF\xBD and \n\u2028 mmm"));
}

BOOST_AUTO_TEST_CASE(nothing_is_armed_while_nothing_runs) {
    FunctionBench bench([](InProcessRun&) { return completed(); });
    bench.run("{}", Millis{60'000});
    bench.until([&] { return bench.in_process().at_work() == 0; });
    // the moment in which others might have waited
    for (int turn = 0; turn < 5 && !bench.loop().armed_timers().empty(); ++turn) bench.loop().turn();
    BOOST_TEST(bench.loop().armed_timers().empty());
}

BOOST_AUTO_TEST_SUITE_END()
