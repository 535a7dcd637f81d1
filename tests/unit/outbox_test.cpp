// Endings on their way to the database: nothing is forgotten, nothing is sent twice for nothing.
#include "worker/outbox.h"

#include <boost/test/unit_test.hpp>
#include <functional>
#include <set>

BOOST_AUTO_TEST_SUITE(outbox)

using namespace dormouse;
using namespace dormouse::worker;

namespace {

struct Bench {
    std::vector<Uuid> written, refused;
    std::vector<std::pair<Uuid, Millis>> kept;
    int held_up = 0;
    Outbox outbox{Outbox::Events{[this](const Parcel& parcel) { written.push_back(parcel.ending.held.id); },
                                 [this](const Parcel& parcel) { refused.push_back(parcel.ending.held.id); },
                                 [this](const Parcel& parcel, const std::string&, Millis pause) {
                                     kept.emplace_back(parcel.ending.held.id, pause);
                                 },
                                 [this](const Parcel&) { ++held_up; },
                                 [this](const Parcel& parcel, const std::string&, Millis pause) {
                                     kept.emplace_back(parcel.ending.held.id, pause);
                                 }}};
    Time now = BootClock::now();

    static Parcel parcel(std::int64_t fence = 1, const Uuid& id = Uuid::random()) {
        Parcel made;
        made.ending.held = {id, fence};
        made.ending.kind = store::Ending::completed;
        return made;
    }
    store::Round fill() {
        store::Round round;
        outbox.fill(round, now);
        return round;
    }
    void answer(const store::Round& round, std::size_t ended) {
        store::Answer answer;
        for (std::size_t i = 0; i < ended; ++i) answer.ended.push_back(round.endings->at(i).held.id);
        outbox.answered(answer, now);
    }
};

/// An error about what was in a round.
store::Refused no(const char* sqlstate = "22P02", ErrorKind kind = ErrorKind::invalid) {
    return {Error{kind, "no"}, store::Part::finish, sqlstate};
}

/// How many rounds until all is settled, when the database takes nothing in which `is_bad` finds an ending.
int rounds_until_settled(Bench& bench, const std::function<bool(const store::Ending&)>& is_bad) {
    int rounds = 0;
    for (; !bench.outbox.settled() && rounds < 300; ++rounds) {
        const store::Round round = bench.fill();
        if (!round.endings) {
            bench.answer(round, 0);
        } else if (std::any_of(round.endings->begin(), round.endings->end(), is_bad)) {
            BOOST_TEST((bench.outbox.refused(no(), bench.now) == Next::again));
        } else {
            bench.answer(round, round.endings->size());
        }
    }
    return rounds;
}

}  // namespace

BOOST_AUTO_TEST_CASE(what_is_written_leaves) {
    Bench bench;
    for (int i = 0; i < 3; ++i) bench.outbox.add(Bench::parcel());
    const auto round = bench.fill();
    BOOST_TEST(round.endings->size() == 3U);
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
    BOOST_TEST(bench.fill().endings->size() == 1U);
}

BOOST_AUTO_TEST_CASE(what_was_not_written_and_is_not_held_is_refused) {
    Bench bench;
    bench.outbox.add(Bench::parcel());
    bench.answer(bench.fill(), 0);
    BOOST_TEST((bench.outbox.wait(bench.now) == Millis{0}));
    const auto question = bench.fill();
    BOOST_TEST(!question.endings);
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
    held.still_held.push_back(round.endings->at(0).held.id);
    bench.outbox.answered(held, bench.now);
    BOOST_TEST(bench.outbox.wait(bench.now)->count() > 0);
    std::vector<store::Held> leases;
    bench.outbox.add_held(leases);
    BOOST_TEST(leases.size() == 1U);
    bench.now += *bench.outbox.wait(bench.now);
    BOOST_TEST(bench.fill().endings->size() == 1U);
}

BOOST_AUTO_TEST_CASE(one_that_a_trigger_passes_over_is_tried_less_and_less_often_and_holds_up_nobody_who_leaves) {
    Bench bench;
    bench.outbox.add(Bench::parcel());
    const Time begin = bench.now;
    while (bench.now < begin + Millis{24 * 3'600'000}) {
        const auto round = bench.fill();
        bench.answer(round, 0);
        bench.fill();
        store::Answer held;
        held.still_held.push_back(round.endings->at(0).held.id);
        held.passed_over_by = "DROP TRIGGER";
        bench.outbox.answered(held, bench.now);
        bench.now += *bench.outbox.wait(bench.now);
    }
    BOOST_TEST(bench.kept.size() > 24U * 12U);
    BOOST_TEST(bench.kept.size() < 24U * 30U);
    BOOST_TEST(bench.kept.front().second.count() <= 2'000);
    BOOST_TEST(bench.outbox.settled());
    BOOST_TEST(!bench.outbox.empty());
}

BOOST_AUTO_TEST_CASE(one_that_cannot_be_written_though_nobody_refuses_it_is_told_after_a_minute_and_then_less_often) {
    Bench bench;
    bench.outbox.add(Bench::parcel());
    const Time begin = bench.now;
    const auto until = [&](Millis time) {
        while (bench.now < begin + time) {
            const auto round = bench.fill();
            bench.answer(round, 0);
            bench.fill();
            store::Answer held;
            held.still_held.push_back(round.endings->at(0).held.id);
            bench.outbox.answered(held, bench.now);
            bench.now += *bench.outbox.wait(bench.now);
        }
        return bench.held_up;
    };
    BOOST_TEST(until(Millis{55'000}) == 0);
    BOOST_TEST(until(Millis{70'000}) == 1);
    BOOST_TEST(until(Millis{170'000}) == 1);
    BOOST_TEST(until(Millis{190'000}) == 2);
    BOOST_TEST(until(Millis{24 * 3'600'000}) < 35);
}

BOOST_AUTO_TEST_CASE(a_row_that_stays_locked_is_tried_less_and_less_and_the_next_one_soon_again) {
    Bench bench;
    const auto locked = [&] {
        const auto round = bench.fill();
        bench.answer(round, 0);
        bench.fill();
        store::Answer held;
        held.still_held.push_back(round.endings->at(0).held.id);
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
    BOOST_TEST_REQUIRE(round.endings->size() == 6U);
    for (int i = 0; i < 6; ++i) BOOST_TEST(round.endings->at(static_cast<std::size_t>(i)).held.fence == i);
}

BOOST_AUTO_TEST_CASE(one_refused_value_of_a_thousand_is_found_in_a_few_rounds_and_fails_alone) {
    Bench bench;
    const Uuid poison = Uuid::random();
    for (int i = 0; i < 1'000; ++i) bench.outbox.add(i == 777 ? Bench::parcel(1, poison) : Bench::parcel());
    const int rounds = rounds_until_settled(bench, [&](const store::Ending& ending) {
        return ending.held.id == poison && ending.kind == store::Ending::completed;
    });
    BOOST_TEST_MESSAGE(rounds << " rounds");
    BOOST_TEST(rounds < 40);
    BOOST_TEST(bench.written.size() == 1'000U);
    BOOST_TEST(!bench.outbox.searching());
}

BOOST_AUTO_TEST_CASE(ten_refused_values_of_a_thousand_are_all_found) {
    Bench bench;
    std::set<Uuid> poisons;
    for (int i = 0; i < 1'000; ++i) {
        const Uuid id = Uuid::random();
        if (i % 100 == 42) poisons.insert(id);
        bench.outbox.add(Bench::parcel(1, id));
    }
    const int rounds = rounds_until_settled(bench, [&](const store::Ending& ending) {
        return poisons.contains(ending.held.id) && ending.kind == store::Ending::completed;
    });
    BOOST_TEST_MESSAGE(rounds << " rounds");
    BOOST_TEST(rounds < 250);
    BOOST_TEST(bench.written.size() == 1'000U);
}

BOOST_AUTO_TEST_CASE(a_run_whose_failure_is_refused_too_is_put_back_with_the_reason) {
    Bench bench;
    bench.outbox.add(Bench::parcel());
    store::Ending last;
    for (int i = 0; i < 10 && !bench.outbox.settled(); ++i) {
        const auto round = bench.fill();
        if (!round.endings->empty()) last = round.endings->front();
        const bool bad = !round.endings->empty() && ends_run(last.kind);
        bad ? static_cast<void>(bench.outbox.refused(no("APP01"), bench.now))
            : bench.answer(round, round.endings->size());
    }
    BOOST_TEST(bench.outbox.empty());
    BOOST_TEST((last.kind == store::Ending::retry));
    BOOST_TEST(last.error_class == "trigger_refused");
    BOOST_TEST(last.counts);
    BOOST_TEST(last.delay->count() > 1'000);
}

BOOST_AUTO_TEST_CASE(a_run_of_which_nothing_is_taken_is_kept_and_holds_nobody_up) {
    Bench bench;
    const Uuid id = Uuid::random();
    bench.outbox.add(Bench::parcel(1, id));
    rounds_until_settled(bench, [&](const store::Ending& ending) { return ending.held.id == id; });
    BOOST_TEST_REQUIRE(bench.kept.size() == 1U);
    BOOST_TEST(bench.outbox.settled());  // who leaves does not wait for it
    BOOST_TEST(!bench.outbox.empty());
    bench.outbox.add(Bench::parcel());
    BOOST_TEST(bench.fill().endings->size() == 1U);
    bench.outbox.again();
    bench.now += bench.kept[0].second;
    BOOST_TEST((bench.fill().endings->at(0).held.id == id));  // alone
}

BOOST_AUTO_TEST_CASE(a_statement_that_is_refused_with_nothing_in_it_accuses_nobody) {
    Bench bench;
    bench.outbox.add(Bench::parcel());
    bench.fill();
    BOOST_TEST((bench.outbox.refused(no("42501", ErrorKind::denied), bench.now) == Next::again));
    const auto probe = bench.fill();
    BOOST_TEST_REQUIRE(probe.endings.has_value());
    BOOST_TEST(probe.endings->empty());
    BOOST_TEST((bench.outbox.refused(no("42501", ErrorKind::denied), bench.now) == Next::everyone));
    const auto round = bench.fill();
    BOOST_TEST_REQUIRE(round.endings->size() == 1U);
    BOOST_TEST((round.endings->at(0).kind == store::Ending::completed));
}

BOOST_AUTO_TEST_CASE(a_round_is_bounded_in_bytes_but_takes_one_ending_of_any_size) {
    Bench bench;
    for (int i = 0; i < 10; ++i) {
        Parcel parcel = Bench::parcel();
        parcel.ending.result.assign(20 << 20, ' ');
        bench.outbox.add(std::move(parcel));
    }
    BOOST_TEST(bench.fill().endings->size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_later_attempt_of_the_same_run_drops_what_an_earlier_one_left) {
    Bench bench;
    const Uuid id = Uuid::random();
    bench.outbox.add(Bench::parcel(1, id));
    bench.answer(bench.fill(), 0);  // doubtful now
    bench.outbox.add(Bench::parcel(2, id));
    BOOST_TEST(bench.refused.size() == 1U);
    const auto round = bench.fill();
    BOOST_TEST_REQUIRE(round.endings->size() == 1U);
    BOOST_TEST(round.endings->at(0).held.fence == 2);
    BOOST_TEST(round.ask_held.empty());
}

BOOST_AUTO_TEST_SUITE_END()
