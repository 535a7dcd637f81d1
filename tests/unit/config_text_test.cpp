#include <boost/test/unit_test.hpp>

#include "config/text.h"

BOOST_AUTO_TEST_SUITE(config_text)

using namespace dormouse::config;

BOOST_AUTO_TEST_CASE(a_quote_is_one_bounded_line) {
    BOOST_TEST(quote("plain größe") == "\"plain größe\"");
    BOOST_TEST(quote("a\nb\x1b[31m") == "\"a\\x0ab\\x1b[31m\"");
    BOOST_TEST(quote("\xff\xc3") == "\"\\xff\\xc3\"");
    BOOST_TEST(quote(std::string(1 << 20, 'x')).size() < 80U);
}

BOOST_AUTO_TEST_CASE(printable_is_valid_utf8_without_control_characters) {
    for (const std::string_view right : {"", "abc", "größe", "日本", "😀"}) BOOST_TEST(printable(right), right);
    for (const std::string_view wrong : {"\n", "\x7f", "\xc2\x85", "\xff", "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80",
                                         "\xf4\x90\x80\x80", "\xf0\x80\x80\x80", "\xe2\x82", "a\xc3"})
        BOOST_TEST(!printable(wrong), quote(wrong));
    BOOST_TEST(!printable(std::string_view("a\0b", 3)));
}

BOOST_AUTO_TEST_CASE(the_nearest_name_is_found_across_sections_and_not_invented) {
    const std::vector<std::string> known{"worker.concurrency", "worker.queues", "wake.max_sleep", "database.url"};
    BOOST_TEST(nearest("worker.concurency", known) == "worker.concurrency");
    BOOST_TEST(nearest("worker.queue", known) == "worker.queues");
    BOOST_TEST(nearest("wroker.queues", known) == "worker.queues");
    BOOST_TEST(nearest("worker.max_sleep", known) == "wake.max_sleep");
    BOOST_TEST(nearest("url", known) == "database.url");
    BOOST_TEST(nearest("worker.colour", known).empty());
    BOOST_TEST(nearest(std::string(1 << 20, 'q'), known).empty());
}

BOOST_AUTO_TEST_SUITE_END()
