#include "handlers/environment_file.h"

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <map>

BOOST_AUTO_TEST_SUITE(environment_file)

using namespace dormouse;
using namespace dormouse::handlers;

namespace {

std::map<std::string, std::string> parsed(std::string_view text) {
    const auto result = parse_environment(text, "f");
    BOOST_TEST_REQUIRE(result.has_value(), (result ? "" : result.error().message));
    return {result->begin(), result->end()};
}

std::string complaint(std::string_view text) {
    const auto result = parse_environment(text, "f");
    BOOST_REQUIRE(!result);
    BOOST_TEST(result.error().message.find("secret") == std::string::npos);
    return result.error().message;
}

}  // namespace

BOOST_AUTO_TEST_CASE(names_and_values_come_out_as_written) {
    auto found = parsed("A=1\n  B = two words  \r\nC=\nD=x=y\nE_2=#not a comment");
    BOOST_TEST(found["A"] == "1");
    BOOST_TEST(found["B"] == "two words");
    BOOST_TEST(found["C"] == "");
    BOOST_TEST(found["D"] == "x=y");
    BOOST_TEST(found["E_2"] == "#not a comment");
    BOOST_TEST(found.size() == 5U);
}

BOOST_AUTO_TEST_CASE(comments_and_blank_lines_are_passed_over) {
    BOOST_TEST(parsed("# A=1\n; B=2\n\n \t\n#").empty());
    BOOST_TEST(parsed("").empty());
}

BOOST_AUTO_TEST_CASE(quotes_keep_blanks_line_breaks_and_dollars) {
    auto found = parsed("A=\"a \\\"b\\\" \\n \"\nB='$X \\ \"'\nC=\"two\nlines\"\nD=a\"b c\"'d'  \nE=$HOME `id`");
    BOOST_TEST(found["A"] == "a \"b\" \\n ");
    BOOST_TEST(found["B"] == "$X \\ \"");
    BOOST_TEST(found["C"] == "two\nlines");
    BOOST_TEST(found["D"] == "ab cd");
    BOOST_TEST(found["E"] == "$HOME `id`");
}

BOOST_AUTO_TEST_CASE(a_backslash_at_the_end_of_a_line_joins_it_with_the_next) {
    BOOST_TEST(parsed("A=one\\\ntwo\nB=3")["A"] == "onetwo");
}

BOOST_AUTO_TEST_CASE(the_last_of_two_equal_names_wins) {
    const auto result = parse_environment("A=1\nA=2\n", "f");
    BOOST_REQUIRE(result);
    BOOST_TEST(result->size() == 1U);
    BOOST_TEST(result->front().second == "2");
}

BOOST_AUTO_TEST_CASE(mistakes_are_named_with_their_line_and_without_the_value) {
    BOOST_TEST(complaint("A=1\nsecret").starts_with("f:2: expected NAME=VALUE"));
    BOOST_TEST(complaint("\n\n1A=secret").starts_with("f:3: a name"));
    BOOST_TEST(complaint("export A B=secret").starts_with("f:1: a name"));
    BOOST_TEST(complaint("=secret").starts_with("f:1: a name"));
    BOOST_TEST(complaint("A=1\nB=\"secret\n\n").starts_with("f:2: B: a quote is not closed"));
    BOOST_TEST(complaint("DORMOUSE_FENCE=secret").starts_with("f:1: DORMOUSE_FENCE: names with DORMOUSE_"));
    BOOST_TEST(complaint(std::string_view("A=1\nB=\0secret", 13)).starts_with("f:2: a NUL byte"));
    BOOST_TEST(complaint(std::string(65'537, '#')) == "f: larger than 64 KiB");
}

BOOST_AUTO_TEST_CASE(what_looks_like_a_comment_behind_a_value_is_told) {
    const auto doubtful = [](std::string_view text) { return doubtful_in_environment(text, "f"); };
    BOOST_TEST(
        doubtful("A=1\nB=secret b # trailing\nC=x # y").starts_with("f:2: B: \" #\" and what follows is part of"));
    for (const char* text : {"A=a#b", "A='a # b'", "A=\"a # b\"", "# A=1 # 2", "A=#b", "A", ""})
        BOOST_TEST(doubtful(text) == "");
    BOOST_TEST(doubtful("A=\"a\" # b").starts_with("f:1: A: "));
    BOOST_TEST(doubtful_in_environment_file("/nowhere/env") == "");
    BOOST_TEST(doubtful_in_environment_file("") == "");
}

BOOST_AUTO_TEST_CASE(what_is_not_a_regular_file_is_refused) {
    BOOST_TEST(!read_environment_file("/nowhere/env"));
    BOOST_TEST(!read_environment_file("/dev/zero"));
    BOOST_TEST(!read_environment_file(std::filesystem::temp_directory_path().string()));
}

BOOST_AUTO_TEST_CASE(files_that_shells_read_too_are_understood) {
    const auto found = parse_environment("export A=1\nexport  B='two'\nexporter=3\n", "f");
    BOOST_TEST_REQUIRE(found.has_value());
    BOOST_TEST((*found == Variables{{"A", "1"}, {"B", "two"}, {"exporter", "3"}}));
}

BOOST_AUTO_TEST_SUITE_END()
