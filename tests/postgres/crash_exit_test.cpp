// The worker is killed at each of these points, with runs in flight; the next one goes on
// (tests/postgres/crash_points.h).
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "postgres/crash_points.h"

BOOST_AUTO_TEST_SUITE(crash_exit, *boost::unit_test::precondition(dormouse::testing::has_crash_points))

using namespace dormouse::testing;

BOOST_DATA_TEST_CASE(nothing_is_lost_and_nothing_is_done_twice, boost::unit_test::data::make(exit_points), moment) {
    CrashBench bench(moment);
    bench.dies();
    bench.lives();
    bench.check();
}

BOOST_AUTO_TEST_SUITE_END()
