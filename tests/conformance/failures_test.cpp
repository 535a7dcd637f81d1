// What is told of an attempt that fails, the same in each language that has a client: docs/warm-clients.md.
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "conformance/stage.h"

BOOST_AUTO_TEST_SUITE(failures)

using namespace dormouse;
using namespace dormouse::conformance;
using handlers::Level;
using handlers::Outcome;
using handlers::StopReason;
namespace data = boost::unit_test::data;

BOOST_DATA_TEST_CASE(follow_up_runs_of_an_attempt_that_does_not_complete_are_dropped_with_a_word,
                     data::make(client_kinds()), kind) {
    const std::string word = "2 follow-up runs are dropped: the attempt did not complete";
    Stage stage(kind);
    for (const char* how : {R"("fails")", R"("later")"}) {
        const auto heard = stage.run("drops", how);
        BOOST_TEST((heard.outcome->kind != Outcome::Kind::completed));
        BOOST_TEST(heard.outcome->enqueue.empty());
        BOOST_TEST(heard.has_line(Level::warning, word), how);
    }
    const Uuid id = stage.start("drops", R"("waits")");
    stage.until_began(id);
    stage.stop(id, StopReason::canceled, Millis{20'000});
    BOOST_TEST(stage.wait(id).has_line(Level::warning, word));
    BOOST_TEST(stage.run("fails").lines.empty());  // nothing is dropped
}

BOOST_DATA_TEST_CASE(the_last_retry_is_told_as_what_it_came_from, data::make(client_kinds()), kind) {
    Stage stage(kind);
    const auto before = stage.run("gives_up");
    BOOST_TEST(before.outcome->error_class == "Retry");
    BOOST_TEST(before.outcome->error_message.starts_with("busy"), before.outcome->error_message);
    BOOST_TEST((before.outcome->retry_in == Millis{30'000}));
    stage.max_attempts = 2;
    const auto last = stage.run("gives_up");
    BOOST_TEST((last.outcome->kind == Outcome::Kind::failed));
    BOOST_TEST(last.outcome->error_class == "ValueError");
    BOOST_TEST(last.outcome->error_message.starts_with("no such thing"), last.outcome->error_message);
}

BOOST_DATA_TEST_CASE(an_error_that_cannot_say_its_message_is_an_error_all_the_same, data::make(client_kinds()), kind) {
    Stage stage(kind);
    const auto heard = stage.run("mumbles");
    BOOST_TEST((heard.outcome->kind == Outcome::Kind::failed));
    BOOST_TEST(heard.outcome->error_class == "MumblingError");
    BOOST_TEST(heard.outcome->error_message.starts_with("(its message cannot be shown"), heard.outcome->error_message);
    BOOST_TEST((stage.run("mumbles", R"("result")").outcome->kind == Outcome::Kind::failed));
    BOOST_TEST((stage.run("echo").outcome->kind == Outcome::Kind::completed));
}

BOOST_AUTO_TEST_SUITE_END()
