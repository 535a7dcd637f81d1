// What attempts say, on its way to the database: in portions, bounded, once.
#include "worker/news.h"

#include <boost/test/unit_test.hpp>

BOOST_AUTO_TEST_SUITE(news)

using namespace dormouse;
using namespace dormouse::worker;
using namespace std::chrono_literals;

namespace {

struct Bench {
    int asked = 0;
    News news;
    Time now = BootClock::now();
    store::Held run{Uuid::random(), 1};

    explicit Bench(std::int64_t bytes = 65'536) : news(bytes, [this] { ++asked; }) {}
    void say(const std::string& text, const std::optional<store::Held>& held = std::nullopt) {
        news.line(held.value_or(run), {handlers::Level::info, text});
    }
    store::Round fill(Millis later = Millis{0}) {
        now += later;
        store::Round round;
        news.fill(round, now);
        return round;
    }
    /// What the next round has of news; none: nothing.
    std::vector<store::Said> said(Millis later = Millis{0}) {
        return fill(later).news.value_or(std::vector<store::Said>{});
    }
    Next refused(const char* why) { return news.refused({Error{ErrorKind::invalid, why}, store::Part::news, "22P05"}); }
    static bool has(const store::Said& news, const std::string& part) {
        return news.lines.find(part) != std::string::npos;
    }
};

/// How many rounds alone until 100 attempts are written, when the database rejects any round with the word of one.
int rounds_until_settled() {
    Bench bench;
    std::vector<store::Held> runs;
    for (int i = 0; i < 100; ++i) bench.say("fine", runs.emplace_back(store::Held{Uuid::random(), 1}));
    bench.say("poison", runs[42]);
    BOOST_TEST_REQUIRE(bench.said().size() == 100U);
    bench.refused("no");
    int rounds = 0;
    std::size_t written = 0;
    bool said = false;
    for (; bench.news.searching() && rounds < 200; ++rounds) {
        const auto round = bench.said();
        const bool bad =
            std::any_of(round.begin(), round.end(), [](const store::Said& one) { return Bench::has(one, "poison"); });
        if (bad) {
            bench.refused("no such word");
            continue;
        }
        written += round.size();
        for (const store::Said& one : round) said |= Bench::has(one, "does not take them: no such word");
        bench.news.answered();
    }
    BOOST_TEST(written == 100U);
    BOOST_TEST(said);
    BOOST_TEST(bench.said(1s).empty());
    return rounds;
}

}  // namespace

BOOST_AUTO_TEST_CASE(what_is_said_until_a_round_goes_is_one_portion_with_its_place) {
    Bench bench;
    bench.say("one");
    bench.say("two \"quoted\" \\ \x01");
    const auto first = bench.said();
    BOOST_TEST_REQUIRE(first.size() == 1U);
    BOOST_TEST(first[0].first_line == 1);
    BOOST_TEST(Bench::has(first[0], R"("info","one"],[)"));
    BOOST_TEST(Bench::has(first[0], R"("two \"quoted\" \\ \u0001"]])"));
    bench.news.answered();
    bench.say("three");
    const auto second = bench.said(1s);
    BOOST_TEST_REQUIRE(second.size() == 1U);
    BOOST_TEST(second[0].first_line == 3);
}

BOOST_AUTO_TEST_CASE(it_asks_for_a_round_once_and_then_once_a_second) {
    Bench bench;
    for (int i = 0; i < 1'000; ++i) bench.say("x");
    BOOST_TEST(bench.asked == 1);
    BOOST_TEST((bench.news.wait(bench.now) == Millis{0}));
    BOOST_TEST(bench.said().size() == 1U);
    bench.news.answered();
    BOOST_TEST(!bench.news.wait(bench.now).has_value());
    bench.say("x");
    BOOST_TEST(bench.asked == 2);
    BOOST_TEST((bench.news.wait(bench.now) == Millis{1'000}));
    BOOST_TEST(bench.said(999ms).empty());
    BOOST_TEST(bench.said(1ms).size() == 1U);
}

BOOST_AUTO_TEST_CASE(what_belongs_to_an_ending_goes_with_it_whatever_the_clock_says) {
    Bench bench;
    const store::Held other{Uuid::random(), 2};
    bench.say("a");
    bench.fill();
    bench.news.answered();
    bench.say("b");
    bench.say("not yet", other);
    store::Round both;
    both.endings.emplace().emplace_back().held = bench.run;
    bench.news.fill(both, bench.now);
    BOOST_TEST_REQUIRE(both.news->size() == 1U);
    BOOST_TEST(Bench::has(both.news->at(0), "\"b\""));
    bench.news.answered();
    bench.news.forget(bench.run);
    BOOST_TEST(bench.said(1s).size() == 1U);
}

BOOST_AUTO_TEST_CASE(what_may_have_been_written_goes_again_under_the_same_numbers) {
    Bench bench;
    bench.say("one");
    bench.fill();
    bench.say("two");
    bench.news.again();
    const auto round = bench.said(1s);
    BOOST_TEST_REQUIRE(round.size() == 2U);
    BOOST_TEST(round[0].first_line == 1);
    BOOST_TEST(!Bench::has(round[0], "two"));
    BOOST_TEST(round[1].first_line == 2);
    bench.news.answered();
    BOOST_TEST(bench.said(1s).empty());
    BOOST_TEST(bench.news.bytes_of(bench.run) == 0U);
}

BOOST_AUTO_TEST_CASE(the_latest_progress_counts_and_a_text_alone_leaves_the_fraction) {
    Bench bench;
    bench.news.progress(bench.run, {0.25, "a"});
    bench.news.progress(bench.run, {std::nullopt, "b"});
    const auto round = bench.said();
    BOOST_TEST_REQUIRE(round.size() == 1U);
    BOOST_TEST((round[0].progress == 250'000));
    BOOST_TEST((round[0].progress_text == "b"));
    BOOST_TEST(round[0].lines.empty());
    bench.news.progress(bench.run, {std::nullopt, "c"});
    bench.news.again();
    const auto again = bench.said(1s);
    BOOST_TEST((again.at(0).progress == 250'000));
    BOOST_TEST((again.at(0).progress_text == "c"));
    bench.news.answered();
    bench.news.progress(bench.run, {7.0, ""});
    BOOST_TEST((bench.said(1s).at(0).progress == 1'000'000));
}

BOOST_AUTO_TEST_CASE(what_does_not_fit_is_counted_and_the_log_says_so) {
    Bench bench(100);
    for (int i = 0; i < 50; ++i) bench.say("ten bytes.");
    BOOST_TEST(bench.news.bytes_of(bench.run) <= 111U);
    const auto round = bench.said();
    BOOST_TEST(Bench::has(round.at(0), "[41 lines are missing here"));
    bench.news.answered();
    bench.say("there is room again");
    BOOST_TEST(Bench::has(bench.said(1s).at(0), "room again"));
}

// The order of the search is that of a hash of random ids: enough of them come to see the first and the last place.
BOOST_AUTO_TEST_CASE(a_value_that_is_rejected_is_found_by_halves_and_gives_way_to_a_line_that_says_so) {
    int most = 0;
    for (int turn = 0; turn < 300; ++turn) most = std::max(most, rounds_until_settled());
    BOOST_TEST_MESSAGE(most << " rounds at most");
    BOOST_TEST(most <= 26);
}

BOOST_AUTO_TEST_CASE(what_is_refused_even_then_is_dropped) {
    Bench bench;
    bench.say("poison");
    bench.said();
    bench.refused("no");
    for (int i = 0; i < 10 && bench.news.searching(); ++i) {
        const bool any = !bench.said().empty();
        any ? static_cast<void>(bench.refused("no")) : bench.news.answered();
    }
    BOOST_TEST(!bench.news.searching());
    BOOST_TEST(bench.news.bytes_of(bench.run) == 0U);
}

BOOST_AUTO_TEST_CASE(what_a_canceled_run_has_left_is_written_and_then_forgotten) {
    Bench bench;
    bench.say("began");
    BOOST_TEST(bench.said().size() == 1U);
    bench.say("tidied");
    bench.news.let_go(bench.run);
    bench.news.again();  // the round was lost: both go again
    const auto round = bench.said(1s);
    BOOST_TEST_REQUIRE(round.size() == 2U);
    BOOST_TEST(Bench::has(round[1], "tidied"));
    bench.news.answered();
    BOOST_TEST(bench.said(1s).empty());
    const store::Held silent{Uuid::random(), 1};
    bench.say("all of it", silent);
    BOOST_TEST(bench.said(1s).size() == 1U);
    bench.news.answered();
    bench.news.let_go(silent);
    BOOST_TEST(bench.said(1s).empty());
}

BOOST_AUTO_TEST_CASE(the_next_attempt_of_a_run_begins_anew) {
    Bench bench;
    bench.say("left by the first");
    const store::Held second{bench.run.id, 2};
    bench.say("of the second", second);
    bench.news.forget(bench.run);
    const auto round = bench.said();
    BOOST_TEST_REQUIRE(round.size() == 1U);
    BOOST_TEST(round[0].held.fence == 2);
    BOOST_TEST(round[0].first_line == 1);
}

BOOST_AUTO_TEST_SUITE_END()
