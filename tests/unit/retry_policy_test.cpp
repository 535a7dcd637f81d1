// The retry policy, case by case; and the dice.
#include "worker/retry_policy.h"

#include <boost/test/unit_test.hpp>

#include "base/backoff.h"

BOOST_AUTO_TEST_SUITE(retry_policy)

using namespace dormouse;
using namespace dormouse::worker;
using handlers::Outcome;
using store::Ending;

namespace {

config::Task task_of(bool snooze_counts) {
    config::Task task;
    task.backoff = {Millis{1'000}, Millis{60'000}};
    task.snooze_counts = snooze_counts;
    return task;
}
const config::Task task = task_of(false);
const config::Backoff& backoff = task.backoff;

store::Ending ending_of(Outcome::Kind kind, const Tries& tries) {
    handlers::Outcome outcome;
    outcome.kind = kind;
    outcome.result = "1";
    return judge({}, outcome, tries, task);
}

}  // namespace

BOOST_AUTO_TEST_CASE(completed_ends_the_run_and_keeps_the_result) {
    const auto ending = ending_of(Outcome::completed, {});
    BOOST_TEST((ending.kind == Ending::completed));
    BOOST_TEST(ending.result == "1");
    BOOST_TEST(ending.counts);
}

BOOST_AUTO_TEST_CASE(failed_and_timed_out_retry_while_attempts_are_left) {
    for (const Outcome::Kind kind : {Outcome::failed, Outcome::timed_out}) {
        const auto again = ending_of(kind, {1, 3, 0});
        BOOST_TEST((again.kind == Ending::retry));
        BOOST_TEST(again.counts);
        BOOST_TEST(again.delay.value().count() <= 2'000);
        BOOST_TEST(again.result.empty());
        const auto last = ending_of(kind, {2, 3, 0});
        BOOST_TEST((last.kind == Ending::failed));
        BOOST_TEST(!last.delay.has_value());
    }
}

BOOST_AUTO_TEST_CASE(a_failure_that_the_handler_calls_permanent_is_not_tried_again) {
    handlers::Outcome outcome;
    outcome.permanent = true;
    BOOST_TEST((judge({}, outcome, {0, 5, 0}, task).kind == Ending::failed));
}

BOOST_AUTO_TEST_CASE(a_failure_may_say_when_it_is_to_be_tried_again_and_counts) {
    handlers::Outcome outcome;
    outcome.kind = Outcome::failed;
    outcome.retry_in = Millis{30'000};
    const auto again = judge({}, outcome, {1, 3, 0}, task);
    BOOST_TEST((again.kind == Ending::retry));
    BOOST_TEST(again.counts);
    BOOST_TEST(again.delay.value().count() == 30'000);
    BOOST_TEST((judge({}, outcome, {2, 3, 0}, task).kind == Ending::failed));
}

BOOST_AUTO_TEST_CASE(what_is_not_the_runs_fault_uses_up_nothing) {
    const auto later = ending_of(Outcome::try_again, {4, 5, 0});
    BOOST_TEST((later.kind == Ending::put_off && !later.counts && later.delay == backoff.base));
    const auto stopped = ending_of(Outcome::stopped, {4, 5, 0});
    BOOST_TEST((stopped.kind == Ending::handed_back && !stopped.counts && !stopped.delay));
    handlers::Outcome outcome;
    outcome.kind = Outcome::stopped;
    outcome.error_class = "stopped";
    outcome.error_message = "stopped: the worker is leaving";
    BOOST_TEST(judge({}, outcome, {0, 5, 0}, {}).error_message == "the worker is leaving");
    const auto missing = ending_of(Outcome::not_started, {4, 5, 3});
    BOOST_TEST((missing.kind == Ending::not_started && !missing.counts && missing.delay >= Millis{20'000}));
}

BOOST_AUTO_TEST_CASE(the_handlers_own_wish_counts) {
    handlers::Outcome outcome;
    outcome.kind = Outcome::try_again;
    outcome.retry_in = Millis{77};
    BOOST_TEST((judge({}, outcome, {}, task).delay == Millis{77}));
}

BOOST_AUTO_TEST_CASE(jitter_stays_in_its_bounds_at_any_number_of_tries) {
    for (const int tries : {0, 1, 5, 62, 63, 64, 1'000'000}) {
        const auto most = std::min<Millis::rep>(60'000, tries > 20 ? 60'000 : 1'000 << tries);
        for (int i = 0; i < 100; ++i) {
            BOOST_TEST_REQUIRE(full_jitter(backoff.base, backoff.max, tries).count() <= most);
            BOOST_TEST_REQUIRE(full_jitter(backoff.base, backoff.max, tries).count() >= 0);
            BOOST_TEST_REQUIRE(half_jitter(backoff.base, backoff.max, tries).count() >= most / 2);
        }
    }
    BOOST_TEST(full_jitter(Millis{0}, Millis{60'000}, 1'000'000).count() == 0);
    BOOST_TEST(full_jitter(Millis{5'000}, Millis{0}, 3).count() == 0);
}

BOOST_AUTO_TEST_CASE(a_task_may_say_that_being_put_off_uses_up_an_attempt) {
    const config::Task counting = task_of(true);
    handlers::Outcome outcome;
    outcome.kind = Outcome::try_again;
    const auto first = judge({}, outcome, {0, 2, 0}, counting);
    BOOST_TEST((first.kind == Ending::put_off));
    BOOST_TEST(first.counts);
    const auto last = judge({}, outcome, {1, 2, 0}, counting);
    BOOST_TEST((last.kind == Ending::failed));
    BOOST_TEST(last.error_class == "attempts_used_up");
}

BOOST_AUTO_TEST_SUITE_END()
