// The one decoder of UTF-8, tried with every character and with what is none.
#include "base/utf8.h"

#include <boost/test/unit_test.hpp>

BOOST_AUTO_TEST_SUITE(utf8)

using namespace dormouse;

namespace {

std::string encoded(char32_t code) {
    const auto byte = [](unsigned value) { return static_cast<char>(value); };
    if (code < 0x80) return {byte(code)};
    if (code < 0x800) return {byte(0xC0U | code >> 6U), byte(0x80U | (code & 0x3FU))};
    if (code < 0x10000)
        return {byte(0xE0U | code >> 12U), byte(0x80U | (code >> 6U & 0x3FU)), byte(0x80U | (code & 0x3FU))};
    return {byte(0xF0U | code >> 18U), byte(0x80U | (code >> 12U & 0x3FU)), byte(0x80U | (code >> 6U & 0x3FU)),
            byte(0x80U | (code & 0x3FU))};
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_character_is_read_as_it_was_written_and_no_surrogate_is_one) {
    std::size_t wrong = 0;
    for (char32_t code = 0; code <= 0x110000; ++code) {
        const std::string text = encoded(code) + "x";
        const auto seen = dormouse::utf8::first_of(text);
        const bool is_one = code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF);
        const bool right =
            is_one ? seen.valid && seen.code == code && seen.bytes + 1 == text.size() : !seen.valid && seen.bytes == 1;
        if (!right) ++wrong;
    }
    BOOST_TEST(wrong == 0U);
}

BOOST_AUTO_TEST_CASE(what_is_cut_overlong_or_out_of_place_is_one_byte_that_is_no_character) {
    for (const char* text :
         {"\x80", "\xbf", "\xc0\xaf", "\xc1\x81", "\xc3", "\xe0\x9f\xbf", "\xe2\x82", "\xe2\x28\xa1", "\xed\xa0\x80",
          "\xf0\x8f\xbf\xbf", "\xf0\x9f\x98", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff"}) {
        const auto seen = dormouse::utf8::first_of(text);
        BOOST_TEST(!seen.valid);
        BOOST_TEST(seen.bytes == 1U);
    }
}

BOOST_AUTO_TEST_SUITE_END()
