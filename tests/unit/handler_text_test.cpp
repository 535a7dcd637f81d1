#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>
#include <vector>

#include "handlers/text.h"

BOOST_AUTO_TEST_SUITE(handler_text)

using namespace dormouse::handlers;

namespace {

struct Taken {
    explicit Taken(std::size_t limit)
        : budget{limit}, lines(budget, [this](std::string_view line) { all.emplace_back(line); }) {}
    std::vector<std::string> all;
    LogBudget budget;
    Lines lines;
};

const std::string bad = "\xEF\xBF\xBD";

}  // namespace

BOOST_AUTO_TEST_CASE(valid_text_stays_as_it_is) {
    const std::string text = "a\xC2\x80 é € 🐿 \x7F\x01\n\xF4\x8F\xBF\xBF";
    BOOST_TEST(clean_text(text) == text);
}

BOOST_AUTO_TEST_CASE(invalid_sequences_and_nul_are_replaced) {
    using namespace std::string_literals;
    BOOST_TEST(clean_text("a\0b"s) == "a" + bad + "b");
    BOOST_TEST(clean_text("\xFFx") == bad + "x");
    BOOST_TEST(clean_text("\xE2\x82") == bad + bad);                      // cut short
    BOOST_TEST(clean_text("\xC0\xAF") == bad + bad);                      // overlong
    BOOST_TEST(clean_text("\xED\xA0\x80") == bad + bad + bad);            // a surrogate
    BOOST_TEST(clean_text("\xF4\x90\x80\x80") == bad + bad + bad + bad);  // above U+10FFFF
}

BOOST_AUTO_TEST_CASE(json_is_passed_through_unchanged) {
    for (const std::string text : {"{\"a\": 1}\n", " [1,2]", "null", "\"x\"", "1.50", "{\"z\":\"\\\\u0000\"}"}) {
        BOOST_TEST(result_of(text) == text);
    }
}

BOOST_AUTO_TEST_CASE(what_only_looks_like_json_becomes_a_string) {
    using namespace std::string_literals;
    for (const std::string& text :
         {"{a: 1}"s, "1 2"s, "NaN"s, "[1,]"s, "\"\xFF\""s, "1\0rest"s, "\xEF\xBB\xBF{}"s, "\"\\ud800\""s}) {
        const auto result = result_of(text);
        BOOST_TEST(nlohmann::json::parse(result).is_string());
        BOOST_TEST(result.find("\\u0000") == std::string::npos);
    }
}

BOOST_AUTO_TEST_CASE(a_nul_in_json_is_replaced_and_a_backslash_before_a_u_is_not) {
    const std::vector<std::pair<std::string, std::string>> pairs{
        {R"(["\u0000"])", R"(["\ufffd"])"},
        {R"(["\\u0000"])", R"(["\\u0000"])"},
        {R"(["\\\u0000\u0000"])", R"(["\\\ufffd\ufffd"])"},
    };
    for (const auto& [text, expected] : pairs) BOOST_TEST(result_of(text) == expected);
}

BOOST_AUTO_TEST_CASE(a_carriage_return_ends_a_line_that_the_next_one_overwrites) {
    Taken taken(1000);
    for (const char* piece : {"plain\r", "\n", "1%\r2%\r", "3%", "\r99%\r100%\nnext", "\rlast"}) taken.lines.add(piece);
    taken.lines.finish();
    // the first one at once, others if a second has passed, the last one always
    BOOST_TEST(taken.all == (std::vector<std::string>{"plain", "1%", "100%", "last"}),
               boost::test_tools::per_element());
    BOOST_TEST(taken.budget.used <= 40U);
}

BOOST_AUTO_TEST_CASE(a_deep_nest_does_not_break_the_parser) {
    const std::string deep(1U << 20U, '[');
    BOOST_TEST(nlohmann::json::parse(result_of(deep)).is_string());
}

BOOST_AUTO_TEST_CASE(lines_come_out_whole_however_they_were_cut) {
    Taken taken(1000);
    for (const char* piece : {"on", "e\ntw", "o\r\n", "\nla", "st"}) taken.lines.add(piece);
    taken.lines.finish();
    BOOST_TEST(taken.all == (std::vector<std::string>{"one", "two", "", "last"}), boost::test_tools::per_element());
    BOOST_TEST(taken.lines.tail() == "one\ntwo\r\n\nlast");
}

BOOST_AUTO_TEST_CASE(a_long_line_is_cut_at_a_whole_character_and_says_so) {
    Taken taken(100'000);
    std::string line = "x";
    while (line.size() < 10'000) line += "é";
    taken.lines.add(line);
    taken.lines.add(line + "\nnext\n");
    BOOST_REQUIRE(taken.all.size() == 2U);
    BOOST_TEST(taken.all[0] == line.substr(0, 8191) + " [line cut at 8192 bytes]");
    BOOST_TEST(taken.all[1] == "next");
}

BOOST_AUTO_TEST_CASE(after_the_limit_one_line_says_that_there_was_more) {
    Taken taken(10);
    taken.lines.add("12345\n678901234\nmore\n");
    taken.lines.add("and more\n");
    taken.lines.finish();
    BOOST_REQUIRE(taken.all.size() == 3U);
    BOOST_TEST(taken.all[1] == "6789");
    BOOST_TEST(taken.all[2] == "[log cut: the handler wrote more than 10 bytes]");
    BOOST_TEST(taken.lines.tail().ends_with("more\nand more"));
}

BOOST_AUTO_TEST_CASE(a_flood_of_empty_lines_is_bounded) {
    Taken taken(100);
    for (int i = 0; i < 1000; ++i) taken.lines.add("\n\n\n\n\n\n\n\n");
    taken.lines.finish();
    BOOST_TEST(taken.all.size() <= 101U);
}

BOOST_AUTO_TEST_CASE(the_tail_begins_with_a_whole_line) {
    Taken taken(100);
    for (int i = 0; i < 1000; ++i) taken.lines.add("line " + std::to_string(i) + "\n");
    taken.lines.finish();
    const auto tail = taken.lines.tail();
    BOOST_TEST(tail.starts_with("line "));
    BOOST_TEST(tail.ends_with("line 999"));
    BOOST_TEST(tail.size() <= 2048U);
}

BOOST_AUTO_TEST_SUITE_END()
