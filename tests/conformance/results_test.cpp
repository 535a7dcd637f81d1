// Results that are no JSON, the same in each language that has a client: docs/warm-clients.md, "Results".
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "conformance/stage.h"

BOOST_AUTO_TEST_SUITE(results)

using namespace dormouse;
using namespace dormouse::conformance;
using handlers::Level;
using handlers::Outcome;
using nlohmann::json;
namespace data = boost::unit_test::data;

BOOST_DATA_TEST_CASE(a_result_that_is_no_json_fails_its_run_for_good_and_names_the_place,
                     data::make(client_kinds()) * data::make({"nan", "infinity", "function", "text", "circle"}), kind,
                     what) {
    Stage stage(kind);
    const auto heard = stage.run("unfit", json(what).dump());
    BOOST_TEST((heard.outcome->kind == Outcome::Kind::failed), heard.outcome->result);
    BOOST_TEST(heard.outcome->permanent);
    BOOST_TEST(heard.outcome->error_class == "BadResult");
    const std::string& message = heard.outcome->error_message;
    BOOST_TEST(message.find("result.a[1].b") != std::string::npos, message);
    BOOST_TEST(message.size() < 300U, message);
    BOOST_TEST(!heard.outcome->signal);
    BOOST_TEST((stage.run("echo").outcome->kind == Outcome::Kind::completed));
}

BOOST_DATA_TEST_CASE(a_nul_in_a_result_is_stored_as_a_replacement_character, data::make(client_kinds()), kind) {
    Stage stage(kind);
    const auto heard = stage.run("unfit", json("nul").dump());
    BOOST_TEST((heard.outcome->kind == Outcome::Kind::completed), heard.outcome->error_message);
    BOOST_TEST(json::parse(heard.outcome->result) == json::parse(R"({"a": [1, {"b": "a\ufffdb"}]})"));
}

BOOST_AUTO_TEST_CASE(what_looks_like_json_on_stdout_and_is_none_is_stored_as_text_and_the_log_says_why) {
    Stage stage(Kind::exec);
    const auto heard = stage.run("prints_text", json(R"({"a": [1, {"b": NaN}]})").dump());
    BOOST_TEST((heard.outcome->kind == Outcome::Kind::completed), heard.outcome->error_message);
    BOOST_TEST(json::parse(heard.outcome->result) == R"({"a": [1, {"b": NaN}]})");
    BOOST_TEST_REQUIRE(heard.lines.size() == 1U);
    BOOST_TEST((heard.lines[0].first == Level::warning));
    BOOST_TEST(heard.lines[0].second ==
               R"(stdout looks like JSON and is none, so the result is text; at byte 17, in: {"a": [1, {"b": NaN}]})");
    for (const char* text : {"[INFO] done", "{}", "[1]", "some text", "", "{ a", "[b] c]"}) {
        const auto other = stage.run("prints_text", json(text).dump());
        BOOST_TEST(other.lines.size() == (text == std::string("[b] c]") ? 1U : 0U), text);
    }
}

BOOST_AUTO_TEST_SUITE_END()
