// Endings on their way to the database: nothing is forgotten, nothing is sent twice for nothing.
#include "worker/outbox.h"

#include <boost/test/unit_test.hpp>

using namespace dormouse;
using namespace dormouse::worker;

namespace {

struct Bench {
    std::vector<Uuid> written, refused;
    Outbox outbox{Outbox::Events{[this](const Parcel& parcel) { written.push_back(parcel.ending.held.id); },
                                 [this](const Parcel& parcel) { refused.push_back(parcel.ending.held.id); }}};
    Outbox::Time now = BootClock::now();

    static Parcel parcel(std::int64_t fence = 1, const Uuid& id = Uuid::random()) {
        Parcel made;
        made.ending.held = {id, fence};
        made.ending.fate = store::Fate::completed;
        return made;
    }
    store::Round fill() {
        store::Round round;
        outbox.fill(round, now);
        return round;
    }
    void answer(const store::Round& round, std::size_t ended) {
        store::Answer answer;
        for (std::size_t i = 0; i < ended; ++i) answer.ended.push_back(round.endings[i].held.id);
        outbox.answered(answer, now);
    }
};

/// How many rounds until all is settled, when the database rejects any round with `poison` in it.
int rounds_until_settled(Bench& bench, const Uuid& poison, bool alone_from_the_start) {
    bool alone = alone_from_the_start;
    int rounds = 0;
    for (; !bench.outbox.empty() && rounds < 100; ++rounds) {
        const store::Round round = bench.fill();
        const bool bad = std::any_of(round.endings.begin(), round.endings.end(), [&](const store::Ending& ending) {
            return ending.held.id == poison && ending.fate == store::Fate::completed;
        });
        bad ? bench.outbox.rejected("no", alone) : bench.answer(round, round.endings.size());
        alone = bench.outbox.wants_to_go_alone();
    }
    return rounds;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(outbox)

BOOST_AUTO_TEST_CASE(what_is_written_leaves) {
    Bench bench;
    for (int i = 0; i < 3; ++i) bench.outbox.add(Bench::parcel());
    const auto round = bench.fill();
    BOOST_TEST(round.endings.size() == 3U);
    BOOST_TEST(!bench.outbox.empty());
    bench.answer(round, 3);
    BOOST_TEST(bench.outbox.empty());
    BOOST_TEST(bench.written.size() == 3U);
}

BOOST_AUTO_TEST_CASE(what_comes_while_a_round_is_on_the_wire_waits_for_the_next) {
    Bench bench;
    bench.outbox.add(Bench::parcel());
    const auto first = bench.fill();
    bench.outbox.add(Bench::parcel());
    bench.answer(first, 1);
    BOOST_TEST(!bench.outbox.empty());
    BOOST_TEST(bench.fill().endings.size() == 1U);
}

BOOST_AUTO_TEST_CASE(what_was_not_written_and_is_not_held_is_refused) {
    Bench bench;
    bench.outbox.add(Bench::parcel());
    bench.answer(bench.fill(), 0);
    BOOST_TEST(bench.outbox.has_something_for(bench.now));
    const auto question = bench.fill();
    BOOST_TEST(question.endings.empty());
    BOOST_TEST(question.ask_held.size() == 1U);
    bench.answer(question, 0);
    BOOST_TEST(bench.outbox.empty());
    BOOST_TEST(bench.refused.size() == 1U);
}

BOOST_AUTO_TEST_CASE(what_is_locked_goes_again_after_a_pause) {
    Bench bench;
    bench.outbox.add(Bench::parcel());
    const auto round = bench.fill();
    bench.answer(round, 0);
    bench.fill();
    store::Answer held;
    held.still_held.push_back(round.endings[0].held.id);
    bench.outbox.answered(held, bench.now);
    BOOST_TEST(!bench.outbox.has_something_for(bench.now));
    BOOST_TEST(bench.outbox.wait(bench.now)->count() > 0);
    std::vector<store::Held> leases;
    bench.outbox.add_held(leases);
    BOOST_TEST(leases.size() == 1U);
    bench.now += *bench.outbox.wait(bench.now);
    BOOST_TEST(bench.fill().endings.size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_row_that_stays_locked_is_tried_less_and_less_and_the_next_one_soon_again) {
    Bench bench;
    const auto locked = [&] {
        const auto round = bench.fill();
        bench.answer(round, 0);
        bench.fill();
        store::Answer held;
        held.still_held.push_back(round.endings.at(0).held.id);
        bench.outbox.answered(held, bench.now);
        const Millis wait = *bench.outbox.wait(bench.now);
        bench.now += wait;
        return wait;
    };
    bench.outbox.add(Bench::parcel());
    Millis last = locked();
    BOOST_TEST(last.count() <= 20);
    for (int i = 0; i < 10; ++i) {
        const Millis next = locked();
        BOOST_TEST(next.count() == std::min<Millis::rep>(last.count() * 2, 1'000));
        last = next;
    }
    BOOST_TEST(last.count() == 1'000);
    bench.answer(bench.fill(), 1);
    BOOST_TEST(bench.outbox.empty());
    bench.outbox.add(Bench::parcel());
    BOOST_TEST(locked().count() <= 20);
}

BOOST_AUTO_TEST_CASE(a_lost_round_goes_again_in_its_order) {
    Bench bench;
    for (int i = 0; i < 5; ++i) bench.outbox.add(Bench::parcel(i));
    bench.fill();
    bench.outbox.add(Bench::parcel(5));
    bench.outbox.again();
    const auto round = bench.fill();
    BOOST_TEST_REQUIRE(round.endings.size() == 6U);
    for (int i = 0; i < 6; ++i) BOOST_TEST(round.endings[static_cast<std::size_t>(i)].held.fence == i);
}

BOOST_AUTO_TEST_CASE(one_rejected_value_of_a_thousand_is_found_in_a_few_rounds_and_fails_alone) {
    Bench bench;
    const Uuid poison = Uuid::random();
    for (int i = 0; i < 1'000; ++i) bench.outbox.add(i == 777 ? Bench::parcel(1, poison) : Bench::parcel());
    const int rounds = rounds_until_settled(bench, poison, false);
    BOOST_TEST_MESSAGE(rounds << " rounds");
    BOOST_TEST(rounds < 40);
    BOOST_TEST(bench.written.size() == 1'000U);
    BOOST_TEST(!bench.outbox.wants_to_go_alone());
}

BOOST_AUTO_TEST_CASE(a_round_that_was_not_alone_accuses_nobody) {
    Bench bench;
    bench.outbox.add(Bench::parcel());
    bench.fill();
    bench.outbox.rejected("the claim's fault", false);
    BOOST_TEST(bench.outbox.wants_to_go_alone());
    const auto round = bench.fill();
    BOOST_TEST_REQUIRE(round.endings.size() == 1U);
    BOOST_TEST((round.endings[0].fate == store::Fate::completed));
}

BOOST_AUTO_TEST_CASE(what_is_rejected_twice_is_given_up) {
    Bench bench;
    bench.outbox.add(Bench::parcel());
    for (int i = 0; i < 2; ++i) {
        bench.fill();
        bench.outbox.rejected("no", true);
    }
    BOOST_TEST(bench.outbox.empty());
    BOOST_TEST(bench.refused.size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_round_is_bounded_in_bytes_but_takes_one_ending_of_any_size) {
    Bench bench;
    for (int i = 0; i < 10; ++i) {
        Parcel parcel = Bench::parcel();
        parcel.ending.result.assign(20 << 20, ' ');
        bench.outbox.add(std::move(parcel));
    }
    BOOST_TEST(bench.fill().endings.size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_later_attempt_of_the_same_run_drops_what_an_earlier_one_left) {
    Bench bench;
    const Uuid id = Uuid::random();
    bench.outbox.add(Bench::parcel(1, id));
    bench.answer(bench.fill(), 0);  // doubtful now
    bench.outbox.add(Bench::parcel(2, id));
    BOOST_TEST(bench.refused.size() == 1U);
    const auto round = bench.fill();
    BOOST_TEST_REQUIRE(round.endings.size() == 1U);
    BOOST_TEST(round.endings[0].held.fence == 2);
    BOOST_TEST(round.ask_held.empty());
}

BOOST_AUTO_TEST_SUITE_END()
