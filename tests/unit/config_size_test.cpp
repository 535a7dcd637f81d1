#include <boost/test/unit_test.hpp>
#include <utility>
#include <vector>

#include "config/size.h"

BOOST_AUTO_TEST_SUITE(config_size)

using namespace dormouse;
using namespace dormouse::config;

BOOST_AUTO_TEST_CASE(reads_what_people_write) {
    const std::vector<std::pair<std::string, std::int64_t>> right{
        {"1MiB", 1 << 20},  {"64KiB", 65536}, {"1 GiB", 1 << 30}, {"500kB", 500'000},
        {"2MB", 2'000'000}, {"65536", 65536}, {"0", 0},           {"12B", 12},
    };
    for (const auto& [text, expected] : right) {
        const auto read = parse_size(text);
        BOOST_TEST_REQUIRE(read.has_value(), text);
        BOOST_TEST(*read == expected);
    }
}

BOOST_AUTO_TEST_CASE(refuses_the_rest_and_says_why) {
    const std::vector<std::pair<std::string, std::string>> wrong{
        {"", "found \"\""},
        {"-1", "found \"-1\""},
        {"1.5MiB", "with a fraction"},
        {"64kb", "unknown unit \"kb\""},
        {"1M", "unknown unit \"M\""},
        {"9223372036854775808", "too large"},
        {"9223372036854775807GiB", "too large"},
    };
    for (const auto& [text, part] : wrong) {
        const auto read = parse_size(text);
        BOOST_TEST_REQUIRE(!read.has_value(), text);
        BOOST_TEST(read.error().message.find(part) != std::string::npos, read.error().message);
        BOOST_TEST(read.error().message.find("expected a size such as \"1MiB\"") != std::string::npos);
    }
}

BOOST_AUTO_TEST_CASE(what_is_written_reads_back_as_the_same) {
    BOOST_TEST(size_text(1 << 20) == "1MiB");
    BOOST_TEST(size_text(65536) == "64KiB");
    BOOST_TEST(size_text(1000) == "1000B");
    BOOST_TEST(size_text(0) == "0B");
    for (const std::int64_t bytes : {0LL, 1LL, 1000LL, 1024LL, 3LL << 30, 1LL << 40})
        BOOST_TEST(parse_size(size_text(bytes)).value() == bytes);
}

BOOST_AUTO_TEST_SUITE_END()
