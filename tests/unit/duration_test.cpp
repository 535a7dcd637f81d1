#include "config/duration.h"

#include <boost/test/unit_test.hpp>
#include <limits>
#include <utility>
#include <vector>

BOOST_AUTO_TEST_SUITE(duration)

using namespace dormouse;
using namespace dormouse::config;

BOOST_AUTO_TEST_CASE(reads_what_people_write) {
    const std::vector<std::pair<std::string, std::int64_t>> right{
        {"250ms", 250},
        {"5 s", 5'000},
        {"30min", 1'800'000},
        {"1h30min", 5'400'000},
        {"2d", 172'800'000},
        {"10s", 10'000},
        {" 1h 30 min ", 5'400'000},
        {"30m", 1'800'000},
        {"1w", 604'800'000},
        {"7sec", 7'000},
        {"0", 0},
        {"0s", 0},
        {"5ms", 5},
        {"007s", 7'000},
        {"1d1h1min1s1ms", 90'061'001},
        {"9223372036854775807ms", std::numeric_limits<std::int64_t>::max()},
    };
    for (const auto& [text, expected] : right) {
        const auto read = parse_duration(text);
        BOOST_TEST_CONTEXT(text) {
            BOOST_TEST_REQUIRE(read.has_value());
            BOOST_TEST(read->count() == expected);
        }
    }
}

BOOST_AUTO_TEST_CASE(refuses_the_rest_and_says_why) {
    const std::vector<std::pair<std::string, std::string>> wrong{
        {"30", R"(found "30" without a unit, expected a duration such as)"},
        {"1 2s", R"(found "1 2s" without a unit)"},
        {"1h30", R"(found "1h30" without a unit)"},
        {"", R"(found "", expected a duration)"},
        {"  ", R"(, expected a duration)"},
        {"soon", R"(found "soon", expected a duration)"},
        {"-5s", R"(found "-5s", expected a duration)"},
        {"1.5h", R"(found "1.5h" with a fraction)"},
        {"5 parsecs", R"(with the unknown unit "parsecs")"},
        {"5S", R"(with the unknown unit "S")"},
        {"5s5s", "with units out of order"},
        {"5s1h", "with units out of order"},
        {"5min1m", "with units out of order"},
        {"9223372036854775808ms", "which is too long"},
        {"9223372036854775807s", "which is too long"},
        {"1s9223372036854775807ms", "which is too long"},
        {"99999999999999999999999999d", "which is too long"},
        {"5\ns", R"(with the unknown unit)"},
    };
    for (const auto& [text, part] : wrong) {
        const auto read = parse_duration(text);
        BOOST_TEST_CONTEXT(text) {
            BOOST_TEST_REQUIRE(!read.has_value());
            BOOST_TEST((read.error().kind == ErrorKind::invalid));
            BOOST_TEST(read.error().message.find(part) != std::string::npos, read.error().message);
            BOOST_TEST(read.error().message.find("\"30s\"") != std::string::npos, read.error().message);
            BOOST_TEST(read.error().message.find('\n') == std::string::npos);
        }
    }
}

BOOST_AUTO_TEST_CASE(is_written_in_its_shortest_form) {
    const std::vector<std::pair<std::int64_t, std::string>> right{
        {0, "0s"},
        {-5, "0s"},
        {5, "5ms"},
        {1'000, "1s"},
        {1'500, "1500ms"},
        {60'000, "1min"},
        {300'000, "5min"},
        {5'400'000, "90min"},
        {86'400'000, "1d"},
        {90'000'000, "25h"},
        {86'400'001, "1d1ms"},
        {604'800'000, "7d"},
        {61'000, "61s"},
        {3'600'001, "1h1ms"},
    };
    for (const auto& [count, text] : right) BOOST_TEST(duration_text(Millis{count}) == text);
}

BOOST_AUTO_TEST_CASE(what_is_written_reads_back_as_the_same) {
    std::int64_t count = 1;
    for (int i = 0; i < 2'000; ++i) {
        const std::int64_t value = count % (i % 2 == 0 ? 1'000'000'000 : std::numeric_limits<std::int64_t>::max());
        const auto read = parse_duration(duration_text(Millis{value}));
        BOOST_TEST_REQUIRE(read.has_value());
        BOOST_TEST_REQUIRE(read->count() == value);
        count = static_cast<std::int64_t>(
            (static_cast<std::uint64_t>(count) * 6364136223846793005ULL + 1442695040888963407ULL) >> 1U);
    }
}

BOOST_AUTO_TEST_SUITE_END()
