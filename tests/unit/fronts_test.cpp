// Claims from where runs that are gone end: only where whole ones are slow, and a whole one is owed after each.
#include "worker/fronts.h"

#include <boost/test/unit_test.hpp>

using namespace dormouse;
using namespace dormouse::worker;

namespace {

Uuid id_of(int n) {
    Uuid id;
    id.bytes[15] = static_cast<std::uint8_t>(n);
    return id;
}

store::Reached reached(std::int64_t run_at, int runs = 8, const std::string& queue = "q", int priority = 0) {
    return {{queue, priority, run_at, id_of(1)}, runs};
}

store::Answer answer(Fronts::Micros took, std::vector<store::Reached> reached) {
    store::Answer answer;
    answer.finding_took = took;
    answer.reached = std::move(reached);
    answer.claimed.resize(8);
    return answer;
}

struct Fixture {
    static constexpr Fronts::Micros quick{900};
    static constexpr Fronts::Micros slow{10'000};
    Fronts fronts;
    Fronts::Time now = BootClock::now();

    /// A claim, as a worker makes it: what it began from.
    std::vector<store::Front> claim(Fronts::Micros took, std::vector<store::Reached> into) {
        auto from = fronts.next(now);
        fronts.sent(from);
        fronts.answered(from, 1, answer(took, std::move(into)), now);
        return from;
    }
    void be_slow() {
        for (int i = 0; i < Fronts::in_a_row; ++i) claim(slow, {reached(1'000 + i)});
    }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(fronts, Fixture)

BOOST_AUTO_TEST_CASE(as_long_as_claims_are_quick_all_are_whole_and_nothing_is_owed) {
    for (int i = 0; i < 20; ++i) BOOST_TEST(claim(quick, {reached(i)}).empty());
    BOOST_TEST(!fronts.owes_whole());
    BOOST_TEST(!fronts.wait(now));
}

BOOST_AUTO_TEST_CASE(one_that_is_slow_now_and_then_changes_nothing) {
    for (int i = 0; i < 20; ++i) BOOST_TEST(claim(i % 3 == 0 ? quick : slow, {reached(i)}).empty());
}

BOOST_AUTO_TEST_CASE(what_takes_long_because_it_brings_much_is_not_slow) {
    store::Answer many = answer(slow, {reached(1, 1'000)});
    many.claimed.resize(1'000);
    for (int i = 0; i < 5; ++i) fronts.answered({}, 1, many, now);
    BOOST_TEST(fronts.next(now).empty());
}

BOOST_AUTO_TEST_CASE(after_three_slow_ones_claims_begin_where_the_others_stood_a_moment_ago) {
    be_slow();
    now += Fronts::behind - Millis{1};
    auto from = claim(quick, {reached(2'000)});
    BOOST_TEST_REQUIRE(from.size() == 1U);
    BOOST_TEST(from[0].run_at == 1'000);
    now += Millis{1};
    claim(slow, {reached(3'000)});  // the whole one that was owed
    from = claim(quick, {reached(4'000)});
    BOOST_TEST_REQUIRE(from.size() == 1U);
    BOOST_TEST(from[0].run_at == 1'002);
}

BOOST_AUTO_TEST_CASE(or_so_many_runs_ago) {
    be_slow();
    claim(quick, {reached(2'000, Fronts::runs_behind)});
    BOOST_TEST(fronts.next(now).at(0).run_at == 1'002);
    claim(quick, {reached(3'000, Fronts::runs_behind)});
    BOOST_TEST(fronts.next(now).at(0).run_at == 2'000);
}

BOOST_AUTO_TEST_CASE(each_queue_and_priority_has_its_own_in_the_order_of_urgency) {
    claim(slow, {reached(1, 1, "b", 5), reached(2, 1, "a", 7)});
    claim(slow, {reached(3, 1, "b", -5)});
    claim(slow, {reached(4, 1, "a", 7)});
    const auto from = fronts.next(now);
    BOOST_TEST_REQUIRE(from.size() == 3U);
    BOOST_TEST((from[0].queue == "a" && from[1].priority == -5 && from[2].priority == 5));
}

BOOST_AUTO_TEST_CASE(what_came_late_does_not_move_a_front_back) {
    be_slow();
    claim(quick, {reached(5)});
    now += Fronts::behind;
    claim(slow, {reached(6)});
    BOOST_TEST(fronts.next(now).at(0).run_at == 1'002);
}

BOOST_AUTO_TEST_CASE(a_whole_one_is_owed_from_the_first_short_cut_on_and_comes_in_time) {
    be_slow();
    claim(quick, {});
    BOOST_TEST(fronts.owes_whole());
    BOOST_TEST_REQUIRE(fronts.wait(now).has_value());
    BOOST_TEST(fronts.wait(now)->count() == Fronts::soonest.count());
    now += Fronts::soonest;
    BOOST_TEST(fronts.wait(now)->count() == 0);
    BOOST_TEST(claim(slow, {}).empty());
    BOOST_TEST(!fronts.owes_whole());
}

BOOST_AUTO_TEST_CASE(a_short_cut_whose_answer_is_lost_owes_one_as_well) {
    be_slow();
    fronts.sent(fronts.next(now));
    BOOST_TEST(fronts.owes_whole());
}

BOOST_AUTO_TEST_CASE(the_longer_they_take_the_rarer_they_are) {
    for (int i = 0; i < Fronts::in_a_row; ++i) claim(Fronts::Micros{200'000}, {reached(i)});
    claim(quick, {reached(10)});
    BOOST_TEST(fronts.wait(now)->count() == 10'000);
    now += Millis{10'000};
    claim(Fronts::Micros{10'000'000}, {reached(20)});
    claim(quick, {reached(30)});
    BOOST_TEST(fronts.wait(now)->count() == Fronts::latest.count());
}

BOOST_AUTO_TEST_CASE(a_quick_whole_one_ends_it) {
    be_slow();
    claim(quick, {reached(2'000)});
    now += Fronts::soonest;
    claim(quick, {reached(3'000)});
    BOOST_TEST(fronts.next(now).empty());
    BOOST_TEST(!fronts.owes_whole());
}

BOOST_AUTO_TEST_CASE(too_many_lines_are_claimed_whole) {
    std::vector<store::Reached> many;
    for (int i = 0; i < 100; ++i) many.push_back(reached(1, 1, "q", i));
    for (int i = 0; i < 5; ++i) BOOST_TEST(claim(slow, many).empty());
}

BOOST_AUTO_TEST_CASE(a_new_session_begins_anew) {
    be_slow();
    claim(quick, {});
    fronts.forget();
    BOOST_TEST(fronts.next(now).empty());
    BOOST_TEST(!fronts.owes_whole());
}

BOOST_AUTO_TEST_SUITE_END()
