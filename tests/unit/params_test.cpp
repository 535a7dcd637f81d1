// Parameters in Postgres's binary format, byte by byte.
#include "postgres/params.h"

#include <boost/test/unit_test.hpp>

BOOST_AUTO_TEST_SUITE(params)

using namespace dormouse;
using postgres::Params;

namespace {

std::string bytes_of(const Params& params, std::size_t which = 0) {
    const char* start = params.pointers().at(which);
    return start == nullptr ? "null" : std::string(start, static_cast<std::size_t>(params.lengths().at(which)));
}

template <std::size_t N>
std::string raw(const char (&text)[N]) {
    return {text, N - 1};
}

}  // namespace

BOOST_AUTO_TEST_CASE(numbers_are_big_endian) {
    BOOST_TEST(bytes_of(Params().bigint(-2)) == raw("\xff\xff\xff\xff\xff\xff\xff\xfe"));
    BOOST_TEST(bytes_of(Params().integer(258)) == raw("\0\0\1\2"));
    BOOST_TEST(bytes_of(Params().boolean(true).boolean(false), 1) == raw("\0"));
}

BOOST_AUTO_TEST_CASE(text_keeps_every_byte_and_nothing_is_not_null) {
    BOOST_TEST(bytes_of(Params().text(raw("a\0b"))) == raw("a\0b"));
    BOOST_TEST(bytes_of(Params().text("")) == "");
    BOOST_TEST(bytes_of(Params().null()) == "null");
}

BOOST_AUTO_TEST_CASE(an_empty_array_has_no_dimension) {
    BOOST_TEST(bytes_of(Params().texts(std::vector<std::string>{})) == raw("\0\0\0\0\0\0\0\1\0\0\0\x19"));
}

BOOST_AUTO_TEST_CASE(arrays_hold_nulls) {
    const std::string expected = raw("\0\0\0\1\0\0\0\1\0\0\0\x15\0\0\0\2\0\0\0\1\0\0\0\2\0\7\xff\xff\xff\xff");
    BOOST_TEST(bytes_of(Params().smallints({7, std::nullopt})) == expected);
    BOOST_TEST(bytes_of(Params().texts(std::vector<std::optional<std::string>>{std::nullopt})) ==
               raw("\0\0\0\1\0\0\0\1\0\0\0\x19\0\0\0\1\0\0\0\1\xff\xff\xff\xff"));
}

BOOST_AUTO_TEST_CASE(a_uuid_is_its_sixteen_bytes) {
    const Uuid id = Uuid::random();
    const std::string bytes = bytes_of(Params().uuid(id));
    BOOST_TEST_REQUIRE(bytes.size() == 16U);
    BOOST_TEST(static_cast<unsigned char>(bytes[3]) == id.bytes[3]);
    BOOST_TEST(bytes_of(Params().uuids({id})).size() == 20U + 4 + 16);
}

BOOST_AUTO_TEST_SUITE_END()
