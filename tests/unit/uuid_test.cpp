// Uuids as text and bytes.
#include "base/uuid.h"

#include <boost/test/unit_test.hpp>
#include <unordered_set>

BOOST_AUTO_TEST_SUITE(uuid)

using namespace dormouse;

BOOST_AUTO_TEST_CASE(text_and_bytes_are_the_same) {
    const std::string text = "0189abcd-ef01-7234-8567-89abcdef0123";
    const auto id = Uuid::parse(text);
    BOOST_TEST_REQUIRE(id.has_value());
    BOOST_TEST(id->to_string() == text);
    BOOST_TEST(id->bytes[0] == 0x01);
    BOOST_TEST(id->bytes[15] == 0x23);
    BOOST_TEST((Uuid::parse("0189ABCDEF017234856789ABCDEF0123") == id));
}

BOOST_AUTO_TEST_CASE(what_is_no_uuid_is_refused) {
    for (const char* bad :
         {"", "0189abcd", "0189abcd-ef01-7234-8567-89abcdef012", "0189abcd-ef01-7234-8567-89abcdef01234",
          "0189abcd-ef01-7234-8567-89abcdef012g", "0189abcdef-01-7234-8567-89abcdef0123"})
        BOOST_TEST(!Uuid::parse(bad).has_value(), bad);
}

BOOST_AUTO_TEST_CASE(random_ones_are_version_4_and_differ) {
    std::unordered_set<Uuid> all;
    for (int i = 0; i < 1'000; ++i) {
        const Uuid id = Uuid::random();
        BOOST_TEST_REQUIRE((id.bytes[6] & 0xF0U) == 0x40U);
        BOOST_TEST_REQUIRE((id.bytes[8] & 0xC0U) == 0x80U);
        all.insert(id);
    }
    BOOST_TEST(all.size() == 1'000U);
}

BOOST_AUTO_TEST_SUITE_END()
