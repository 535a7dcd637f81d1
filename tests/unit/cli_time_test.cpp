// Times as people type and read them.
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <ctime>
#include <limits>

#include "cli/when.h"

BOOST_AUTO_TEST_SUITE(cli_time)

using namespace dormouse::cli;

namespace {

struct Zone {
    explicit Zone(const char* name) {
        ::setenv("TZ", name, 1);
        ::tzset();
    }
    ~Zone() {
        ::unsetenv("TZ");
        ::tzset();
    }
};

}  // namespace

BOOST_AUTO_TEST_CASE(parse_time_takes_a_zone_or_the_local_time) {
    const Zone berlin("CET-1CEST,M3.5.0,M10.5.0/3");
    BOOST_TEST(parse_time("2026-03-01T08:00:00Z").value() == 1772352000.0);
    BOOST_TEST(parse_time("2026-03-01 08:00").value() == 1772352000.0 - 3600);
    BOOST_TEST(parse_time("2026-07-01 08:00").value() == parse_time("2026-07-01T06:00Z").value());
    BOOST_TEST(parse_time(" 2026-03-01 08:00:00.25 +02:00 ").value() == 1772352000.25 - 7200);
    BOOST_TEST(parse_time("2026-03-01 08:00-0530").value() == 1772352000.0 + 19800);
    BOOST_TEST(parse_time("2028-02-29 00:00Z").has_value());
}

BOOST_AUTO_TEST_CASE(parse_time_refuses_what_is_no_time) {
    for (const char* const wrong :
         {"", "tomorrow", "2026-13-01 08:00", "2026-02-30 08:00", "2027-02-29 00:00", "2026-03-01", "08:00",
          "2026-03-01 24:00", "2026-03-01 08:60", "2026-03-01 08:00:61", "2026-03-01 08:00:00.", "2026-03-01 08:00 CET",
          "2026-03-01 08:00Z x", "1969-12-31 23:59Z", "26-03-01 08:00"})
        BOOST_TEST(!parse_time(wrong).has_value(), wrong);
}

BOOST_AUTO_TEST_CASE(relative_says_before_and_after) {
    BOOST_TEST(relative(100, 100.5) == "now");
    BOOST_TEST(relative(100, 103) == "3 s ago");
    BOOST_TEST(relative(103, 100) == "in 3 s");
    BOOST_TEST(relative(0, 300) == "5 min ago");
    BOOST_TEST(relative(0, 7200) == "2 h ago");
    BOOST_TEST(relative(0, 86400 * 3) == "3 d ago");
    BOOST_TEST(relative(std::numeric_limits<double>::infinity(), 0) == "never");
}

BOOST_AUTO_TEST_CASE(length_has_the_unit_that_fits) {
    BOOST_TEST(length(0.25) == "250 ms");
    BOOST_TEST(length(3.24) == "3.2 s");
    BOOST_TEST(length(42) == "42 s");
    BOOST_TEST(length(300) == "5 min");
}

BOOST_AUTO_TEST_CASE(iso_is_for_programs_and_absolute_for_people) {
    const Zone berlin("CET-1CEST,M3.5.0,M10.5.0/3");
    BOOST_TEST(iso(1772352000.25) == "2026-03-01T08:00:00.250Z");
    BOOST_TEST(absolute(1772352000.25) == "2026-03-01 09:00:00 +0100");
}

BOOST_AUTO_TEST_SUITE_END()
