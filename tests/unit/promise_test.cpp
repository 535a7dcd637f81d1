// When a worker promises to look again, and what it does before it may be silent.
#include "promise/promise.h"

#include <boost/test/unit_test.hpp>

#include "sql/embedded.h"
#include "store/parts.h"

namespace promise {

using namespace dormouse;
using namespace dormouse::promise;
using store::Answer;
using store::PromiseAct;

namespace {

struct Scene {
    Promise promise{Promise::Terms{.promises = true}};
    BootClock::time_point now = BootClock::now();

    Scene() { promise.opened(); }

    static Answer said(bool enlisted, bool rested, bool promised = false) {
        Answer answer;
        answer.enlisted = enlisted;
        answer.rested = rested;
        answer.promised = promised;
        return answer;
    }
    static Answer all_right() { return said(true, true, true); }
    PromiseAct round(const Answer& answer) {
        const PromiseAct act = promise.wanted(now);
        promise.sent(act);
        promise.answered(act, answer, now);
        return act;
    }
    void busy() {
        for (int i = 0; i < 8; ++i) promise.looked(true, now += Millis{20});
    }
    void give() {
        round(all_right());
        busy();
        BOOST_TEST_REQUIRE(round(all_right()).give);
        BOOST_TEST_REQUIRE(promise.given());
    }
};

}  // namespace

}  // namespace promise

BOOST_FIXTURE_TEST_SUITE(promise, Scene)

BOOST_AUTO_TEST_CASE(a_new_session_registers_and_rests_at_once_and_then_wants_nothing) {
    BOOST_TEST(!promise.may_be_silent());
    const PromiseAct act = round(all_right());
    BOOST_TEST(act.enlist);
    BOOST_TEST(act.rest);
    BOOST_TEST(promise.may_be_silent());
    BOOST_TEST(!promise.wanted(now).any());
    BOOST_TEST(!promise.wait(now).has_value());
}

BOOST_AUTO_TEST_CASE(who_cannot_register_tries_again_each_second_and_need_not_stay_awake_for_that) {
    for (int i = 0; i < 8; ++i) {
        BOOST_TEST_REQUIRE(round(said(false, true)).enlist);
        BOOST_TEST_REQUIRE(promise.may_be_silent());
        BOOST_TEST_REQUIRE(promise.last().rest);
        BOOST_TEST_REQUIRE(!promise.wanted(now).any());
        const auto wait = promise.wait(now);
        BOOST_TEST_REQUIRE(wait.has_value());
        BOOST_TEST_REQUIRE(wait->count() == 1'000);
        now += *wait;
    }
    round(said(false, false));
    BOOST_TEST(!promise.may_be_silent());
    now += *promise.wait(now);
    round(all_right());
    BOOST_TEST(promise.may_be_silent());
    BOOST_TEST(!promise.wait(now).has_value());
}

BOOST_AUTO_TEST_CASE(who_is_relied_on_asks_again_later_and_later_and_is_not_silent_meanwhile) {
    Millis last{0};
    for (int i = 0; i < 8; ++i) {
        BOOST_TEST_REQUIRE(round(said(true, false)).rest);
        BOOST_TEST_REQUIRE(!promise.may_be_silent());
        BOOST_TEST_REQUIRE(!promise.wanted(now).any());
        const auto wait = promise.wait(now);
        BOOST_TEST_REQUIRE(wait.has_value());
        BOOST_TEST_REQUIRE((*wait >= Millis{500} && *wait <= Millis{30'000}));
        now += last = *wait;
    }
    BOOST_TEST((last >= Millis{15'000}));
    round(all_right());
    BOOST_TEST(promise.may_be_silent());
}

BOOST_AUTO_TEST_CASE(who_is_registered_and_relied_on_asks_for_that_alone) {
    round(said(true, false));
    now += *promise.wait(now);
    const PromiseAct act = promise.wanted(now);
    BOOST_TEST(!act.enlist);
    BOOST_TEST(act.rest);
}

BOOST_AUTO_TEST_CASE(a_few_looks_are_no_reason_and_neither_are_many_that_are_far_apart) {
    round(all_right());
    for (int i = 0; i < 7; ++i) promise.looked(true, now += Millis{20});
    BOOST_TEST(!promise.wanted(now).give);
    for (int i = 0; i < 100; ++i) promise.looked(true, now += Millis{150});
    BOOST_TEST(!promise.wanted(now).give);
    busy();
    BOOST_TEST(promise.wanted(now).give);
    BOOST_TEST(!promise.wanted(now + Millis{200}).give);
}

BOOST_AUTO_TEST_CASE(who_may_not_promise_never_does) {
    Promise other(Promise::Terms{});
    other.opened();
    const PromiseAct act = other.wanted(now);
    other.answered(act, all_right(), now);
    for (int i = 0; i < 100; ++i) other.looked(true, now);
    BOOST_TEST(!other.wanted(now).any());
}

BOOST_AUTO_TEST_CASE(a_promise_holds_until_nothing_was_found_for_a_while_and_is_then_given_back) {
    give();
    promise.looked(false, now += Millis{30});
    BOOST_TEST(promise.given());
    promise.looked(true, now += Millis{10});
    promise.looked(false, now += Millis{49});
    BOOST_TEST(promise.given());
    promise.looked(false, now += Millis{1});
    BOOST_TEST(!promise.given());
    BOOST_TEST(!promise.may_be_silent());
    const PromiseAct act = round(said(true, false));
    BOOST_TEST(act.enlist);
    BOOST_TEST(act.rest);
    BOOST_TEST(!promise.may_be_silent());
    now += *promise.wait(now);
    BOOST_TEST(!promise.wanted(now).enlist);
    round(all_right());
    BOOST_TEST(promise.may_be_silent());
}

BOOST_AUTO_TEST_CASE(without_room_for_a_second_it_is_given_back) {
    give();
    promise.room(false, now);
    now += Millis{900};
    promise.room(false, now);
    BOOST_TEST(!promise.wanted(now).any());
    BOOST_TEST(promise.wait(now)->count() == 100);
    promise.room(true, now);
    promise.room(false, now += Millis{100});
    BOOST_TEST(!promise.wanted(now).any());
    BOOST_TEST(round(all_right()).enlist == false);
    now += Millis{1'000};
    BOOST_TEST(round(all_right()).enlist);
    BOOST_TEST(promise.may_be_silent());
}

BOOST_AUTO_TEST_CASE(a_promise_that_could_not_be_given_is_not_tried_again_at_once) {
    round(all_right());
    busy();
    BOOST_TEST(round(said(false, false)).give);
    BOOST_TEST(!promise.may_be_silent());  // it was not registered, for whatever reason
    BOOST_TEST(round(all_right()).enlist);
    BOOST_TEST(promise.may_be_silent());
    busy();
    BOOST_TEST(!promise.wanted(now).give);
    now += Millis{1'000};
    busy();
    BOOST_TEST(promise.wanted(now).give);
}

BOOST_AUTO_TEST_CASE(a_promise_may_end_while_it_is_on_the_wire) {
    round(all_right());
    busy();
    const PromiseAct act = promise.wanted(now);
    promise.sent(act);
    promise.withdraw();
    promise.answered(act, all_right(), now);
    BOOST_TEST(!promise.given());
    BOOST_TEST(!promise.may_be_silent());
    BOOST_TEST(promise.wanted(now).enlist);
}

// The lock is the session's: it may be held although its round has failed.
BOOST_AUTO_TEST_CASE(a_round_that_fails_may_have_promised_and_may_not_have_registered) {
    round(all_right());
    busy();
    const PromiseAct act = promise.wanted(now);
    promise.sent(act);
    promise.failed(act);
    BOOST_TEST(!promise.may_be_silent());
    const PromiseAct back = promise.wanted(now);
    BOOST_TEST(back.enlist);
    promise.sent(back);
    promise.failed(back);
    BOOST_TEST(promise.wanted(now).enlist);
    BOOST_TEST(!promise.wanted(now).give);
    round(all_right());
    BOOST_TEST(promise.may_be_silent());
}

BOOST_AUTO_TEST_CASE(the_last_round_of_all_registers_and_rests) {
    BOOST_TEST(promise.last().rest);
    give();
    BOOST_TEST(promise.last().enlist);
    BOOST_TEST(promise.last().rest);
    promise.withdraw();
    BOOST_TEST(round(said(true, false)).enlist);
    BOOST_TEST(!promise.last().enlist);
    BOOST_TEST(promise.last().rest);
    now += *promise.wait(now);
    round(all_right());
    BOOST_TEST(!promise.last().any());
}

BOOST_AUTO_TEST_CASE(a_new_session_has_promised_nothing_and_may_still_be_relied_on) {
    give();
    promise.opened();
    BOOST_TEST(!promise.given());
    BOOST_TEST(!promise.may_be_silent());
    BOOST_TEST(promise.wanted(now).enlist);
    BOOST_TEST(promise.wanted(now).rest);
}

// Each of the other orders loses runs: tests/model, r_before_v and same_look.
BOOST_AUTO_TEST_CASE(a_round_registers_rests_and_then_looks) {
    store::Round round;
    round.promise = PromiseAct{.enlist = true, .rest = true};
    round.arrive = true;
    round.due.emplace();
    round.claim.emplace();
    std::vector<const char*> sent;
    for (const auto& statement : store::statements_for(round, store::Identity{}, Millis{30'000}, store::Columns{}))
        sent.push_back(statement.sql);
    const std::vector<const char*> right{sql::promise_register, sql::promise_rest, sql::worker_arrives, sql::claim,
                                         sql::due};
    BOOST_TEST((sent == right));
}

// Its end must not wait for other people's transactions; but one that is there for what comes next finds that.
BOOST_AUTO_TEST_CASE(an_errand_asks_who_relies_and_waits_for_nobody) {
    Promise errand(Promise::Terms{.rests = false});
    errand.opened();
    BOOST_TEST(errand.may_be_silent());
    const PromiseAct act = errand.wanted(now);
    BOOST_TEST(act.enlist);
    BOOST_TEST(act.rest);
    errand.answered(act, said(true, false), now);
    BOOST_TEST(errand.may_be_silent());
    BOOST_TEST(!errand.last().any());
    BOOST_TEST(!errand.wanted(now).any());
    BOOST_TEST_REQUIRE(errand.wait(now).has_value());
    now += *errand.wait(now);
    BOOST_TEST(errand.wanted(now).rest);
    errand.answered(errand.wanted(now), said(true, true), now);
    BOOST_TEST(!errand.wanted(now).any());
    BOOST_TEST(!errand.wait(now).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
